package vendors

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
)

// example is a vendor that reads values in every way.
func example() *Vendor {
	type webhook struct {
		ID    payload.Value `json:"id"`
		Older payload.Value `json:"older"`
		At    payload.Value `json:"at"`
		From  payload.Value `json:"from"`
		Inner payload.Value `json:"inner"`
		Tags  payload.Value `json:"tags"`
		Open  payload.Value `json:"open"`
		Steps payload.Value `json:"steps"`
	}
	convert := func(in *Input) Draft {
		w, r := payload.Bind[webhook](in.Payload), in.Read()
		inner := Object[webhook](r, "message", w.Inner)
		at := r.Time("message.sent_at", w.At)
		phone, asSent := r.ContactPhone(w.From)
		for _, step := range r.Objects("attribution.milestones", w.Steps) {
			r.Text("attribution.milestones.source", step.Get("source"))
		}
		eventType := event.MessageSent
		if w.ID.Absent() {
			eventType = ""
		}
		return Draft{
			Type:    eventType,
			ID:      Natural(w.ID),
			Subject: Subject{Kind: "message", ID: r.Text("message.id", w.ID, w.Older)},
			Time:    at,
			Person:  Ladder{phone},
			Read:    r,
			Data: event.Data{
				Contact: event.Contact{Phone: phone, PhoneAsSent: asSent, Custom: r.Pairs("contact.custom", w.Open)},
				Message: event.Message{Text: r.Text("message.text", inner.ID), SentAt: at},
				Call:    &event.Call{Tags: r.Texts("call.tags", w.Tags)},
			},
		}
	}
	return &Vendor{
		Name:         "example",
		source:       "/example",
		Numbering:    event.NorthAmerican,
		RedactedKeys: []string{"secret"},
		Named:        func(r *Reader, p payload.Value) string { return r.Text("vendorevent", p.Get("what"), p.Get("topic")) },
		Events: []NativeEvent{{
			Name: "sent", Types: []string{event.MessageSent, "example.sent"}, Convert: convert,
			RawOnly: []RawOnly{{"only here", []string{"twin"}}},
		}},
		RawOnly: []RawOnly{{"everywhere", []string{"inner.twin", "list[].twin"}}},
		Other:   func(in *Input) Draft { return Draft{ID: Content(), Read: in.Read()} },
	}
}

func TestExplain(t *testing.T) {
	explanation, err := example().Explain(&delivery.Delivery{Body: []byte(`{
		"what":"sent","topic":"sent","secret":"s","id":"5","older":"5","at":"2026-03-02T14:11:55Z","from":"(614) 555-0117",
		"inner":{"id":"x","twin":{"a":[1]},"other":1},"tags":["a","b"],"open":{"k":{"deep":1},"l":2},
		"steps":{"first":{"source":"s"},"last":{"source":"t","medium":"m"}},"list":[{"twin":1},{"twin":2}],"twin":1,"twins":2,"new":[]}`)})
	require.NoError(t, err)
	require.Equal(t, &Explanation{
		VendorEvents: []string{"sent"},
		Types:        []string{event.MessageSent},
		Keys: []WireKey{
			{Name: "what", Fields: []string{"vendorevent"}},
			{Name: "topic", Fields: []string{"vendorevent"}},
			{Name: "id", Fields: []string{"message.id", "id", "subject"}},
			{Name: "older", Fields: []string{"message.id"}},
			{Name: "at", Fields: []string{"message.sent_at", "time"}},
			{Name: "from", Fields: []string{"contact.phone", "contact.phone_as_sent", "partitionkey"}},
			{Name: "inner.id", Fields: []string{"message.text"}},
			{Name: "inner.twin.a[]", Reason: "everywhere"},
			{Name: "inner.other"},
			{Name: "tags[]", Fields: []string{"call.tags"}},
			{Name: "open.*.deep", Fields: []string{"contact.custom"}},
			{Name: "open.*", Fields: []string{"contact.custom"}},
			{Name: "steps.*.source", Fields: []string{"attribution.milestones.source"}},
			{Name: "steps.*.medium"},
			{Name: "list[].twin", Reason: "everywhere"},
			{Name: "twin", Reason: "only here"},
			{Name: "twins"},
			{Name: "new", Empty: true},
		},
	}, explanation)
}

func TestExplainWhatIsNotThere(t *testing.T) {
	explanation, err := example().Explain(&delivery.Delivery{Body: []byte(`{"what":"sent","id":null,"inner":"","tags":[],"open":{},"steps":[{"a":1}],"new":1}`)})
	require.NoError(t, err)
	require.Equal(t, []WireKey{
		{Name: "what", Fields: []string{"vendorevent"}},
		{Name: "id", Fields: []string{"message.id", "id"}, Empty: true},
		{Name: "inner", Fields: []string{"message"}, Empty: true},
		{Name: "tags", Fields: []string{"call.tags"}, Empty: true},
		{Name: "open", Fields: []string{"contact.custom"}, Empty: true},
		{Name: "steps[].a", Fields: []string{"attribution.milestones"}},
		{Name: "new", Reason: ScopedType},
	}, explanation.Keys)
}

func TestExplainAnotherEvent(t *testing.T) {
	explanation, err := example().Explain(&delivery.Delivery{Body: []byte(`{"what":"opened","id":1,"twin":2,"inner":{"twin":3}}`)})
	require.NoError(t, err)
	require.False(t, explanation.Unrecognized)
	require.Equal(t, []WireKey{
		{Name: "what", Fields: []string{"vendorevent"}},
		{Name: "id", Reason: OtherEvent},
		{Name: "twin", Reason: OtherEvent},
		{Name: "inner.twin", Reason: "everywhere"},
	}, explanation.Keys)

	explanation, err = example().Explain(&delivery.Delivery{Event: "sent", Body: []byte(`{"test":1}`)})
	require.NoError(t, err)
	require.True(t, explanation.Unrecognized)
	require.Equal(t, []WireKey{{Name: "test", Reason: OtherEvent}}, explanation.Keys)

	for _, body := range []string{`[1]`, `{`, ``} {
		_, err = example().Explain(&delivery.Delivery{Body: []byte(body)})
		require.ErrorAs(t, err, new(*Undecodable))
	}
	explanation, err = example().Explain(&delivery.Delivery{Body: []byte(`{}`)})
	require.NoError(t, err)
	require.Empty(t, explanation.Keys)
}
