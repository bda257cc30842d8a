package vendors

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
)

// Undeclared is the folder of samples for which the route declares no native event.
const Undeclared = "undeclared"

// Sample returns the body of a sample of a native event. The sample decodes without an
// issue; if there are several such samples, one that gives the first type of the native
// event is preferred.
func (v *Vendor) Sample(native string) ([]byte, error) {
	if v.Samples == nil {
		return nil, fmt.Errorf("looking for a sample of %s: expected some, it has none", v.Name)
	}
	var plain []byte
	for declared, body := range v.SamplesOf(native) {
		eventType, ok := v.plainType(native, declared, body)
		if !ok {
			continue
		}
		if e, known := v.Native(native); !known || eventType == e.Types[0] {
			return body, nil
		}
		if plain == nil {
			plain = body
		}
	}
	if plain == nil {
		return nil, fmt.Errorf("looking for a sample of %s: expected one of the native events %s, got %q", v.Name, strings.Join(v.EventNames(), ", "), native)
	}
	return plain, nil
}

// SamplesOf yields the bodies of the samples that may be of a native event, each with the
// native event that the route declares, which is "" where the payload has to tell.
func (v *Vendor) SamplesOf(native string) iter.Seq2[string, []byte] {
	return func(yield func(declared string, body []byte) bool) {
		if v.Samples == nil {
			return
		}
		folders := []string{native, Undeclared}
		if v.Named != nil {
			slices.Reverse(folders) // a sample that names its native event needs no route that declares it
		}
		for _, folder := range folders {
			declared := native
			if folder == Undeclared {
				declared = ""
			}
			files, _ := fs.ReadDir(v.Samples, path.Join("testdata", folder)) // a folder that is not there has no files
			for _, file := range files {
				if ext := path.Ext(file.Name()); ext != ".json" && ext != ".form" {
					continue
				}
				body, err := fs.ReadFile(v.Samples, path.Join("testdata", folder, file.Name()))
				if err == nil && !yield(declared, body) {
					return
				}
			}
		}
	}
}

// plainType decodes a body as the declared native event. It returns the type of the events,
// and whether they are of the native event and have no issues.
func (v *Vendor) plainType(native, declared string, body []byte) (eventType string, ok bool) {
	d := &delivery.Delivery{Vendor: v.Name, Event: declared, Body: body}
	document, err := v.Payload(d)
	defer document.Release()
	if err != nil {
		return "", false
	}
	errNotPlain := errors.New("not plain")
	err = v.Decode(d, document, 1<<20, func(e event.Event) error {
		if e.VendorEvent != native || len(e.Data.Issues) > 0 {
			return errNotPlain
		}
		eventType = e.Type
		return nil
	})
	return eventType, err == nil
}
