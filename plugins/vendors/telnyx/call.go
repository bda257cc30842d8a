package telnyx

import (
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// A call is a leg; the legs of a transferred call share a session. All native events of a call
// have the ids of the leg and the session, but only call.initiated says the direction. So no
// other native event tells which of the two numbers is the contact's, and the session is what
// keeps the events of a call in one partition.

// native data structures

type call struct {
	LegID               payload.Value `json:"call_leg_id"`
	SessionID           payload.Value `json:"call_session_id"`
	Direction           payload.Value `json:"direction"` // incoming or outgoing
	From                payload.Value `json:"from"`      // a phone number or a SIP URI
	To                  payload.Value `json:"to"`
	CallerIDName        payload.Value `json:"caller_id_name"`
	ClientState         payload.Value `json:"client_state"` // in Base64
	StartTime           payload.Value `json:"start_time"`
	EndTime             payload.Value `json:"end_time"`
	HangupCause         payload.Value `json:"hangup_cause"`
	RecordingURLs       payload.Value `json:"recording_urls"`        // these expire after minutes
	PublicRecordingURLs payload.Value `json:"public_recording_urls"` // these stay, for customers who have asked for them
	TranscriptionText   payload.Value `json:"transcription_text"`
}

type recordings struct {
	MP3 payload.Value `json:"mp3"`
	WAV payload.Value `json:"wav"`
}

// native data structure conversion

var directions = map[string]event.Direction{"incoming": event.Inbound, "outgoing": event.Outbound}

func callInitiated(in *vendors.Input) vendors.Draft {
	draft, c, _ := convertCall(in, event.CallStarted)
	r, d := draft.Read, &draft.Data
	d.Call.StartedAt = r.Time("call.started_at", c.StartTime)
	name := callerName(r, &c)
	d.Direction = vendors.Word(r, "direction", c.Direction, directions)
	switch d.Direction {
	case event.Inbound:
		d.Contact.Phone, d.Contact.PhoneAsSent = r.ContactPhone(c.From)
		d.Contact.Name = name
		d.Call.OurNumber = r.Phone("call.our_number", c.To)
	case event.Outbound:
		d.Contact.Phone, d.Contact.PhoneAsSent = r.ContactPhone(c.To)
		d.Call.OurNumber = r.Phone("call.our_number", c.From)
	}
	return draft
}

// callerName reads the name of a caller. Where the network knows no name it sends the number again,
// with or without the code of the country, or that the number is withheld.
func callerName(r *vendors.Reader, c *call) string {
	name := r.Text("contact.name", c.CallerIDName)
	number, _ := c.From.Scalar()
	digits := strings.TrimPrefix(name, "+")
	if strings.EqualFold(name, number) || strings.Trim(digits, "0123456789") == "" && strings.HasSuffix(number, digits) {
		return ""
	}
	return name
}

func callAnswered(in *vendors.Input) vendors.Draft {
	draft, c, o := convertCall(in, event.CallAnswered)
	r, d := draft.Read, &draft.Data
	d.Call.StartedAt = r.Time("call.started_at", c.StartTime)
	d.Call.AnsweredAt = r.Time("call.answered_at", o.OccurredAt)
	d.Call.Answered = event.True
	return draft
}

func callHangup(in *vendors.Input) vendors.Draft {
	draft, c, o := convertCall(in, event.CallCompleted)
	r, d := draft.Read, &draft.Data
	d.Call.StartedAt = r.Time("call.started_at", c.StartTime)
	d.Call.EndedAt = r.Time("call.ended_at", c.EndTime, o.OccurredAt)
	d.Call.Disposition = r.Text("call.disposition", c.HangupCause)
	d.Call.Answered, d.Call.Outcome = outcome(r, c.HangupCause)
	return draft
}

// outcome reads whether a call was answered, where the cause of its end tells. A call that was
// not answered has no outcome, because the word for it is another one for an inbound call than
// for an outbound one.
func outcome(r *vendors.Reader, cause payload.Value) (event.Bool, event.Outcome) {
	r.Note("call.answered", cause)
	r.Note("call.outcome", cause)
	switch word, _ := cause.Scalar(); word {
	case "time_limit": // the time runs from the answer on
		return event.True, event.Answered
	case "call_rejected", "no_answer", "not_found", "originator_cancel", "timeout", "user_busy":
		return event.False, ""
	}
	return 0, "" // normal_clearing is the end of a call that was answered, or that an application has ended before
}

func callRecordingSaved(in *vendors.Input) vendors.Draft {
	draft, c, _ := convertCall(in, event.CallUpdated)
	r, d := draft.Read, &draft.Data
	stay := vendors.Object[recordings](r, "call.recording_url", c.PublicRecordingURLs)
	expire := vendors.Object[recordings](r, "call.recording_url", c.RecordingURLs)
	if d.Call.RecordingURL = r.Text("call.recording_url", stay.MP3, stay.WAV, expire.MP3, expire.WAV); d.Call.RecordingURL != "" {
		d.Changes = []string{"recording_url"}
	}
	return draft
}

func callTranscriptionSaved(in *vendors.Input) vendors.Draft {
	draft, c, _ := convertCall(in, event.CallUpdated)
	d := &draft.Data
	if d.Call.Transcription = draft.Read.Text("call.transcription", c.TranscriptionText); d.Call.Transcription != "" {
		d.Changes = []string{"transcription"}
	}
	return draft
}

// convertCall converts what all native events of a call have in common.
func convertCall(in *vendors.Input, eventType string) (vendors.Draft, call, occurrence) {
	r, o := read(in)
	c := vendors.Object[call](r, "call", o.Payload)
	legID, sessionID := r.Text("call.id", c.LegID), r.Text("call.session_id", c.SessionID)
	return vendors.Draft{
		Type:    eventType,
		ID:      vendors.Natural(o.ID),
		Subject: vendors.Subject{Kind: "call", ID: legID},
		Time:    r.Time("time", o.OccurredAt),
		Person:  vendors.Ladder{sessionID},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelPhone,
			Call:      &event.Call{ID: legID, SessionID: sessionID},
			Reference: r.Text("reference", c.ClientState),
		},
	}, c, o
}
