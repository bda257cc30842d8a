package whatsapp

import (
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// native data structures

// call is what happened to a call: it was set up, or it ended.
type call struct {
	ID                    payload.Value `json:"id"`
	From                  payload.Value `json:"from"`
	FromUserID            payload.Value `json:"from_user_id"`
	To                    payload.Value `json:"to"`
	ToUserID              payload.Value `json:"to_user_id"`
	Event                 payload.Value `json:"event"`      // connect or terminate
	Direction             payload.Value `json:"direction"`  // USER_INITIATED or BUSINESS_INITIATED
	Status                payload.Value `json:"status"`     // COMPLETED or FAILED
	Timestamp             payload.Value `json:"timestamp"`  // seconds since 1970, as the other times
	StartTime             payload.Value `json:"start_time"` // these three are sent only if the call was answered
	EndTime               payload.Value `json:"end_time"`
	Duration              payload.Value `json:"duration"` // seconds
	BizOpaqueCallbackData payload.Value `json:"biz_opaque_callback_data"`
}

// native data structure conversion

// callTypes has the types of events by what happened to a call. That a call of ours was
// rejected is not among them, because the call ends too.
var callTypes = map[string]string{
	"connect":   event.CallStarted,
	"RINGING":   event.CallRinging,
	"ACCEPTED":  event.CallAnswered,
	"terminate": event.CallCompleted,
}

var directions = map[string]event.Direction{"USER_INITIATED": event.Inbound, "BUSINESS_INITIATED": event.Outbound}

// called converts what happened to a call. What the contact does about a call of ours is told
// by statuses.
func called(in *vendors.Input) vendors.Draft {
	n := notificationOf(in)
	switch {
	case n.part.Kind() == payload.Missing:
		return n.other()
	case n.kind.array == "statuses":
		return n.callStatus()
	}
	r, c := n.read, payload.Bind[call](n.part)
	direction := vendors.Word(r, "direction", c.Direction, directions)
	var number, id, ours payload.Value
	switch direction {
	case event.Inbound:
		number, id, ours = c.From, c.FromUserID, c.To
	case event.Outbound:
		number, id, ours = c.To, c.ToUserID, c.From
	}
	draft := n.call(c.ID, c.Event, c.Timestamp, n.contact(number, id))
	draft.Data.Direction = direction
	draft.Data.Reference = r.Text("reference", c.BizOpaqueCallbackData)
	about := draft.Data.Call
	about.OurNumber = r.Phone("call.our_number", ours, n.number)
	about.DurationSeconds = r.Number("call.duration_seconds", c.Duration)
	about.Disposition = r.Text("call.disposition", c.Status)
	switch draft.Type {
	case event.CallStarted:
		about.StartedAt = r.EpochSeconds("call.started_at", c.Timestamp)
	case event.CallCompleted:
		about.StartedAt = r.EpochSeconds("call.started_at", c.StartTime)
		about.EndedAt = r.EpochSeconds("call.ended_at", c.EndTime, c.Timestamp)
		about.Answered, about.Outcome = outcomeOf(r, &c, direction)
	}
	return draft
}

// outcomeOf reads how a call has ended. The status does not tell: a call that was answered may
// have failed later. But only a call that was answered has a start and a duration.
func outcomeOf(r *vendors.Reader, c *call, direction event.Direction) (event.Bool, event.Outcome) {
	r.Note("call.answered", c.StartTime, c.Duration)
	r.Note("call.outcome", c.StartTime, c.Duration, c.Direction)
	if !c.StartTime.Absent() || !c.Duration.Absent() {
		return event.True, event.Answered
	}
	return event.False, direction.NotAnswered()
}

func (n *notification) callStatus() vendors.Draft {
	r, s := n.read, payload.Bind[status](n.part)
	r.Note("type", s.Type)
	draft := n.call(s.ID, s.Status, s.Timestamp, n.contact(s.RecipientID, s.RecipientUserID))
	draft.Data.Direction = event.Outbound
	draft.Data.Reference = r.Text("reference", s.BizOpaqueCallbackData)
	draft.Data.Call.OurNumber = r.Phone("call.our_number", n.number)
	switch draft.Type {
	case event.CallAnswered:
		r.Note("call.answered", s.Status)
		draft.Data.Call.AnsweredAt = r.EpochSeconds("call.answered_at", s.Timestamp)
		draft.Data.Call.Answered = event.True
	case "":
		draft.Data.Call.Disposition = r.Text("call.disposition", s.Status)
	}
	return draft
}

// call converts what call events have in common.
func (n *notification) call(id, happened, at payload.Value, who event.Contact) vendors.Draft {
	r := n.read
	callID := r.Text("call.id", id)
	return vendors.Draft{
		Type:    callTypes[r.Text("type", happened)],
		ID:      vendors.Natural(id, happened),
		Subject: vendors.Subject{Kind: "call", ID: callID},
		Time:    r.EpochSeconds("time", at),
		Person:  vendors.Ladder{who.Phone, who.ID},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelWhatsApp,
			Contact: who,
			Account: n.account,
			Call:    &event.Call{ID: callID},
		},
	}
}
