package payload

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzFlatForm holds the short way of reading a form to the long way: it gives the same
// object, or leaves the form to the long way.
func FuzzFlatForm(f *testing.F) {
	for _, body := range []string{
		"a=1", "a=1&b=", "a&b", "=1", "=", "", "&&", "a=1&a=2", "a=1&a\x00=2", "a%5Bb%5D=1", "a[b]=1", "a=[1]", "a=%5B1%5D", "\ufeffa=1\r\n",
		"a=%zz", "a=%", "a=%ff", "a=\xff", "a=x+y", "a=%22%5C%0A%00", `a="\`, "a=1=2", "+a=1", "%61=1", "a=%F0%9F%98%80", "a=\uffff", "a=\u007f",
		"Body=Is+it%3F&To=%2B12025550100&MediaUrl0=https%3A%2F%2Fexample.com%2F0.png",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		flat, ok := parseFlatForm(body)
		if !ok {
			return
		}
		defer flat.Release()
		var long form
		require.NoError(t, long.readURLEncoded(body, charset{}))
		require.LessOrEqual(t, long.parts, MaxFormParts)
		whole, err := Parse(string(long.root.append(nil)))
		require.NoError(t, err)
		defer whole.Release()
		require.Equal(t, whole.Text(), flat.Text())
		require.Equal(t, whole.Mended(), flat.Mended())
	})
}

// The short way reads what vendors send.
func TestFlatForm(t *testing.T) {
	for body, want := range map[string]bool{
		"Body=Is+it%3F&To=%2B12025550100&FromCity=": true,
		"a=[1]":      true,
		"a[]=1":      false,
		"a%5B%5D=1":  false,
		"a=1&b=2&a=": false,
		"a=%":        false,
		"":           false,
	} {
		v, ok := parseFlatForm(body)
		require.Equal(t, want, ok, body)
		v.Release()
	}
}
