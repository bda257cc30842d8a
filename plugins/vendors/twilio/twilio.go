// Package twilio decodes the webhooks of Twilio: texts and WhatsApp messages that come in,
// the states of messages that were sent, calls and their states, and recordings. Bodies are
// forms. No payload names its native event: the names here follow the words of Twilio's pages
// (incoming message, status callback). A route declares the native event, or the shape of the
// payload tells it.
//
// https://www.twilio.com/docs/messaging/guides/webhook-request
// https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
// https://www.twilio.com/docs/voice/twiml#twilios-request-to-your-application
// https://www.twilio.com/docs/voice/api/call-resource#statuscallback
// https://www.twilio.com/docs/voice/twiml/recording
package twilio

import (
	"cmp"
	"embed"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.form
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:  "twilio",
		Title: "Twilio",
		Page:  "https://www.twilio.com/docs/usage/webhooks",
		Setup: "Console > Phone Numbers, Messaging Services or WhatsApp senders: `/twilio` for messages that come in (our answer sends no reply) " +
			"and for all status callbacks, but not for calls that come in, which end where nothing tells Twilio what to do with them. The auth token is in Account Info.",
		Signing:   signing.URLHMAC{Header: "X-Twilio-Signature"},
		SecretEnv: "TWILIO_AUTH_TOKEN",
		// TwiML that tells nothing to do. Twilio counts an answer without a content type as a
		// failure of ours: https://www.twilio.com/docs/api/errors/11200
		Receipt: &vendors.Receipt{ContentType: "text/xml", Body: "<Response/>"},
		Samples: samples,
		Events: []vendors.NativeEvent{
			{Name: callStatus, Types: callStatusTypes, Convert: only(calls, callChanged), RawOnly: callStatusRawOnly},
			{Name: incomingCall, Types: []string{event.CallStarted, "twilio.incoming_call"}, Convert: only(calls, callReceived), RawOnly: incomingCallRawOnly},
			{Name: incomingMessage, Types: incomingMessageTypes, Split: messageReceived, RawOnly: incomingMessageRawOnly},
			{Name: messageStatus, Types: messageStatusTypes, Convert: only(messageStates, messageChanged), RawOnly: messageStatusRawOnly},
			{Name: recordingStatus, Types: []string{event.CallUpdated, "twilio.recording_status"}, Convert: only(recordings, recordingChanged), RawOnly: recordingRawOnly},
		},
		RawOnly: rawOnly,
		Shape:   shape,
		Other:   other,
	})
}

// The native events.
const (
	callStatus      = "call_status"
	incomingCall    = "incoming_call"
	incomingMessage = "incoming_message"
	messageStatus   = "message_status"
	recordingStatus = "recording_status"
)

var (
	callStatusTypes      = []string{event.CallCompleted, event.CallStarted, event.CallRinging, event.CallAnswered, "twilio.call_status"}
	incomingMessageTypes = []string{event.MessageReceived, event.ContactUnsubscribed, event.ContactSubscribed}
	messageStatusTypes   = []string{event.MessageDelivered, event.MessageQueued, event.MessageSent, event.MessageRead, event.MessageFailed, "twilio.message_status"}
)

// family is what a payload unmistakably is, whatever the route declares.
type family string

const (
	calls         family = "call"
	messages      family = "message"
	messageStates family = "state of a message"
	recordings    family = "recording"
)

func familyOf(p payload.Value) family {
	switch {
	case p.Has("MessageStatus"):
		return messageStates
	case p.Has("Body") && (p.Has("MessageSid") || p.Has("SmsSid")):
		return messages
	case p.Has("RecordingStatus"):
		return recordings
	case p.Has("CallStatus"):
		return calls
	}
	return ""
}

// only returns a conversion for payloads of one family, or of no family. A payload of another
// family becomes an unrecognized event.
func only(declared family, convert func(*vendors.Input) vendors.Draft) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		if isAnother(in.Payload, declared) {
			return unrecognized(in)
		}
		return convert(in)
	}
}

func isAnother(p payload.Value, declared family) bool {
	actual := familyOf(p)
	return actual != "" && actual != declared
}

func unrecognized(in *vendors.Input) vendors.Draft {
	draft := other(in)
	draft.Type = event.Unrecognized("twilio")
	draft.Read.Contradict()
	return draft
}

// shape tells the native event of a payload for which no route declares one. A request for
// what a call shall do next, such as the one after the digits of a caller, is none.
func shape(p payload.Value) string {
	switch familyOf(p) {
	case messageStates:
		return messageStatus
	case messages:
		return incomingMessage
	case recordings:
		return recordingStatus
	case calls:
		status, _ := p.Get("CallStatus").Scalar()
		direction, _ := p.Get("Direction").Scalar()
		switch {
		case p.Has("CallbackSource") || p.Has("CallDuration"):
			return callStatus
		case status == "ringing" && direction == "inbound":
			return incomingCall
		}
		return ""
	}
	if p.Has("OptOutType") && p.Has("MessageSid") {
		return incomingMessage
	}
	return ""
}

// native data structures

// ends are the two ends of a message or call, and the account.
type ends struct {
	AccountSid  payload.Value `json:"AccountSid"`
	From        payload.Value `json:"From"` // +12025550143, MYSHOP, 22345, whatsapp:+12025550143, client:anna, sip:anna@example.com
	To          payload.Value `json:"To"`
	FromCity    payload.Value `json:"FromCity"`
	FromState   payload.Value `json:"FromState"`
	FromZip     payload.Value `json:"FromZip"`
	FromCountry payload.Value `json:"FromCountry"`
	ToCity      payload.Value `json:"ToCity"`
	ToState     payload.Value `json:"ToState"`
	ToZip       payload.Value `json:"ToZip"`
	ToCountry   payload.Value `json:"ToCountry"`
}

// message is what a message has in common with its states. The three ids are the same.
type message struct {
	ends
	MessageSid    payload.Value `json:"MessageSid"`
	SmsSid        payload.Value `json:"SmsSid"`
	SmsMessageSid payload.Value `json:"SmsMessageSid"`
	ChannelPrefix payload.Value `json:"ChannelPrefix"` // whatsapp
}

// attachments are those of a message, which has at most ten.
type attachments struct {
	MediaURL0         payload.Value `json:"MediaUrl0"`
	MediaContentType0 payload.Value `json:"MediaContentType0"`
	MediaURL1         payload.Value `json:"MediaUrl1"`
	MediaContentType1 payload.Value `json:"MediaContentType1"`
	MediaURL2         payload.Value `json:"MediaUrl2"`
	MediaContentType2 payload.Value `json:"MediaContentType2"`
	MediaURL3         payload.Value `json:"MediaUrl3"`
	MediaContentType3 payload.Value `json:"MediaContentType3"`
	MediaURL4         payload.Value `json:"MediaUrl4"`
	MediaContentType4 payload.Value `json:"MediaContentType4"`
	MediaURL5         payload.Value `json:"MediaUrl5"`
	MediaContentType5 payload.Value `json:"MediaContentType5"`
	MediaURL6         payload.Value `json:"MediaUrl6"`
	MediaContentType6 payload.Value `json:"MediaContentType6"`
	MediaURL7         payload.Value `json:"MediaUrl7"`
	MediaContentType7 payload.Value `json:"MediaContentType7"`
	MediaURL8         payload.Value `json:"MediaUrl8"`
	MediaContentType8 payload.Value `json:"MediaContentType8"`
	MediaURL9         payload.Value `json:"MediaUrl9"`
	MediaContentType9 payload.Value `json:"MediaContentType9"`
}

type received struct {
	message
	attachments
	Body                      payload.Value `json:"Body"`
	NumSegments               payload.Value `json:"NumSegments"`
	MessageType               payload.Value `json:"MessageType"` // text, image, interactive
	OptOutType                payload.Value `json:"OptOutType"`  // STOP, START or HELP
	MessagingServiceSid       payload.Value `json:"MessagingServiceSid"`
	ProfileName               payload.Value `json:"ProfileName"`
	ExternalUserID            payload.Value `json:"ExternalUserId"` // whatsapp: and what WhatsApp calls the sender, whose number may be hidden
	ButtonText                payload.Value `json:"ButtonText"`
	ButtonPayload             payload.Value `json:"ButtonPayload"`
	ListTitle                 payload.Value `json:"ListTitle"`
	ListID                    payload.Value `json:"ListId"`
	OriginalRepliedMessageSid payload.Value `json:"OriginalRepliedMessageSid"`
	Latitude                  payload.Value `json:"Latitude"`
	Longitude                 payload.Value `json:"Longitude"`
	Address                   payload.Value `json:"Address"`
	Label                     payload.Value `json:"Label"`
	ReferralSourceType        payload.Value `json:"ReferralSourceType"` // ad or post
	ReferralSourceURL         payload.Value `json:"ReferralSourceUrl"`
	ReferralSourceID          payload.Value `json:"ReferralSourceId"`
	ReferralCtwaClid          payload.Value `json:"ReferralCtwaClid"`
}

type state struct {
	message
	MessageStatus        payload.Value `json:"MessageStatus"`
	SmsStatus            payload.Value `json:"SmsStatus"`
	ErrorCode            payload.Value `json:"ErrorCode"`
	ErrorMessage         payload.Value `json:"ErrorMessage"`
	ChannelStatusMessage payload.Value `json:"ChannelStatusMessage"`
}

type call struct {
	ends
	CallSid           payload.Value `json:"CallSid"`
	ParentCallSid     payload.Value `json:"ParentCallSid"`
	CallStatus        payload.Value `json:"CallStatus"`
	Direction         payload.Value `json:"Direction"` // inbound, outbound-api, outbound-dial
	CallerName        payload.Value `json:"CallerName"`
	Timestamp         payload.Value `json:"Timestamp"` // Tue, 24 Nov 2026 16:05:31 +0000
	CallDuration      payload.Value `json:"CallDuration"`
	AnsweredBy        payload.Value `json:"AnsweredBy"` // human, machine_start, machine_end_beep, fax, unknown
	RecordingURL      payload.Value `json:"RecordingUrl"`
	RecordingDuration payload.Value `json:"RecordingDuration"`
}

type recording struct {
	AccountSid        payload.Value `json:"AccountSid"`
	CallSid           payload.Value `json:"CallSid"`
	ConferenceSid     payload.Value `json:"ConferenceSid"`
	RecordingSid      payload.Value `json:"RecordingSid"`
	RecordingStatus   payload.Value `json:"RecordingStatus"` // in-progress, completed, absent
	RecordingURL      payload.Value `json:"RecordingUrl"`
	RecordingDuration payload.Value `json:"RecordingDuration"`
}

// native data structure conversion

// messageReceived converts a message that comes in. A message that unsubscribes or subscribes
// its sender gives two events: the message and the change of the subscription. A payload with
// OptOutType but without a text is the change alone.
func messageReceived(in *vendors.Input, emit func(vendors.Draft) error) error {
	if isAnother(in.Payload, messages) {
		return emit(unrecognized(in))
	}
	m := payload.Bind[received](in.Payload)
	subscribed, changes := subscribes(m.OptOutType)
	switch {
	case !changes:
		return emit(textReceived(in, &m))
	case m.Body.Kind() == payload.Missing:
		return emit(subscriptionChanged(in, &m, subscribed))
	}
	text := textReceived(in, &m)
	text.Raw = without(in.Payload, "OptOutType")
	if err := emit(text); err != nil {
		return err
	}
	change := subscriptionChanged(in, &m, subscribed)
	change.Raw = without(in.Payload, "Body", "NumMedia", "NumSegments")
	return emit(change)
}

// subscribes reports whether an opt-out type changes a subscription, and to what. HELP
// changes none.
func subscribes(optOutType payload.Value) (subscribed event.Bool, changes bool) {
	switch word, _ := optOutType.Scalar(); word {
	case "STOP":
		return event.False, true
	case "START":
		return event.True, true
	}
	return 0, false
}

// without returns the text of a payload without some of its keys.
func without(p payload.Value, names ...string) string {
	return p.Rewrite(func(name string, member payload.Value) string {
		if slices.Contains(names, name) {
			return ""
		}
		return member.Text()
	})
}

func textReceived(in *vendors.Input, m *received) vendors.Draft {
	r := in.Read()
	r.Note("subscription.subscribed", m.OptOutType)
	r.Note("subscription.topic", m.MessagingServiceSid, m.To)
	draft := convertMessage(&m.message, r, event.Inbound)
	draft.Type = event.MessageReceived
	draft.ID = vendors.Natural(messageID(&m.message))
	sender(m, r, &draft)
	text := &draft.Data.Message
	text.Text = r.Text("message.text", m.Body, m.ButtonText, m.ListTitle)
	text.ContentType = r.Text("message.content_type", m.MessageType)
	text.Media = media(r, &m.attachments)
	text.ReplyToID = r.Text("message.reply_to_id", m.OriginalRepliedMessageSid)
	text.ChoiceID = r.Text("message.choice_id", m.ButtonPayload, m.ListID)
	text.Segments = r.Number("message.segments", m.NumSegments)
	text.Place = &event.Place{
		Latitude:  r.Number("message.place.latitude", m.Latitude),
		Longitude: r.Number("message.place.longitude", m.Longitude),
		Name:      r.Text("message.place.name", m.Label),
		Address:   r.Text("message.place.address", m.Address),
	}
	draft.Data.Attribution = &event.Attribution{
		Medium:      r.Text("attribution.medium", m.ReferralSourceType),
		ReferrerURL: r.Text("attribution.referrer_url", m.ReferralSourceURL),
		CTWACLID:    r.Text("attribution.ctwa_clid", m.ReferralCtwaClid),
		AdID:        r.Text("attribution.ad_id", m.ReferralSourceID),
	}
	return draft
}

// subscriptionChanged converts a message by which a contact unsubscribes or subscribes. The
// contact leaves the messaging service, with all of its numbers: Twilio sends OptOutType for
// messages to numbers of a service.
func subscriptionChanged(in *vendors.Input, m *received, subscribed event.Bool) vendors.Draft {
	r := in.Read()
	r.Note("subscription.subscribed", m.OptOutType)
	draft := convertMessage(&m.message, r, event.Inbound)
	draft.Type = event.ContactUnsubscribed
	if subscribed == event.True {
		draft.Type = event.ContactSubscribed
	}
	draft.ID = vendors.Natural(messageID(&m.message), m.OptOutType)
	sender(m, r, &draft)
	r.Note("subscription.topic", m.To)
	draft.Data.Subscription = &event.Subscription{
		Channel:    draft.Data.Channel,
		Topic:      cmp.Or(r.Text("subscription.topic", m.MessagingServiceSid), draft.Data.Message.To),
		Subscribed: subscribed,
	}
	draft.Data.Direction, draft.Data.Message = "", event.Message{}
	return draft
}

// sender completes the contact of a message that comes in.
func sender(m *received, r *vendors.Reader, draft *vendors.Draft) {
	who := &draft.Data.Contact
	who.Name = r.Text("contact.name", m.ProfileName)
	if _, id := cut(r.Text("contact.id", m.ExternalUserID)); id != "" {
		who.ID = id
	}
	draft.Person[1] = who.ID
}

func messageChanged(in *vendors.Input) vendors.Draft {
	s, r := payload.Bind[state](in.Payload), in.Read()
	status := r.Text("message.status_text", s.MessageStatus, s.SmsStatus)
	direction := event.Outbound
	if status == "receiving" || status == "received" {
		direction = event.Inbound
	}
	draft := convertMessage(&s.message, r, direction)
	draft.Type = messageTypes[status]
	draft.ID = vendors.Natural(messageID(&s.message), first(s.MessageStatus, s.SmsStatus))
	text := &draft.Data.Message
	text.StatusText = status
	text.StatusCode = r.Text("message.status_code", s.ErrorCode)
	text.StatusDetail = r.Text("message.status_detail", s.ChannelStatusMessage, s.ErrorMessage)
	return draft
}

// messageTypes has the types of the states of messages. All other states, such as canceled and
// partially_delivered, give a vendor-scoped event.
var messageTypes = map[string]string{
	"accepted":    event.MessageQueued,
	"scheduled":   event.MessageQueued,
	"queued":      event.MessageQueued,
	"sending":     event.MessageQueued,
	"sent":        event.MessageSent,
	"delivered":   event.MessageDelivered,
	"read":        event.MessageRead,
	"undelivered": event.MessageFailed,
	"failed":      event.MessageFailed,
}

func convertMessage(m *message, r *vendors.Reader, direction event.Direction) vendors.Draft {
	id := r.Text("message.id", m.MessageSid, m.SmsSid, m.SmsMessageSid)
	who := contact(r, &m.ends, direction)
	return vendors.Draft{
		Subject: vendors.Subject{Kind: "message", ID: id},
		Person:  vendors.Ladder{who.Phone, who.ID},
		Read:    r,
		Data: event.Data{
			Channel:   messageChannel(r, m),
			Direction: direction,
			Contact:   who,
			Account:   event.Account{ID: r.Text("account.id", m.AccountSid)},
			Message: event.Message{
				ID:   id,
				From: end(r, "message.from", m.From, who.ID),
				To:   end(r, "message.to", m.To, who.ID),
			},
		},
	}
}

func messageID(m *message) payload.Value { return first(m.MessageSid, m.SmsSid, m.SmsMessageSid) }

// first returns the first value that can be read as text.
func first(values ...payload.Value) payload.Value {
	for _, v := range values {
		if _, ok := v.Scalar(); ok && !v.Absent() {
			return v
		}
	}
	return payload.Value{}
}

func media(r *vendors.Reader, a *attachments) []event.Media {
	var converted []event.Media
	for _, m := range [...]struct{ url, contentType payload.Value }{
		{a.MediaURL0, a.MediaContentType0},
		{a.MediaURL1, a.MediaContentType1},
		{a.MediaURL2, a.MediaContentType2},
		{a.MediaURL3, a.MediaContentType3},
		{a.MediaURL4, a.MediaContentType4},
		{a.MediaURL5, a.MediaContentType5},
		{a.MediaURL6, a.MediaContentType6},
		{a.MediaURL7, a.MediaContentType7},
		{a.MediaURL8, a.MediaContentType8},
		{a.MediaURL9, a.MediaContentType9},
	} {
		if m.url.Kind() != payload.Missing {
			converted = append(converted, event.Media{
				URL:  r.Text("message.media.url", m.url),
				Type: r.Text("message.media.type", m.contentType),
			})
		}
	}
	return converted
}

// callReceived converts the request for what a call that comes in shall do. The same URL may be
// asked again in the course of the call: then the call has not begun again.
func callReceived(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[call](in.Payload), in.Read()
	draft := convertCall(&c, r)
	r.Note("type", c.CallStatus, c.Direction)
	if status, _ := c.CallStatus.Scalar(); status == "ringing" && draft.Data.Direction == event.Inbound {
		draft.Type = event.CallStarted
		draft.ID = vendors.Natural(first(c.CallSid))
	}
	return draft
}

func callChanged(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[call](in.Payload), in.Read()
	draft := convertCall(&c, r)
	about := draft.Data.Call
	draft.Time = r.MailTime("time", c.Timestamp)
	draft.ID = vendors.Natural(first(c.CallSid), first(c.CallStatus))
	disposition := r.Text("call.disposition", c.CallStatus)
	answered, voicemail, outcome := outcomeOf(r, &c, draft.Data.Direction)
	switch disposition {
	case "initiated":
		draft.Type, about.StartedAt = event.CallStarted, draft.Time
	case "ringing":
		draft.Type = event.CallRinging
	case "in-progress", "answered":
		draft.Type, about.AnsweredAt, about.Answered = event.CallAnswered, draft.Time, answered
	case "completed", "busy", "no-answer", "failed", "canceled":
		draft.Type, about.EndedAt, about.Disposition = event.CallCompleted, draft.Time, disposition
		about.Answered, about.Voicemail, about.Outcome = answered, voicemail, outcome
	}
	about.DurationSeconds = r.Number("call.duration_seconds", c.CallDuration)
	about.RecordingURL = r.Text("call.recording_url", c.RecordingURL)
	about.RecordingDurationSeconds = r.Number("call.recording_duration_seconds", c.RecordingDuration)
	return draft
}

// outcomeOf reads who has answered a call, and how the call has ended if it has. A call is in
// progress or completed if it was answered, by a person or by a machine. Where Twilio was asked to
// tell them apart, AnsweredBy says which.
func outcomeOf(r *vendors.Reader, c *call, direction event.Direction) (answered, voicemail event.Bool, outcome event.Outcome) {
	for _, field := range []string{"call.answered", "call.voicemail", "call.outcome"} {
		r.Note(field, c.CallStatus, c.AnsweredBy)
	}
	status, _ := c.CallStatus.Scalar()
	answeredBy, _ := c.AnsweredBy.Scalar()
	taken := status == "in-progress" || status == "answered" || status == "completed"
	switch {
	case taken && strings.HasPrefix(answeredBy, "machine"):
		return 0, event.True, event.Voicemail
	case taken && answeredBy == "fax":
		return 0, 0, ""
	case taken:
		return event.True, 0, event.Answered
	}
	return event.False, 0, direction.NotAnswered()
}

// dialed is the direction of the leg to whom a call is connected. Such a leg shows the number
// of the other caller, unless it is told to show another one: so the number may not be ours.
const dialed = "outbound-dial"

// convertCall converts what is known of every call.
func convertCall(c *call, r *vendors.Reader) vendors.Draft {
	direction := r.Direction("direction", c.Direction)
	id := r.Text("call.id", c.CallSid)
	who := contact(r, &c.ends, direction)
	var ours payload.Value
	switch direction {
	case event.Inbound:
		ours = c.To
		who.Name = r.Text("contact.name", c.CallerName)
	case event.Outbound:
		if word, _ := c.Direction.Scalar(); word != dialed {
			ours = c.From
		}
	}
	channel := event.ChannelPhone
	r.Note("channel", c.From, c.To)
	if prefixOf(c.From) == whatsApp || prefixOf(c.To) == whatsApp {
		channel = event.ChannelWhatsApp
	}
	return vendors.Draft{
		Subject: vendors.Subject{Kind: "call", ID: id},
		Person:  vendors.Ladder{who.Phone, who.ID},
		Read:    r,
		Data: event.Data{
			Channel:   channel,
			Direction: direction,
			Contact:   who,
			Account:   event.Account{ID: r.Text("account.id", c.AccountSid)},
			Call: &event.Call{
				ID:        id,
				ParentID:  r.Text("call.parent_id", c.ParentCallSid),
				OurNumber: ourNumber(r, ours),
			},
		},
	}
}

func recordingChanged(in *vendors.Input) vendors.Draft {
	v, r := payload.Bind[recording](in.Payload), in.Read()
	id := r.Text("call.id", v.CallSid)
	draft := vendors.Draft{
		ID:      vendors.Natural(first(v.RecordingSid), first(v.RecordingStatus)),
		Subject: vendors.Subject{Kind: "call", ID: id},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelPhone,
			Account: event.Account{ID: r.Text("account.id", v.AccountSid)},
			Call:    &event.Call{ID: id, SessionID: r.Text("call.session_id", v.ConferenceSid)},
		},
	}
	r.Note("type", v.RecordingStatus)
	if status, _ := v.RecordingStatus.Scalar(); status == "completed" {
		draft.Type = event.CallUpdated
		draft.Data.Call.RecordingURL = r.Text("call.recording_url", v.RecordingURL)
		draft.Data.Call.RecordingDurationSeconds = r.Number("call.recording_duration_seconds", v.RecordingDuration)
		draft.Data.Changes = []string{"recording_url", "recording_duration_seconds"}
	}
	return draft
}

// other converts what messages and calls have in common, of a payload that is of no known
// native event.
func other(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[call](in.Payload), in.Read()
	if in.Payload.Has("CallSid") {
		return convertCall(&c, r)
	}
	m := payload.Bind[message](in.Payload)
	return vendors.Draft{
		Subject: vendors.Subject{Kind: "message", ID: r.Text("message.id", m.MessageSid, m.SmsSid, m.SmsMessageSid)},
		Read:    r,
		Data:    event.Data{Account: event.Account{ID: r.Text("account.id", m.AccountSid)}},
	}
}

// contact converts the outside party: who sends what comes in, and gets what goes out.
func contact(r *vendors.Reader, e *ends, direction event.Direction) event.Contact {
	r.Note("contact.location.city", e.FromCity, e.ToCity)
	r.Note("contact.location.region", e.FromState, e.ToState)
	r.Note("contact.location.postal_code", e.FromZip, e.ToZip)
	r.Note("contact.location.country", e.FromCountry, e.ToCountry)
	switch direction {
	case event.Inbound:
		who := party(r, e.From)
		who.Location = location(r, e.FromCity, e.FromState, e.FromZip, e.FromCountry)
		return who
	case event.Outbound:
		who := party(r, e.To)
		who.Location = location(r, e.ToCity, e.ToState, e.ToZip, e.ToCountry)
		return who
	}
	return event.Contact{}
}

func location(r *vendors.Reader, city, state, zip, country payload.Value) event.Location {
	return event.Location{
		City:       r.Text("contact.location.city", city),
		Region:     r.Text("contact.location.region", state),
		PostalCode: r.Text("contact.location.postal_code", zip),
		Country:    r.Text("contact.location.country", country),
	}
}
