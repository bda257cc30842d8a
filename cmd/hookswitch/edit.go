package main

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// edit sets a value of a body.
type edit struct{ path, value string }

const editUsage = "set a value of the body, `PATH=VALUE`, as in contact.phone=+12025550143; may be given several times"

// editing is what help says of edits.
const editing = `The parts of a PATH are separated by dots; a number is the place in an array, -1
the end. In the place of a string VALUE is text; elsewhere it is JSON if it can be
read so, and text if not. All else of the body stays as it is, numbers and the
order of keys included, but for whitespace and for what not every reader of JSON takes.
A form becomes the JSON object of its fields.`

// edits is the value of a flag that is given once for each edit. The flags of urfave/cli
// that take several values split them at commas, which a text may have.
type edits []edit

func (e *edits) Set(text string) error {
	path, value, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return fmt.Errorf("expected a path and a value, as in contact.phone=+12025550143, got %q", text)
	}
	if strings.ContainsAny(path, "*?#|@!(){}[]") { // a pattern or a query to sjson
		return fmt.Errorf("expected a path of keys and places in arrays, as in messages.0.text, got %q", path)
	}
	*e = append(*e, edit{path, value})
	return nil
}

func (*edits) String() string { return "" }

// apply returns a body with the edits: the body itself if there are none.
func (e edits) apply(body []byte, contentType string) ([]byte, error) {
	if len(e) == 0 {
		return body, nil
	}
	document, err := payload.ParseBody(string(body), contentType)
	defer document.Release()
	if err != nil {
		return nil, fmt.Errorf("setting values: %w", err)
	}
	if document.Kind() != payload.Object && document.Kind() != payload.Array {
		return nil, fmt.Errorf("setting values: expected a body that is a JSON object, got %s", document.Kind())
	}
	// The edits are made in the text, since an object that is read and written anew has
	// another order of keys, and its numbers may have another text.
	text := document.Text()
	for _, edit := range e {
		if gjson.Get(text, edit.path).Type != gjson.String && gjson.Valid(edit.value) {
			text, err = sjson.SetRaw(text, edit.path, edit.value)
		} else {
			text, err = sjson.Set(text, edit.path, edit.value)
		}
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", edit.path, err)
		}
	}
	return []byte(text), nil
}
