package vendors

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// inPieces is a vendor that puts several native events into a delivery: as elements of an
// array, or as texts in an object, each of which is made a document. The slice has the
// documents that were made.
func inPieces() (v *Vendor, made *[]payload.Value) {
	made = &[]payload.Value{}
	type webhook struct {
		ID payload.Value `json:"id"`
		At payload.Value `json:"at"`
		N  payload.Value `json:"n"`
	}
	draft := func(in *Input, w webhook) Draft {
		r := in.Read()
		return Draft{
			Type: event.MessageSent, ID: Natural(w.ID), Subject: Subject{Kind: "message", ID: r.Text("message.id", w.ID)}, Read: r,
			Data: event.Data{Message: event.Message{SentAt: r.Time("message.sent_at", w.At)}},
		}
	}
	return &Vendor{
		Name:   "example",
		source: "/example",
		Pieces: func(document payload.Value) iter.Seq[payload.Value] {
			switch texts := document.Get("texts"); {
			case document.Kind() == payload.Array:
				return document.Elements()
			case texts.Kind() == payload.Array:
				return func(yield func(payload.Value) bool) {
					for element := range texts.Elements() {
						text, _ := element.Scalar()
						piece, err := payload.Parse(text)
						if err != nil {
							panic(err)
						}
						*made = append(*made, piece)
						if !yield(piece) {
							return
						}
					}
				}
			}
			return slices.Values([]payload.Value{document})
		},
		Named: func(r *Reader, p payload.Value) string { return r.Text("vendorevent", p.Get("what")) },
		Events: []NativeEvent{
			{Name: "sent", Types: []string{event.MessageSent}, Convert: func(in *Input) Draft { return draft(in, payload.Bind[webhook](in.Payload)) }, RawOnly: []RawOnly{{"of what was sent", []string{"twin"}}}},
			{Name: "several", Types: []string{event.MessageSent}, Split: func(in *Input, emit func(Draft) error) error {
				w := payload.Bind[webhook](in.Payload)
				for element := range w.N.Elements() {
					d := draft(in, w)
					d.ID = Natural(element)
					d.Raw = `{"what":"several","n":[` + element.Text() + `]}`
					if err := emit(d); err != nil {
						return err
					}
				}
				return nil
			}, RawOnly: []RawOnly{{"of several", []string{"other"}}}},
		},
		RawOnly: []RawOnly{{"of all", []string{"all"}}},
		Other:   func(in *Input) Draft { return Draft{ID: Content(), Read: in.Read()} },
	}, made
}

// decodeAll decodes a delivery as the processors do.
func decodeAll(v *Vendor, d *delivery.Delivery, maxEvents int) (events []event.Event, err error) {
	document, err := v.Payload(d)
	defer document.Release()
	if err != nil {
		return nil, err
	}
	err = v.Decode(d, document, maxEvents, func(e event.Event) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

func reasonOf(t *testing.T, err error) delivery.Reason {
	t.Helper()
	var u *Undecodable
	require.ErrorAs(t, err, &u)
	return u.Reason
}

func TestPieces(t *testing.T) {
	const first, second, third = `{"what":"sent","id":1,"at":"yesterday"}`, `{"what":"sent","id":"2","at":"2026-03-02T14:11:55Z"}`, `{"what":"opened","id":1}`
	v, made := inPieces()
	for name, body := range map[string]string{
		"an array": ` [ ` + first + `, ` + second + ` ,` + third + `,` + first + ` ] `,
		"texts":    `{"texts":[` + quote(first) + `,` + quote(second) + `,` + quote(third) + `,` + quote(first) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			events, err := decodeAll(v, &delivery.Delivery{ID: "d-1", Account: "north", Body: []byte(body)}, 4)
			require.NoError(t, err)
			require.Len(t, events, 4)
			for i, want := range []struct {
				raw, native, eventType, subject string
				issues                          []event.Issue
			}{
				{first, "sent", event.MessageSent, "message/1", []event.Issue{{Field: "message.sent_at", Reason: event.NotATime}}},
				{second, "sent", event.MessageSent, "message/2", nil},
				{third, "opened", "example.opened", "", []event.Issue{{Field: "vendorevent", Reason: event.UnknownEvent}}},
				{first, "sent", event.MessageSent, "message/1", []event.Issue{{Field: "message.sent_at", Reason: event.NotATime}}},
			} {
				e := events[i]
				require.Equal(t, want.raw, string(e.Data.Raw))
				require.Equal(t, want.native, e.VendorEvent)
				require.Equal(t, want.eventType, e.Type)
				require.Equal(t, want.subject, e.Subject)
				require.Equal(t, want.issues, e.Data.Issues)
				require.Equal(t, event.BasisPayload, e.EventBasis)
				require.Equal(t, "d-1", e.DeliveryID)

				again, err := decodeAll(v, &delivery.Delivery{ID: "d-1", Account: "north", Event: e.VendorEvent, Body: []byte(e.Data.Raw)}, 1)
				require.NoError(t, err)
				require.Equal(t, []event.Event{e}, again, "the raw decodes to the same event")
			}
			require.Equal(t, events[0].ID, events[3].ID)
			require.NotEqual(t, events[0].ID, events[1].ID)
			require.NotEqual(t, events[0].ID, events[2].ID, "an id is of the native event")
		})
	}
	require.Len(t, *made, 4)
}

func quote(text string) string { return string(payload.AppendString(nil, text)) }

func TestPiecesThatAreNone(t *testing.T) {
	v, _ := inPieces()
	for body, contains := range map[string]string{
		`[]`:                       "expected at least one JSON object in the array, it is empty",
		`[1]`:                      "expected JSON objects in an array, got a number",
		`[{"what":"sent"},null]`:   "expected JSON objects in an array, got null",
		`[[{"what":"sent"}]]`:      "expected JSON objects in an array, got an array",
		`{"texts":["{}","[{}]"]}`:  "expected JSON objects in an array, got an array",
		`"what"`:                   "expected a JSON object, got a string",
		`[{"what":"sent"}`:         "expected ',' or ']'",
		`[{"what":"sent"}] [{}]`:   "expected nothing after the value",
		`[{"what":"sent"},{"a":1]`: "expected ',' or '}'",
	} {
		_, err := decodeAll(v, &delivery.Delivery{Body: []byte(body)}, 10)
		require.Equal(t, delivery.Malformed, reasonOf(t, err), body)
		require.ErrorContains(t, err, contains, body)
	}
	_, err := decodeAll(example(), &delivery.Delivery{Body: []byte(`[{"what":"sent"}]`)}, 10)
	require.ErrorContains(t, err, "expected a JSON object, got an array", "a vendor without pieces")

	for _, body := range []string{`{}`, `{"texts":[]}`, `[{}]`, `{"texts":["{}"]}`} {
		events, err := decodeAll(v, &delivery.Delivery{Body: []byte(body)}, 1)
		require.NoError(t, err)
		require.Len(t, events, 1, "an object gives at least one event: %s", body)
		require.Equal(t, "example.unrecognized", events[0].Type)
	}
}

// The declared native event holds for each piece that names none; a contradiction is of the
// piece that has it.
func TestPiecesAndTheRoute(t *testing.T) {
	v, _ := inPieces()
	events, err := decodeAll(v, &delivery.Delivery{Event: "sent", Body: []byte(`[{"id":1},{"what":"sent","id":2},{"what":"several","n":[3]},{"test":"yes"},{"id":4}]`)}, 5)
	require.NoError(t, err)
	contradiction := []event.Issue{{Field: "vendorevent", Reason: event.Contradiction}}
	for i, want := range []struct {
		native, eventType string
		basis             event.Basis
		issues            []event.Issue
	}{
		{"sent", event.MessageSent, event.BasisDeclared, nil},
		{"sent", event.MessageSent, event.BasisPayload, nil},
		{"several", event.MessageSent, event.BasisPayload, contradiction},
		{"sent", "example.unrecognized", event.BasisDeclared, contradiction},
		{"sent", event.MessageSent, event.BasisDeclared, nil},
	} {
		e := events[i]
		require.Equal(t, want.native, e.VendorEvent, i)
		require.Equal(t, want.eventType, e.Type, i)
		require.Equal(t, want.basis, e.EventBasis, i)
		require.Equal(t, want.issues, e.Data.Issues, i)
	}
}

func TestPiecesHaveABound(t *testing.T) {
	v, _ := inPieces()
	for body, events := range map[string]int{
		`[{"what":"sent"},{"what":"opened"},{"what":"sent"}]`:           3,
		`{"texts":["{}","{}","{}"]}`:                                    3,
		`[{"what":"several","n":[1,2]},{"what":"several","n":[3,4,5]}]`: 5,
		`[{"what":"several","n":[1,2]},{"what":"sent"}]`:                3,
		`{"what":"several","n":[1,2,3]}`:                                3,
	} {
		got, err := decodeAll(v, &delivery.Delivery{Body: []byte(body)}, events)
		require.NoError(t, err, body)
		require.Len(t, got, events, body)
		got, err = decodeAll(v, &delivery.Delivery{Body: []byte(body)}, events-1)
		require.Equal(t, delivery.TooManyEvents, reasonOf(t, err), body)
		require.Len(t, got, events-1, body)
	}
}

func TestPiecesEndWithEmit(t *testing.T) {
	errRefused := errors.New("refused")
	v, made := inPieces()
	for _, body := range []string{`[{"what":"sent"},{"what":"several","n":[1,2]},{}]`, `{"texts":["{\"what\":\"sent\"}","{\"what\":\"several\",\"n\":[1,2]}","{}"]}`} {
		for refused := range 4 {
			*made = nil
			d := &delivery.Delivery{Body: []byte(body)}
			document, err := v.Payload(d)
			require.NoError(t, err)
			emitted := 0
			err = v.Decode(d, document, 10, func(event.Event) error {
				if emitted++; emitted > refused {
					return errRefused
				}
				return nil
			})
			require.ErrorIs(t, err, errRefused)
			require.Equal(t, refused+1, emitted)
			document.Release()
			requireReleasedOnce(t, *made)
		}
	}
}

// A document goes back to the pool once: of two documents that are parsed later none has the
// memory of the other.
func TestPiecesAreReleasedOnce(t *testing.T) {
	v, made := inPieces()
	for _, body := range []string{
		`[{"what":"sent"},{"what":"sent"}]`, `[{"what":"sent"},1]`, `{}`, `{"texts":["{}"]}`,
		`{"texts":["{}","{\"what\":\"sent\"}"]}`, `{"texts":["1"]}`, `{"texts":["{}","[]"]}`,
	} {
		*made = nil
		_, err := decodeAll(v, &delivery.Delivery{Body: []byte(body)}, 10)
		if err != nil {
			require.Equal(t, delivery.Malformed, reasonOf(t, err))
		}
		requireReleasedOnce(t, *made)
	}
}

func requireReleasedOnce(t *testing.T, made []payload.Value) {
	t.Helper()
	if len(made) > 0 {
		require.Panics(t, func() { _ = made[len(made)-1].Text() }, "a piece that is a document of its own was not released")
	}
	var later []payload.Value
	for range 20 {
		v := parse(t, `{}`)
		for _, other := range later {
			require.False(t, v.Within(other), "a document was released twice")
		}
		later = append(later, v)
	}
}

// What was mended in one piece is no issue of the others, unless it is a repeated key: nobody
// knows any more where that stood.
func TestMendedPieces(t *testing.T) {
	v, _ := inPieces()
	for body, mended := range map[string][]bool{
		`[{"a":"x"},{"a":"y"}]`:                         {false, false},
		`[{"a":"x"},{"a":"\ud83d"},{"a":"y"}]`:          {false, true, false},
		`[{"a":"x"},{"\u0000":1},{"a":"y"}]`:            {false, true, false},
		`[{"a":"` + "\ufffd" + `"},{"a":"y"}]`:          {false, false},
		`[{"a":"x"},{"a":1,"a":2}]`:                     {true, true},
		`{"texts":["{\"a\":1}","{\"a\":1,\"a\":2}"]}`:   {false, true}, // each text is a document
		`{"texts":["{\"a\":1}","{\"a\":\"\uffff\"}"]}`:  {false, true},
		`{"texts":["{\"a\":1}","{\"a\":\"\\ud83d\"}"]}`: {false, true},
		`{"a":"x","b":"\u0000"}`:                        {true},
	} {
		events, err := decodeAll(v, &delivery.Delivery{Body: []byte(body)}, 10)
		require.NoError(t, err, body)
		var got []bool
		for _, e := range events {
			got = append(got, slices.Contains(e.Data.Issues, event.Issue{Field: "raw", Reason: event.NotInteroperable}))
		}
		require.Equal(t, mended, got, body)
	}
}

// The keys are those of the pieces, each with the reason of its own native event.
func TestExplainPieces(t *testing.T) {
	v, _ := inPieces()
	const pieces = `{"what":"sent","id":1,"twin":1,"other":1,"all":1},{"what":"several","n":[1,2],"twin":2,"other":2,"late":{"k":[3]}},{"what":"opened","id":4,"n":5,"all":2,"fresh":1}`
	for _, body := range []string{"[" + pieces + "]", `{"texts":[` + quote(`{"what":"sent","id":1,"twin":1,"other":1,"all":1}`) + `,` + quote(`{"what":"several","n":[1,2],"twin":2,"other":2,"late":{"k":[3]}}`) + `,` + quote(`{"what":"opened","id":4,"n":5,"all":2,"fresh":1}`) + `]}`} {
		explanation, err := v.Explain(&delivery.Delivery{Body: []byte(body)})
		require.NoError(t, err)
		require.Equal(t, &Explanation{
			VendorEvents: []string{"sent", "several", "opened"},
			Types:        []string{event.MessageSent, "example.opened"},
			Issues:       []event.Issue{{Field: "vendorevent", Reason: event.UnknownEvent}},
			Keys: []WireKey{
				{Name: "what", Fields: []string{"vendorevent"}},
				{Name: "id", Fields: []string{"message.id", "id", "subject"}},
				{Name: "twin", Reason: "of what was sent"},
				{Name: "other", Reason: "of several"},
				{Name: "all", Reason: "of all"},
				{Name: "n[]", Fields: []string{"id"}},
				{Name: "late.k[]"},
				{Name: "n", Reason: OtherEvent},
				{Name: "fresh", Reason: OtherEvent},
			},
		}, explanation, body)
	}
	for _, body := range []string{`[]`, `[1]`, `[{},1]`} {
		_, err := v.Explain(&delivery.Delivery{Body: []byte(body)})
		require.ErrorAs(t, err, new(*Undecodable))
	}
	explanation, err := v.Explain(&delivery.Delivery{Event: "sent", Body: []byte(`[{"id":1},{"test":1}]`)})
	require.NoError(t, err)
	require.True(t, explanation.Unrecognized)
	require.Equal(t, []WireKey{{Name: "id", Fields: []string{"message.id", "id", "subject"}}, {Name: "test", Reason: OtherEvent}}, explanation.Keys)
}
