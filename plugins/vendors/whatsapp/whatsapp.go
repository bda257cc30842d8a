// Package whatsapp decodes the webhooks of Meta's WhatsApp Business Platform, the Cloud API:
// messages of people to a business, and what became of the messages of the business. A
// payload holds several native events, and names each of them by the field of a change.
//
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
package whatsapp

import (
	"cmp"
	"crypto"
	"embed"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "whatsapp",
		Title:     "WhatsApp",
		Page:      "https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview",
		Setup:     "App Dashboard > WhatsApp > Configuration: the callback URL is `/whatsapp`, and the verify token the value of `WHATSAPP_VERIFY_TOKEN`; subscribe to the field `messages`, and to others as needed. The app secret is in App settings > Basic.",
		SecretEnv: "WHATSAPP_APP_SECRET",
		Signing:   signing.HMAC{Header: "X-Hub-Signature-256", Hash: crypto.SHA256, Encoding: signing.Hex, Prefix: "sha256="},
		Handshake: &vendors.Handshake{
			Query:     map[string]string{"hub.mode": "subscribe"},
			Token:     "hub.verify_token",
			Challenge: "hub.challenge",
			SecretEnv: "WHATSAPP_VERIFY_TOKEN",
		},
		Samples: samples,
		RawOnly: rawOnly,
		Events: []vendors.NativeEvent{
			about("account_alerts"),
			about("account_review_update"),
			about("account_update"),
			about("business_capability_update"),
			{Name: "calls", Types: []string{event.CallCompleted, event.CallStarted, event.CallRinging, event.CallAnswered, "whatsapp.calls"}, Convert: called},
			untyped("group_lifecycle_update", "the event is about a group, and not about a message, a call or a person"),
			untyped("history", "messages of the past, which nobody has sent now"),
			about("message_template_components_update"),
			about("message_template_quality_update"),
			about("message_template_status_update"),
			{Name: "messages", Types: []string{event.MessageReceived, "whatsapp.messages"}, Convert: messageReceived},
			about("partner_solutions"),
			about("phone_number_name_update"),
			about("phone_number_quality_update"),
			about("security"),
			untyped("smb_app_state_sync", "what the business has in its address book, which the person has no part in"),
			{Name: "smb_message_echoes", Types: []string{event.MessageSent, "whatsapp.smb_message_echoes"}, Convert: messageEchoed},
			{Name: "statuses", Types: []string{event.MessageDelivered, event.MessageFailed, event.MessageRead, event.MessageSent, "whatsapp.statuses"}, Convert: statusChanged},
			about("template_category_update"),
			{Name: "user_preferences", Types: []string{event.ContactUnsubscribed, event.ContactSubscribed, "whatsapp.user_preferences"}, Convert: preferenceChanged, RawOnly: preferenceRawOnly},
		},
		Pieces:    pieces,
		Named:     named,
		Other:     other,
		Numbering: event.WithoutPlus,
	})
}

// about returns a native event that is about the account, its numbers or its templates.
func about(name string) vendors.NativeEvent {
	return untyped(name, "the event is about the account, and not about a message, a call or a person")
}

// untyped returns a native event for which the catalogue has no type, and the reason.
func untyped(name, reason string) vendors.NativeEvent {
	return vendors.NativeEvent{
		Name: name, Types: []string{"whatsapp." + name}, Convert: other,
		RawOnly: []vendors.RawOnly{{Reason: reason, Keys: []string{"entry[].changes[].value"}}},
	}
}

// named returns the field of the change. Statuses come in a change of messages, too.
func named(r *vendors.Reader, p payload.Value) string {
	_, c := only(p)
	field := r.Text("vendorevent", c.Field)
	if field == "messages" && c.Value.Get("messages").Absent() && !c.Value.Get("statuses").Absent() {
		return "statuses"
	}
	return field
}

// native data structures

type entry struct {
	ID      payload.Value `json:"id"`   // of the business account
	Time    payload.Value `json:"time"` // seconds since 1970; not sent along with messages
	Changes payload.Value `json:"changes"`
}

type change struct {
	Field payload.Value `json:"field"`
	Value payload.Value `json:"value"`
}

type value struct {
	MessagingProduct payload.Value `json:"messaging_product"`
	Metadata         payload.Value `json:"metadata"`
	Contacts         payload.Value `json:"contacts"`
}

type metadata struct {
	DisplayPhoneNumber payload.Value `json:"display_phone_number"`
}

// contact is a person. The number is missing if the person has a username and no number that
// may be shown; the user id is the same in all payloads to a business.
type contact struct {
	Profile payload.Value `json:"profile"`
	WaID    payload.Value `json:"wa_id"` // a phone number without +
	UserID  payload.Value `json:"user_id"`
}

type profile struct {
	Name payload.Value `json:"name"`
}

// message is a message, or an echo of a message that the business has sent with its app.
type message struct {
	From       payload.Value `json:"from"`
	FromUserID payload.Value `json:"from_user_id"`
	To         payload.Value `json:"to"`
	ToUserID   payload.Value `json:"to_user_id"`
	GroupID    payload.Value `json:"group_id"`
	ID         payload.Value `json:"id"`
	Timestamp  payload.Value `json:"timestamp"` // seconds since 1970
	Type       payload.Value `json:"type"`
	Context    payload.Value `json:"context"`
	Referral   payload.Value `json:"referral"`
	Errors     payload.Value `json:"errors"`
	Edit       payload.Value `json:"edit"`
	Revoke     payload.Value `json:"revoke"`
	content
}

// content is what a message says. A message has one member, which its type names.
type content struct {
	Text        payload.Value `json:"text"`
	Image       payload.Value `json:"image"`
	Video       payload.Value `json:"video"`
	Audio       payload.Value `json:"audio"`
	Document    payload.Value `json:"document"`
	Sticker     payload.Value `json:"sticker"`
	Location    payload.Value `json:"location"`
	Reaction    payload.Value `json:"reaction"`
	Button      payload.Value `json:"button"`
	Interactive payload.Value `json:"interactive"`
	Order       payload.Value `json:"order"`
	System      payload.Value `json:"system"`
}

// amendment is a change of an earlier message.
type amendment struct {
	OriginalMessageID payload.Value `json:"original_message_id"`
	Message           payload.Value `json:"message"` // what the message says now
}

type reference struct {
	ID payload.Value `json:"id"`
}

type body struct {
	Body payload.Value `json:"body"`
}

type media struct {
	ID       payload.Value `json:"id"`
	URL      payload.Value `json:"url"`
	MimeType payload.Value `json:"mime_type"`
	Filename payload.Value `json:"filename"`
	Caption  payload.Value `json:"caption"`
}

type location struct {
	Latitude  payload.Value `json:"latitude"`
	Longitude payload.Value `json:"longitude"`
	Name      payload.Value `json:"name"`
	Address   payload.Value `json:"address"`
	URL       payload.Value `json:"url"`
}

type reaction struct {
	MessageID payload.Value `json:"message_id"`
	Emoji     payload.Value `json:"emoji"` // missing or "" if the reaction was taken back
}

type button struct {
	Payload payload.Value `json:"payload"`
	Text    payload.Value `json:"text"`
}

type interactive struct {
	ButtonReply         payload.Value `json:"button_reply"`
	ListReply           payload.Value `json:"list_reply"`
	NfmReply            payload.Value `json:"nfm_reply"`
	CallPermissionReply payload.Value `json:"call_permission_reply"`
}

type reply struct {
	ID    payload.Value `json:"id"`
	Title payload.Value `json:"title"`
}

type nfmReply struct {
	Body         payload.Value `json:"body"`
	ResponseJSON payload.Value `json:"response_json"` // the answers of a flow, or an address
}

type callPermissionReply struct {
	Response payload.Value `json:"response"`
}

// system tells of the contact's new number or id.
type system struct {
	Body           payload.Value `json:"body"`
	PreviousUserID payload.Value `json:"previous_user_id"`
}

type order struct {
	Text payload.Value `json:"text"`
}

// referral is the ad or post that has brought the person.
type referral struct {
	SourceURL  payload.Value `json:"source_url"`
	SourceType payload.Value `json:"source_type"` // ad or post
	SourceID   payload.Value `json:"source_id"`
	CtwaClid   payload.Value `json:"ctwa_clid"`
}

type apiError struct {
	Code      payload.Value `json:"code"`
	Title     payload.Value `json:"title"`
	Message   payload.Value `json:"message"`
	ErrorData payload.Value `json:"error_data"`
	Details   payload.Value `json:"details"` // in 2022, when there was no error_data
}

type errorData struct {
	Details payload.Value `json:"details"`
}

type status struct {
	ID                         payload.Value `json:"id"` // of the message
	Type                       payload.Value `json:"type"`
	Status                     payload.Value `json:"status"`
	Timestamp                  payload.Value `json:"timestamp"` // seconds since 1970
	RecipientType              payload.Value `json:"recipient_type"`
	RecipientID                payload.Value `json:"recipient_id"` // a phone number without +, or the id of a group
	RecipientUserID            payload.Value `json:"recipient_user_id"`
	RecipientParticipantID     payload.Value `json:"recipient_participant_id"`
	RecipientParticipantUserID payload.Value `json:"recipient_participant_user_id"`
	BizOpaqueCallbackData      payload.Value `json:"biz_opaque_callback_data"`
	Errors                     payload.Value `json:"errors"`
}

// preference is what a person wants of a category of messages.
type preference struct {
	WaID      payload.Value `json:"wa_id"`
	UserID    payload.Value `json:"user_id"`
	Category  payload.Value `json:"category"`
	Value     payload.Value `json:"value"` // stop or resume
	Timestamp payload.Value `json:"timestamp"`
}

// native data structure conversion

// notification is what all native events have in common.
type notification struct {
	read    *vendors.Reader
	account event.Account
	at      payload.Value // the time of the entry
	number  payload.Value // ours
	people  payload.Value // the contacts of the person
	kind    kind
	part    payload.Value // missing if the payload has not one part
}

func notificationOf(in *vendors.Input) notification {
	in.Reads(in.Payload.Get("entry"))
	r := in.Read()
	e, c := only(in.Payload)
	n := notification{read: r, account: event.Account{ID: r.Text("account.id", e.ID)}, at: e.Time}
	if n.kind, n.part = c.part(); n.part.Kind() != payload.Missing {
		v := payload.Bind[value](c.Value)
		n.number = object[metadata](r, "message", v.Metadata).DisplayPhoneNumber
		n.people = v.Contacts
	}
	return n
}

// object reads an object within the payload, as vendors.Object reads it. Most objects are
// missing, because a message has one content.
func object[T any](r *vendors.Reader, field string, v payload.Value) (native T) {
	if v.Kind() == payload.Missing {
		return native
	}
	return vendors.Object[T](r, field, v)
}

// other converts a change of another field, or a payload that is not sliced.
func other(in *vendors.Input) vendors.Draft {
	n := notificationOf(in)
	return n.other()
}

func (n *notification) other() vendors.Draft {
	return vendors.Draft{
		ID:   vendors.Content(),
		Time: n.read.EpochSeconds("time", n.at),
		Read: n.read,
		Data: event.Data{Account: n.account},
	}
}

// contact reads the contact. The part may have its number and its id.
func (n *notification) contact(number, id payload.Value) event.Contact {
	r := n.read
	c := contactOf(n.people, n.part, n.kind)
	if number.Absent() {
		number = c.WaID
	}
	r.Note("contact.phone", c.WaID)
	converted := event.Contact{
		ID:   r.Text("contact.id", id, c.UserID),
		Name: r.Text("contact.name", object[profile](r, "contact", c.Profile).Name),
	}
	converted.Phone, converted.PhoneAsSent = r.ContactPhone(number)
	return converted
}

func messageReceived(in *vendors.Input) vendors.Draft {
	n := notificationOf(in)
	if n.part.Kind() == payload.Missing {
		return n.other()
	}
	m := payload.Bind[message](n.part)
	id := first(m.FromUserID, object[system](n.read, "contact.id", m.System).PreviousUserID)
	draft := n.message(&m, event.MessageReceived, m.From, id)
	draft.Data.Direction = event.Inbound
	n.read.Note("message.from", m.From)
	draft.Data.Message.From = draft.Data.Contact.Phone
	draft.Data.Message.To = n.read.PhoneOrShortCode("message.to", n.number)
	return draft
}

func messageEchoed(in *vendors.Input) vendors.Draft {
	n := notificationOf(in)
	if n.part.Kind() == payload.Missing {
		return n.other()
	}
	m := payload.Bind[message](n.part)
	draft := n.message(&m, event.MessageSent, m.To, m.ToUserID)
	draft.Data.Direction = event.Outbound
	draft.Data.Message.From = n.read.PhoneOrShortCode("message.from", m.From, n.number)
	n.read.Note("message.to", m.To)
	draft.Data.Message.To = draft.Data.Contact.Phone
	return draft
}

// message converts a message in either direction. Number and id are those of the contact. A
// message that changes an earlier one has the id of the earlier one, and is no new message.
func (n *notification) message(m *message, eventType string, number, id payload.Value) vendors.Draft {
	r := n.read
	edit, revoke := object[amendment](r, "message", m.Edit), object[amendment](r, "message", m.Revoke)
	converted := event.Message{
		ID:             r.Text("message.id", edit.OriginalMessageID, revoke.OriginalMessageID, m.ID),
		ContentType:    r.Text("message.content_type", m.Type),
		ConversationID: r.Text("message.conversation_id", m.GroupID),
	}
	said := m
	if edit.Message.Kind() != payload.Missing {
		now := object[message](r, "message", edit.Message)
		said = &now
	}
	said.convert(r, &converted)
	failed(r, m.Errors, &converted)
	var brought *event.Attribution
	if isMessage(converted.ContentType) {
		brought = attribution(r, m.Referral)
	} else {
		eventType = ""
	}
	who := n.contact(number, id)
	return vendors.Draft{
		Type:    eventType,
		ID:      vendors.Natural(m.ID, m.Type),
		Subject: vendors.Subject{Kind: "message", ID: converted.ID},
		Time:    r.EpochSeconds("time", m.Timestamp),
		Person:  vendors.Ladder{who.Phone, who.ID, converted.ConversationID},
		Read:    r,
		Data: event.Data{
			Channel:     event.ChannelWhatsApp,
			Contact:     who,
			Account:     n.account,
			Message:     converted,
			Attribution: brought,
		},
	}
}

// isMessage reports whether a message of the type says something that its sender has not said
// before. The other types tell that an earlier message was changed, that the contact has
// opened the chat, or that the contact has another number. Unknown is what unsupported was called
// in 2022.
func isMessage(contentType string) bool {
	switch contentType {
	case "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "reaction",
		"button", "interactive", "order", "unsupported", "unknown":
		return true
	}
	return false
}

// convert reads what a message says.
func (m *message) convert(r *vendors.Reader, to *event.Message) {
	for _, v := range []payload.Value{m.Image, m.Video, m.Audio, m.Document, m.Sticker} {
		if v.Kind() == payload.Missing {
			continue
		}
		a := object[media](r, "message.media", v)
		to.Media = append(to.Media, event.Media{
			ID:   r.Text("message.media.id", a.ID),
			URL:  r.Text("message.media.url", a.URL),
			Type: r.Text("message.media.type", a.MimeType),
			Name: r.Text("message.media.name", a.Filename),
		})
		to.Text = cmp.Or(to.Text, r.Text("message.text", a.Caption))
	}
	if m.Location.Kind() != payload.Missing {
		l := object[location](r, "message.place", m.Location)
		to.Place = &event.Place{
			Latitude:  r.Number("message.place.latitude", l.Latitude),
			Longitude: r.Number("message.place.longitude", l.Longitude),
			Name:      r.Text("message.place.name", l.Name),
			Address:   r.Text("message.place.address", l.Address),
			URL:       r.Text("message.place.url", l.URL),
		}
	}
	answer := object[reaction](r, "message", m.Reaction)
	pressed := object[button](r, "message", m.Button)
	i := object[interactive](r, "message", m.Interactive)
	chosen, row := object[reply](r, "message", i.ButtonReply), object[reply](r, "message", i.ListReply)
	form := object[nfmReply](r, "message", i.NfmReply)
	to.ChoiceID = r.Text("message.choice_id", pressed.Payload, chosen.ID, row.ID)
	to.ReplyToID = r.Text("message.reply_to_id", answer.MessageID, object[reference](r, "message.reply_to_id", m.Context).ID)
	to.Text = cmp.Or(to.Text, r.Text("message.text",
		object[body](r, "message.text", m.Text).Body,
		answer.Emoji,
		pressed.Text,
		chosen.Title,
		row.Title,
		form.ResponseJSON,
		form.Body,
		object[callPermissionReply](r, "message", i.CallPermissionReply).Response,
		object[order](r, "message", m.Order).Text,
		object[system](r, "message.text", m.System).Body,
	))
}

func attribution(r *vendors.Reader, v payload.Value) *event.Attribution {
	if v.Kind() == payload.Missing {
		return nil
	}
	a := object[referral](r, "attribution", v)
	return &event.Attribution{
		Medium:      r.Text("attribution.medium", a.SourceType),
		ReferrerURL: r.Text("attribution.referrer_url", a.SourceURL),
		CTWACLID:    r.Text("attribution.ctwa_clid", a.CtwaClid),
		AdID:        r.Text("attribution.ad_id", a.SourceID),
	}
}

// failed reads the first one of the errors with a message.
func failed(r *vendors.Reader, errors payload.Value, to *event.Message) {
	if errors.Kind() == payload.Missing {
		return
	}
	type failure struct{ code, detail string }
	all := vendors.Elements(r, "message.status_detail", errors, func(element payload.Value) failure {
		e := payload.Bind[apiError](element)
		return failure{
			code:   r.Text("message.status_code", e.Code),
			detail: r.Text("message.status_detail", object[errorData](r, "message.status_detail", e.ErrorData).Details, e.Details, e.Message, e.Title),
		}
	})
	if len(all) > 0 {
		to.StatusCode, to.StatusDetail = all[0].code, all[0].detail
	}
}

// statusTypes has the types of events by what became of a message. That a voice message was
// played is not among them, because the message was read before.
var statusTypes = map[string]string{
	"sent":      event.MessageSent,
	"delivered": event.MessageDelivered,
	"read":      event.MessageRead,
	"failed":    event.MessageFailed,
}

// statusChanged converts what became of a message. A message to a group has a status for each
// person of the group.
func statusChanged(in *vendors.Input) vendors.Draft {
	n := notificationOf(in)
	if n.part.Kind() == payload.Missing {
		return n.other()
	}
	r, s := n.read, payload.Bind[status](n.part)
	number, id, group := s.RecipientID, s.RecipientUserID, payload.Value{}
	if r.Text("message.conversation_id", s.RecipientType) == "group" {
		number, id, group = s.RecipientParticipantID, s.RecipientParticipantUserID, s.RecipientID
	}
	who := n.contact(number, id)
	r.Note("message.to", number)
	converted := event.Message{
		ID:             r.Text("message.id", s.ID),
		From:           r.PhoneOrShortCode("message.from", n.number),
		To:             who.Phone,
		StatusText:     r.Text("message.status_text", s.Status),
		ConversationID: r.Text("message.conversation_id", group),
	}
	r.Note("type", s.Status)
	failed(r, s.Errors, &converted)
	eventType := statusTypes[converted.StatusText]
	if r.Text("type", s.Type) == "payment" {
		eventType = "" // a payment that the message asks for has failed, not the message
	}
	return vendors.Draft{
		Type:    eventType,
		ID:      vendors.Natural(s.ID, s.Status, first(s.RecipientParticipantID, s.RecipientParticipantUserID, s.RecipientID, s.RecipientUserID)),
		Subject: vendors.Subject{Kind: "message", ID: converted.ID},
		Time:    r.EpochSeconds("time", s.Timestamp),
		Person:  vendors.Ladder{who.Phone, who.ID, converted.ConversationID},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelWhatsApp,
			Direction: event.Outbound,
			Contact:   who,
			Account:   n.account,
			Message:   converted,
			Reference: r.Text("reference", s.BizOpaqueCallbackData),
		},
	}
}

// first returns the first value that is there.
func first(values ...payload.Value) payload.Value {
	for _, v := range values {
		if !v.Absent() {
			return v
		}
	}
	return payload.Value{}
}

func preferenceChanged(in *vendors.Input) vendors.Draft {
	n := notificationOf(in)
	if n.part.Kind() == payload.Missing {
		return n.other()
	}
	r, p := n.read, payload.Bind[preference](n.part)
	who := n.contact(p.WaID, p.UserID)
	draft := vendors.Draft{
		ID:      vendors.Natural(first(p.WaID, p.UserID), p.Category, p.Value, p.Timestamp),
		Subject: vendors.Subject{Kind: "contact", ID: who.ID},
		Time:    r.EpochSeconds("time", p.Timestamp),
		Person:  vendors.Ladder{who.Phone, who.ID},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelWhatsApp,
			Contact: who,
			Account: n.account,
			Subscription: &event.Subscription{
				Channel: event.ChannelWhatsApp,
				Topic:   r.Text("subscription.topic", p.Category),
			},
		},
	}
	switch r.Text("subscription.subscribed", p.Value) {
	case "stop":
		draft.Type, draft.Data.Subscription.Subscribed = event.ContactUnsubscribed, event.False
	case "resume":
		draft.Type, draft.Data.Subscription.Subscribed = event.ContactSubscribed, event.True
	}
	return draft
}
