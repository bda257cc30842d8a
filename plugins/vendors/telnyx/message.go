package telnyx

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// A group MMS has several recipients, and each of them has a status of their own. What
// happened to the message of one recipient is one event, so a native event of an outbound
// message becomes an event for each recipient. The raw of such an event is a slice: the
// payload with this recipient alone, which decodes to just this event.
//
// An inbound message by which the contact unsubscribes or subscribes is two events.

// native data structures

type message struct {
	ID                 payload.Value `json:"id"`
	OrganizationID     payload.Value `json:"organization_id"`
	MessagingProfileID payload.Value `json:"messaging_profile_id"`
	AutoresponseType   payload.Value `json:"autoresponse_type"` // STOP, START or HELP
	From               payload.Value `json:"from"`
	To                 payload.Value `json:"to"`
	Text               payload.Value `json:"text"`
	Body               payload.Value `json:"body"` // of an RCS message, which has no text and media
	Media              payload.Value `json:"media"`
	Type               payload.Value `json:"type"` // SMS, MMS, RCS or WHATSAPP
	Parts              payload.Value `json:"parts"`
	Cost               payload.Value `json:"cost"`
	CostBreakdown      payload.Value `json:"cost_breakdown"`
	Errors             payload.Value `json:"errors"`
	SentAt             payload.Value `json:"sent_at"`
}

// party is a sender or recipient. Our side of an RCS message is an agent of RCS.
type party struct {
	PhoneNumber payload.Value `json:"phone_number"`
	Status      payload.Value `json:"status"`
	AgentID     payload.Value `json:"agent_id"`
	AgentName   payload.Value `json:"agent_name"`
}

type body struct {
	Text               payload.Value `json:"text"`
	UserFile           payload.Value `json:"user_file"`
	Location           payload.Value `json:"location"`
	SuggestionResponse payload.Value `json:"suggestion_response"`
}

type userFile struct {
	Payload payload.Value `json:"payload"`
}

type file struct {
	FileURI  payload.Value `json:"file_uri"`
	MimeType payload.Value `json:"mime_type"`
	FileName payload.Value `json:"file_name"`
}

type attachment struct {
	URL         payload.Value `json:"url"`
	ContentType payload.Value `json:"content_type"`
}

type location struct {
	Latitude  payload.Value `json:"latitude"`
	Longitude payload.Value `json:"longitude"`
}

type suggestionResponse struct {
	PostbackData payload.Value `json:"postback_data"`
	Text         payload.Value `json:"text"`
}

type cost struct {
	Amount   payload.Value `json:"amount"`
	Currency payload.Value `json:"currency"`
}

type messageError struct {
	Code   payload.Value `json:"code"`
	Title  payload.Value `json:"title"`
	Detail payload.Value `json:"detail"`
	Source payload.Value `json:"source"`
}

type errorSource struct {
	Pointer payload.Value `json:"pointer"` // a JSON pointer into the message
}

// click is what the contact has done with a link that the vendor has shortened.
type click struct {
	MessageID   payload.Value `json:"message_id"`
	To          payload.Value `json:"to"` // with or without +
	TimeClicked payload.Value `json:"time_clicked"`
}

// native data structure conversion

// linkClicked converts a click on a link in a message of ours. It has no id of its own.
func linkClicked(in *vendors.Input) vendors.Draft {
	r := in.Read()
	c := vendors.Object[click](r, "message", payload.Bind[webhook](in.Payload).Data)
	id := r.Text("message.id", c.MessageID)
	var who event.Contact
	if who.Phone, who.PhoneAsSent = r.ContactPhone(c.To); who.Phone == "" {
		if phone, ok := event.ParsePhone(who.PhoneAsSent, event.WithoutPlus); ok {
			who = event.Contact{Phone: phone}
		}
	}
	r.Note("partitionkey", c.To)
	return vendors.Draft{
		ID:      vendors.Natural(c.MessageID, c.To, c.TimeClicked),
		Subject: vendors.Subject{Kind: "message", ID: id},
		Time:    r.Time("time", c.TimeClicked),
		Person:  vendors.Ladder{who.Phone},
		Read:    r,
		Data:    event.Data{Contact: who, Message: event.Message{ID: id}},
	}
}

// messageReceived converts a message that comes in. Where the vendor has answered a keyword such
// as STOP by itself, there are two events: the message, and the change of the subscription. A
// payload of a keyword but without what was written is the change alone.
func messageReceived(in *vendors.Input, emit func(vendors.Draft) error) error {
	r, o := read(in)
	m := vendors.Object[message](r, "message", o.Payload)
	eventType := changeOf(m.AutoresponseType)
	switch {
	case eventType == "":
		return emit(convertReceived(r, &o, &m))
	case m.Text.Kind()+m.Body.Kind() == payload.Missing:
		return emit(convertChange(r, &o, &m, eventType))
	}
	return messageAndChange(in, o, m, eventType, emit)
}

func messageAndChange(in *vendors.Input, o occurrence, m message, eventType string, emit func(vendors.Draft) error) error {
	received := convertReceived(in.Read(), &o, &m)
	received.Raw = without(in.Payload, &o, m.AutoresponseType)
	if err := emit(received); err != nil {
		return err
	}
	raw := without(in.Payload, &o, m.Text, m.Body, m.Media, m.Parts, m.Cost, m.CostBreakdown)
	var missing payload.Value
	m.Text, m.Body, m.Media, m.Parts, m.Cost = missing, missing, missing, missing, missing
	change := convertChange(in.Read(), &o, &m, eventType)
	change.Raw = raw
	return emit(change)
}

// changeOf returns what a keyword does to the subscription of the contact, "" if it does nothing.
// HELP changes nothing.
func changeOf(keyword payload.Value) string {
	switch word, _ := keyword.Scalar(); word {
	case "STOP":
		return event.ContactUnsubscribed
	case "START":
		return event.ContactSubscribed
	}
	return ""
}

func convertReceived(r *vendors.Reader, o *occurrence, m *message) vendors.Draft {
	draft := convertMessage(r, o, m)
	d := &draft.Data
	from := vendors.Object[party](r, "message.from", m.From)
	to := vendors.Object[party](r, "message.to", first(r, "message.to", m.To))
	r.Note("subscription.subscribed", m.AutoresponseType)
	r.Note("subscription.topic", m.MessagingProfileID)
	draft.Type, draft.ID = event.MessageReceived, vendors.Natural(o.ID)
	d.Direction = event.Inbound
	d.Contact.Phone, d.Contact.PhoneAsSent = r.ContactPhone(from.PhoneNumber)
	d.Agent = agent(r, &to)
	d.Message.From = r.Sender("message.from", from.PhoneNumber)
	d.Message.To = r.PhoneOrShortCode("message.to", to.PhoneNumber)
	draft.Person = vendors.Ladder{d.Contact.Phone}
	return draft
}

// convertChange converts a message by which the contact leaves a messaging profile, or comes
// back: the vendor then blocks all messages of the profile's numbers to the contact, or no longer
// blocks them.
func convertChange(r *vendors.Reader, o *occurrence, m *message, eventType string) vendors.Draft {
	draft := convertReceived(r, o, m)
	d := &draft.Data
	draft.Type, draft.ID = eventType, vendors.Natural(o.ID, m.AutoresponseType)
	if d.Channel == "" {
		d.Channel = event.ChannelOther // every contact.unsubscribed has a channel
	}
	d.Subscription = &event.Subscription{
		Channel:    d.Channel,
		Topic:      r.Text("subscription.topic", m.MessagingProfileID),
		Subscribed: event.True,
	}
	if eventType == event.ContactUnsubscribed {
		d.Subscription.Subscribed = event.False
	}
	d.Direction, d.Message = "", event.Message{}
	return draft
}

// outbound returns the conversion of a native event of an outbound message: an event for each
// recipient, whose type the recipient's status gives.
func outbound(typeOf func(status string) string) func(*vendors.Input, func(vendors.Draft) error) error {
	return func(in *vendors.Input, emit func(vendors.Draft) error) error {
		r, o := read(in)
		m := vendors.Object[message](r, "message", o.Payload)
		if m.To.Kind() != payload.Array || m.To.Len() < 2 {
			return emit(convertOutbound(r, &o, &m, first(r, "message.to", m.To), first(r, "message.status_code", m.Errors), typeOf))
		}
		return eachRecipient(in, o, m, typeOf, emit)
	}
}

// eachRecipient converts a native event of a message to several recipients. If the payload
// cannot be sliced, it becomes one event, which has a vendor-scoped type.
func eachRecipient(in *vendors.Input, o occurrence, m message, typeOf func(string) string, emit func(vendors.Draft) error) error {
	if !separable(in.Payload, m.To) {
		draft := convertMessage(in.Read(), &o, &m)
		draft.ID, draft.Data.Direction = vendors.Natural(o.ID), event.Outbound
		return emit(draft)
	}
	i, n := 0, m.To.Len()
	for to := range m.To.Elements() {
		own, errors := m, errorsOf(m.Errors, i, n)
		if i > 0 {
			own.Cost = payload.Value{} // the cost is that of all recipients together: the first event has it
		}
		draft := convertOutbound(in.Read(), &o, &own, to, errors.first, typeOf)
		draft.Raw = slice(in.Payload, &o, &m, i, to, errors.text)
		if err := emit(draft); err != nil {
			return err
		}
		i++
	}
	return nil
}

func always(eventType string) func(string) string { return func(string) string { return eventType } }

// finalType returns what has become of a message, by the status of a recipient.
func finalType(status string) string {
	switch status {
	case "delivered":
		return event.MessageDelivered
	case "delivery_failed", "expired", "sending_failed":
		return event.MessageFailed
	}
	return event.MessageStatusUnknown // with delivery_unconfirmed the carrier has said nothing
}

func convertOutbound(r *vendors.Reader, o *occurrence, m *message, recipient, failure payload.Value, typeOf func(string) string) vendors.Draft {
	draft := convertMessage(r, o, m)
	d := &draft.Data
	from := vendors.Object[party](r, "message.from", m.From)
	to := vendors.Object[party](r, "message.to", recipient)
	e := vendors.Object[messageError](r, "message.status_code", failure)
	status := r.Text("message.status_text", to.Status)
	r.Note("type", to.Status)
	draft.Type = typeOf(status)
	draft.ID = vendors.Natural(o.ID, to.PhoneNumber)
	if to.PhoneNumber.Absent() {
		draft.ID = vendors.Natural(o.ID) // there is one recipient at most
	}
	d.Direction = event.Outbound
	d.Contact.Phone, d.Contact.PhoneAsSent = r.ContactPhone(to.PhoneNumber)
	d.Agent = agent(r, &from)
	d.Message.From = r.Sender("message.from", from.PhoneNumber)
	d.Message.To = r.PhoneOrShortCode("message.to", to.PhoneNumber)
	d.Message.SentAt = r.Time("message.sent_at", m.SentAt)
	d.Message.StatusText = status
	d.Message.StatusCode = r.Text("message.status_code", e.Code)
	d.Message.StatusDetail = r.Text("message.status_detail", e.Detail, e.Title)
	draft.Person = vendors.Ladder{d.Contact.Phone}
	return draft
}

// convertMessage converts what all native events of a message have in common.
func convertMessage(r *vendors.Reader, o *occurrence, m *message) vendors.Draft {
	id := r.Text("message.id", m.ID)
	b := vendors.Object[body](r, "message.text", m.Body)
	chosen := vendors.Object[suggestionResponse](r, "message.choice_id", b.SuggestionResponse)
	return vendors.Draft{
		Subject: vendors.Subject{Kind: "message", ID: id},
		Time:    r.Time("time", o.OccurredAt),
		Read:    r,
		Data: event.Data{
			Channel: channel(r, m.Type),
			Account: event.Account{ID: r.Text("account.id", m.OrganizationID)},
			Message: event.Message{
				ID:          id,
				Text:        r.Text("message.text", m.Text, b.Text, chosen.Text),
				ContentType: r.Text("message.content_type", m.Type),
				Media:       media(r, m, &b),
				Place:       place(r, b.Location),
				ChoiceID:    r.Text("message.choice_id", chosen.PostbackData),
				Segments:    r.Number("message.segments", m.Parts),
				Cost:        convertCost(r, m.Cost),
			},
		},
	}
}

// channel reads the medium. An MMS goes the way of an SMS; the list of channels has no RCS.
func channel(r *vendors.Reader, v payload.Value) event.Channel {
	switch word, _ := v.Scalar(); word {
	case "MMS":
		r.Note("channel", v)
		return event.ChannelSMS
	case "RCS":
		r.Note("channel", v)
		return event.ChannelOther
	}
	return r.Channel("channel", v)
}

// agent reads our side of an RCS message, which is an agent with a name instead of a number.
func agent(r *vendors.Reader, p *party) event.Agent {
	return event.Agent{
		ID:   r.Text("agent.id", p.AgentID),
		Name: r.Text("agent.name", p.AgentName),
	}
}

func media(r *vendors.Reader, m *message, b *body) []event.Media {
	all := vendors.Elements(r, "message.media", m.Media, func(element payload.Value) event.Media {
		a := vendors.Object[attachment](r, "message.media", element)
		return event.Media{
			URL:  r.Text("message.media.url", a.URL),
			Type: r.Text("message.media.type", a.ContentType),
		}
	})
	if b.UserFile.Absent() {
		return all
	}
	sent := vendors.Object[userFile](r, "message.media", b.UserFile)
	f := vendors.Object[file](r, "message.media", sent.Payload)
	return append(all, event.Media{
		URL:  r.Text("message.media.url", f.FileURI),
		Type: r.Text("message.media.type", f.MimeType),
		Name: r.Text("message.media.name", f.FileName),
	})
}

func place(r *vendors.Reader, v payload.Value) *event.Place {
	if v.Absent() {
		return nil
	}
	l := vendors.Object[location](r, "message.place", v)
	return &event.Place{
		Latitude:  r.Number("message.place.latitude", l.Latitude),
		Longitude: r.Number("message.place.longitude", l.Longitude),
	}
}

func convertCost(r *vendors.Reader, v payload.Value) *event.Cost {
	if v.Absent() {
		r.Note("message.cost", v)
		return nil
	}
	c := vendors.Object[cost](r, "message.cost", v)
	return &event.Cost{
		Amount:   r.Decimal("message.cost.amount", c.Amount),
		Currency: r.Text("message.cost.currency", c.Currency),
	}
}

// first returns the first element of an array, and a value that is no array as it is.
func first(r *vendors.Reader, field string, v payload.Value) payload.Value {
	for element := range v.Elements() {
		return element
	}
	r.Note(field, v)
	return v
}

// slicing

// separable reports whether a payload may be sliced by the recipients: each recipient has a
// number of its own, by which the events are told apart, and the slices are not too large.
func separable(whole, to payload.Value) bool {
	n := to.Len()
	if shared := len(whole.Text()) - len(to.Text()); n*(shared+len("[]"))+len(to.Text()) > vendors.SliceLimit(whole, n) {
		return false
	}
	numbers := make(map[string]bool, n)
	for element := range to.Elements() {
		number, ok := payload.Bind[party](element).PhoneNumber.Scalar()
		if !ok || number == "" || numbers[number] {
			return false
		}
		numbers[number] = true
	}
	return true
}

// recipientErrors are the errors that concern one recipient.
type recipientErrors struct {
	first payload.Value
	text  string // all of them, as an array
}

// errorsOf returns the errors that concern a recipient: those that point at the recipient, as
// /to/0/phone_number does, and behind them those that point at no recipient.
func errorsOf(all payload.Value, recipient, recipients int) recipientErrors {
	if all.Kind() != payload.Array || all.Absent() {
		return recipientErrors{all, all.Text()}
	}
	var own, shared []payload.Value
	for element := range all.Elements() {
		switch at, ok := pointsAt(element, recipients); {
		case !ok:
			shared = append(shared, element)
		case at == recipient:
			own = append(own, element)
		}
	}
	own = append(own, shared...)
	if len(own) == 0 {
		return recipientErrors{text: "[]"}
	}
	texts := make([]string, len(own))
	for i, element := range own {
		texts[i] = element.Text()
	}
	return recipientErrors{own[0], "[" + strings.Join(texts, ",") + "]"}
}

// pointsAt returns the index of the recipient that an error points at, if it points at one.
func pointsAt(element payload.Value, recipients int) (int, bool) {
	source := payload.Bind[errorSource](payload.Bind[messageError](element).Source)
	pointer, _ := source.Pointer.Scalar()
	rest, ok := strings.CutPrefix(pointer, "/to/")
	if !ok {
		return 0, false
	}
	index, _, _ := strings.Cut(rest, "/")
	at, err := strconv.Atoi(index)
	return at, err == nil && 0 <= at && at < recipients
}

// slice returns the payload with one recipient alone.
func slice(whole payload.Value, o *occurrence, m *message, i int, to payload.Value, errors string) string {
	return rewrite(whole, o, func(member payload.Value) string {
		switch {
		case member == m.To:
			return "[" + to.Text() + "]"
		case member == m.Errors:
			return errors
		case i > 0 && (member == m.Cost || member == m.CostBreakdown):
			return ""
		}
		return member.Text()
	})
}

// without returns the payload without some members of the message.
func without(whole payload.Value, o *occurrence, members ...payload.Value) string {
	return rewrite(whole, o, func(member payload.Value) string {
		if slices.Contains(members, member) {
			return ""
		}
		return member.Text()
	})
}

// rewrite returns the payload with other texts for the members of the message, "" for a member
// that is left out.
func rewrite(whole payload.Value, o *occurrence, text func(member payload.Value) string) string {
	data := payload.Bind[webhook](whole).Data
	message := o.Payload.Rewrite(func(_ string, member payload.Value) string { return text(member) })
	return replace(whole, data, replace(data, o.Payload, message))
}

// replace returns the text of an object in which another text stands for one member.
func replace(object, old payload.Value, text string) string {
	return object.Rewrite(func(_ string, member payload.Value) string {
		if member == old {
			return text
		}
		return member.Text()
	})
}
