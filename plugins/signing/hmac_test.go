package vendors

import (
	"crypto"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSign(t *testing.T) {
	body := []byte(`{"a":1}`)
	// Computed with openssl dgst -hmac.
	sha1 := &Signature{Hash: crypto.SHA1, Encoding: Hex, Prefix: "sha1="}
	require.Equal(t, "sha1=b5557a4b8f3cc308d19eb4f69f336392a31eef7b", sha1.Sign("key", body))
	base64 := &Signature{Hash: crypto.SHA1, Encoding: Base64}
	require.Equal(t, sha1.Key("key").MAC(body), base64.Decode(base64.Sign("key", body)))
	for _, text := range []string{"", "xyz", "b5557a4b", "b5557a4b8f3cc308d19eb4f69f336392a31eef7b00"} {
		require.Nil(t, sha1.Decode(text), text)
	}
}

func TestReserialise(t *testing.T) {
	s := &Signature{Reserialised: true}
	for body, want := range map[string][]string{
		`{"b":1.0,"a":[true]}`:                       nil,
		"{ \"b\": 1.0,\n\t\"a\": [ true, \"\" ] }":   {`{"b":1.0,"a":[true,""]}`},
		`{"a":"\u00e9\/"}`:                           {`{"a":"é/"}`},
		`{"a": "\u00e9", "a": 12345678901234567890}`: {`{"a":"\u00e9","a":12345678901234567890}`, `{"a":"é","a":12345678901234567890}`},
		`{"a":`: nil,
		`a=b`:   nil,
	} {
		var got []string
		for _, text := range s.Reserialise([]byte(body)) {
			got = append(got, string(text))
		}
		require.Equal(t, want, got, body)
	}
	require.Empty(t, (&Signature{}).Reserialise([]byte(`{ }`)))
}
