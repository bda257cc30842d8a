// Package fuzz gives any bytes to the decoders. It imports little, because fuzzing becomes
// slower with every package that the fuzzed binary has.
package fuzz

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/promises"
	"github.com/hookswitch/hookswitch/tests/samples"

	_ "github.com/hookswitch/hookswitch/plugins/vendors/all"
)

// vendor is the only vendor that is fuzzed; all are if it is "".
var vendor = os.Getenv("HOOKSWITCH_FUZZ_VENDOR")

// FuzzDecode gives any bytes to a vendor's decoder, from the samples on. The first
// line of an input is the route, such as /callrail/post_call, the second line is the content
// type, and the rest is the body. A malformed body is also mended, so that most inputs are
// decoded.
func FuzzDecode(f *testing.F) {
	if _, ok := vendors.Get(vendor); !ok && vendor != "" {
		f.Fatalf("reading HOOKSWITCH_FUZZ_VENDOR: expected one of %v, got %q", vendors.Names(), vendor)
	}
	for _, v := range vendors.All() {
		if vendor == "" || vendor == v.Name {
			seed(f, v)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		route, rest, _ := bytes.Cut(input, []byte("\n"))
		contentType, body, _ := bytes.Cut(rest, []byte("\n"))
		name, declared, _ := strings.Cut(strings.TrimPrefix(string(route), "/"), "/")
		if vendor != "" {
			name = vendor
		}
		v, ok := vendors.Get(name)
		if !ok {
			return
		}
		d := &delivery.Delivery{Vendor: v.Name, Event: declared, ContentType: string(contentType), Body: body}
		document, err := v.Payload(d)
		if err != nil {
			document.Release()
			if u, ok := errors.AsType[*vendors.Undecodable](err); !ok || u.Reason != delivery.Malformed {
				t.Fatalf("expected a payload, or the reason malformed, got %v", err)
			}
			if !bytes.HasPrefix(body, []byte("{")) {
				return
			}
			d.Body = mend(body)
			if document, err = v.Payload(d); err != nil {
				t.Fatal(err)
			}
		}
		defer document.Release()
		if err := promises.Check(v, d, document); err != nil {
			t.Fatal(err)
		}
	})
}

// seed adds the samples of a vendor that are not large.
func seed(f *testing.F, v *vendors.Vendor) {
	root := filepath.Join("..", "..", "plugins", "vendors", v.Name, "testdata")
	if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".golden") || strings.HasSuffix(path, ".gz") {
			return err
		}
		if s := samples.At(f, path); len(s.Body) <= 8<<10 {
			f.Add(append([]byte("/"+v.Name+"/"+s.Event+"\n"+s.ContentType+"\n"), s.Body...))
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
}
