// Package promises checks what is promised of the events of every vendor, whatever a
// payload holds. It imports no engine and no other large package, because fuzzing becomes
// slower with every package that the fuzzed binary has.
package promises

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// MaxEvents is how many events a delivery may give, as by default.
const MaxEvents = 20_000

// Check decodes a delivery whose payload is the document. It returns an error that names a
// promise that the events do not keep.
func Check(v *vendors.Vendor, d *delivery.Delivery, document payload.Value) error {
	events, err := decode(v, d, document)
	if u, ok := errors.AsType[*vendors.Undecodable](err); ok {
		tooMany := u.Reason == delivery.TooManyEvents && strings.Count(document.Text(), ",") > MaxEvents/2
		if tooMany || u.Reason == delivery.Malformed && !isObjects(document) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return errors.New("expected an event")
	}
	if err := checkDocument(v, d, document); err != nil {
		return err
	}
	raws, all := 0, 0
	var text []byte
	for _, e := range events {
		text = e.AppendJSON(text[:0])
		raws, all = raws+len(e.Data.Raw), all+len(text)
		err := checkEvent(v, e, text)
		if err == nil {
			err = CheckAgain(v, e)
		}
		if err != nil {
			return fmt.Errorf("%w\nevent: %.8000s", err, text)
		}
	}
	sent := len(document.Text())
	if most := 8*sent + 2<<10*len(events); raws > most {
		return fmt.Errorf("expected raws of at most %d bytes together, got %d", most, raws)
	}
	if most := 16*sent + 4<<10*len(events); all > most {
		return fmt.Errorf("expected events of at most %d bytes together, got %d", most, all)
	}
	return checkNothingLost(document, events)
}

// isObjects reports whether a payload is an object, or an array of objects that is not empty.
func isObjects(document payload.Value) bool {
	if document.Kind() != payload.Array {
		return document.Kind() == payload.Object
	}
	for element := range document.Elements() {
		if element.Kind() != payload.Object {
			return false
		}
	}
	return document.Len() > 0
}

func decode(v *vendors.Vendor, d *delivery.Delivery, document payload.Value) (events []*event.Event, err error) {
	err = v.Decode(d, document, MaxEvents, func(e event.Event) error {
		events = append(events, &e)
		return nil
	})
	return events, err
}

// checkEvent expects the JSON of an event to be I-JSON, and to have the fields that an
// event of its type may have.
func checkEvent(v *vendors.Vendor, e *event.Event, text []byte) error {
	fields, ok := fieldsOf[e.Schema()]
	if !ok {
		return fmt.Errorf("expected a schema of the catalogue, got %s", e.Schema())
	}
	r := newReader(text)
	if err := r.object(fields); err != nil {
		return err
	}
	if err := r.end(); err != nil {
		return err
	}
	if e.Schema() == event.VendorScoped && !strings.HasPrefix(e.Type, v.Name+".") {
		return fmt.Errorf("expected a type of the vendor, got %s", e.Type)
	}
	if !isID(e.ID) {
		return fmt.Errorf("expected an id of 32 hex digits, got %s", e.ID)
	}
	if !strings.HasPrefix(e.PartitionKey, v.Name+"/") {
		return fmt.Errorf("expected a partition key of the vendor, got %s", e.PartitionKey)
	}
	for _, attribute := range []string{e.Subject, e.VendorEvent, e.PartitionKey, e.Type} {
		if len(attribute) > 400 || strings.ContainsFunc(attribute, unicode.IsControl) {
			return fmt.Errorf("expected an attribute of at most 400 bytes without control characters, got %q", attribute)
		}
	}
	for _, issue := range e.Data.Issues {
		if !isField(issue.Field) {
			return fmt.Errorf("expected an issue of a field, got %s", issue.Field)
		}
	}
	return nil
}

// fieldsOf has the fields of an event by the name of its schema.
var fieldsOf = func() map[string][]event.Field {
	all := map[string][]event.Field{}
	for _, schema := range event.Schemas() {
		fields := slices.Clone(event.Fields())
		data := &fields[len(fields)-1]
		data.Fields = slices.DeleteFunc(slices.Clone(data.Fields), func(f event.Field) bool {
			return !slices.Contains(schema.Members, f.Name)
		})
		all[schema.Name] = fields
	}
	return all
}()

func isID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// isField reports whether there is an attribute of that name, or a field of data at that
// path that is read from a payload.
func isField(path string) bool {
	if _, ok := event.Lookup(path); ok {
		return !strings.HasPrefix(path, "issues")
	}
	return path != "data" && slices.ContainsFunc(event.Fields(), func(f event.Field) bool { return f.Name == path })
}

// CheckAgain expects the raw of an event to decode to the same event, with the account and
// the native event that the event names.
func CheckAgain(v *vendors.Vendor, e *event.Event) error {
	_, account, _ := strings.Cut(strings.TrimPrefix(e.Source, "/"), "/")
	d := &delivery.Delivery{Vendor: v.Name, Account: account, Event: e.VendorEvent, Body: []byte(e.Data.Raw)}
	document, err := v.Payload(d)
	if err != nil {
		return fmt.Errorf("decoding raw: %w", err)
	}
	defer document.Release()
	events, err := decode(v, d, document)
	if err != nil {
		return fmt.Errorf("decoding raw: %w", err)
	}
	if len(events) != 1 {
		return fmt.Errorf("decoding raw: expected one event, got %d", len(events))
	}
	if want, got := redecodable(e), redecodable(events[0]); got != want {
		return fmt.Errorf("decoding raw: expected the same event\nwant: %.8000s\ngot:  %.8000s", want, got)
	}
	return nil
}

// redecodable returns the JSON of an event without the parts that its raw cannot give again,
// because only the delivery has them: the stamps of the door, how the native event was
// known, and the issues that a route declared another native event than the payload names,
// and that the payload was mended.
func redecodable(e *event.Event) string {
	c := *e
	c.RecordedTime, c.DeliveryID, c.EventBasis = "", "", ""
	c.Data.Issues = slices.DeleteFunc(slices.Clone(e.Data.Issues), func(issue event.Issue) bool {
		contradiction := e.EventBasis == event.BasisPayload && issue == event.Issue{Field: "vendorevent", Reason: event.Contradiction}
		return contradiction || issue.Reason == event.NotInteroperable
	})
	return string(c.AppendJSON(nil))
}

// checkDocument expects a payload that was sent as JSON to be the body without whitespace. It
// expects the payload to be mended where the independent reader refuses the body, and only
// there. A payload without the redacted keys is not compared.
func checkDocument(v *vendors.Vendor, d *delivery.Delivery, document payload.Value) error {
	body := bytes.TrimLeft(bytes.TrimPrefix(d.Body, []byte("\ufeff")), " \t\r\n")
	if !bytes.HasPrefix(body, []byte("{")) || len(v.RedactedKeys) > 0 {
		return nil
	}
	refused := newReader(body).value()
	if (refused != nil) != document.Mended() {
		return fmt.Errorf("expected the body to be mended, as the reader says: %w, got %t", refused, document.Mended())
	}
	if refused != nil {
		return nil
	}
	compact := jsontext.Value(slices.Clone(body))
	if err := compact.Compact(); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if string(compact) != document.Text() {
		return fmt.Errorf("expected the payload to be the body without whitespace, got %s", document.Text())
	}
	return nil
}

// checkNothingLost expects every name and scalar of the payload to stand in the raw of an
// event, as often as it was sent. null and "" say nothing, so they may be missing. The raw of an
// only event is the payload, or the only element of an array.
func checkNothingLost(document payload.Value, events []*event.Event) error {
	if len(events) == 1 {
		only := document
		for element := range document.Elements() {
			only = element
		}
		if string(events[0].Data.Raw) != only.Text() {
			return fmt.Errorf("expected the raw of the only event to be the payload, got %s", events[0].Data.Raw)
		}
		return nil
	}
	kept := map[leaf]int{}
	count := func(text string, n int) error {
		r := newReader([]byte(text))
		r.leaf = func(isName bool, text []byte) { kept[leaf{isName, string(text)}] += n }
		return r.value()
	}
	for _, e := range events {
		if err := count(string(e.Data.Raw), 1); err != nil {
			return err
		}
	}
	if err := count(document.Text(), -1); err != nil {
		return err
	}
	for leaf, n := range kept {
		if n < 0 && leaf.text != "null" && leaf.text != `""` {
			return fmt.Errorf("expected %s in the raws %d times more", leaf.text, -n)
		}
	}
	return nil
}

// leaf is a name or a scalar.
type leaf struct {
	isName bool
	text   string
}
