// Package movement decodes the webhooks of Movement: calls, texts, e-mails and
// unsubscribes of a campaign. Every payload names its native event by a topic
// and an event.
//
// https://movement.industries
package movement

import (
	"embed"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:    "movement",
		Title:   "Movement",
		Page:    "https://movement.industries",
		Setup:   "Ask the vendor's helpdesk to send the topics to `/movement/<secret>`.",
		Samples: samples,
		Events: []vendors.NativeEvent{
			{Name: "call.finished", Types: []string{event.CallCompleted}, Convert: callFinished},
			{Name: "email.sent", Types: []string{event.EmailSent}, Convert: emailSent},
			{Name: "subscription.unsubscribe", Types: []string{event.ContactUnsubscribed, "movement.subscription.unsubscribe"}, Convert: unsubscribed},
			{Name: "text_message.received", Types: []string{event.MessageReceived}, Convert: textReceived},
			{Name: "text_message.sent", Types: []string{event.MessageSent}, Convert: textSent},
		},
		Named: named,
		Other: other,
	})
}

func named(r *vendors.Reader, p payload.Value) string {
	topic, name := r.Text("vendorevent", p.Get("topic")), r.Text("vendorevent", p.Get("event"))
	if topic == "" || name == "" {
		return ""
	}
	return topic + "." + name
}

// native data structures

type webhook struct {
	Call         payload.Value `json:"call"`
	TextMessage  payload.Value `json:"text_message"`
	Email        payload.Value `json:"email"`
	Subscription payload.Value `json:"subscription"`
	Campaign     payload.Value `json:"campaign"`
	Target       payload.Value `json:"target"`
	User         payload.Value `json:"user"` // null except in peer-to-peer campaigns
}

type call struct {
	ID        payload.Value `json:"id"`
	BeganAt   payload.Value `json:"began_at"`
	Duration  payload.Value `json:"duration"` // seconds
	Outcome   payload.Value `json:"outcome"`  // any word; only answer is documented
	Responses payload.Value `json:"responses"`
}

type response struct {
	ID        payload.Value `json:"id"`
	CreatedAt payload.Value `json:"created_at"`
	Question  payload.Value `json:"question"`
	Answer    payload.Value `json:"answer"`
}

type textMessage struct {
	ID        payload.Value `json:"id"`
	SentAt    payload.Value `json:"sent_at"`
	Body      payload.Value `json:"body"`
	MediaType payload.Value `json:"media_type"`
	MediaURL  payload.Value `json:"media_url"`
}

type email struct {
	ID          payload.Value `json:"id"`
	SentAt      payload.Value `json:"sent_at"`
	Body        payload.Value `json:"body"`
	SubjectLine payload.Value `json:"subject_line"`
}

type subscription struct {
	ID           payload.Value `json:"id"`
	Kind         payload.Value `json:"kind"` // phone, email, sms or whatsapp
	Topic        payload.Value `json:"topic"`
	Subscribed   payload.Value `json:"subscribed"`
	Organisation payload.Value `json:"organisation"`
}

type target struct {
	ID            payload.Value `json:"id"`
	ExternalID    payload.Value `json:"external_id"`
	Name          payload.Value `json:"name"`
	Organisations payload.Value `json:"organisations"`
}

type organisation struct {
	ID         payload.Value `json:"id"`
	ExternalID payload.Value `json:"external_id"`
	Name       payload.Value `json:"name"`
	Type       payload.Value `json:"type"`
}

// identified is a campaign or a user.
type identified struct {
	ID   payload.Value `json:"id"`
	Name payload.Value `json:"name"`
}

// choice is a question or an answer.
type choice struct {
	ID   payload.Value `json:"id"`
	Text payload.Value `json:"text"`
}

// native data structure conversion

func callFinished(in *vendors.Input) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	c := vendors.Object[call](r, "call", w.Call)
	callID, beganAt := r.Text("call.id", c.ID), r.Time("call.started_at", c.BeganAt)
	answered, outcome := outcomeOf(r, c.Outcome)
	who := contact(r, w.Target)
	return vendors.Draft{
		Type:    event.CallCompleted,
		ID:      vendors.Natural(c.ID),
		Subject: vendors.Subject{Kind: "call", ID: callID},
		Time:    beganAt,
		Person:  vendors.Ladder{who.ID},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelPhone,
			Direction: event.Outbound, // the user places the calls
			Contact:   who,
			Agent:     agent(r, w.User),
			Campaign:  campaign(r, w.Campaign),
			Call: &event.Call{
				ID:              callID,
				StartedAt:       beganAt,
				DurationSeconds: r.Number("call.duration_seconds", c.Duration),
				Answered:        answered,
				Outcome:         outcome,
				Disposition:     r.Text("call.disposition", c.Outcome),
			},
			Survey: survey(r, c.Responses),
		},
	}
}

// outcomeOf reads how a call ended. Only the word answer is documented: no other word says
// whether the call was answered.
func outcomeOf(r *vendors.Reader, v payload.Value) (event.Bool, event.Outcome) {
	r.Note("call.answered", v)
	r.Note("call.outcome", v)
	if word, _ := v.Scalar(); word == "answer" {
		return event.True, event.Answered
	}
	return 0, ""
}

func textSent(in *vendors.Input) vendors.Draft {
	return convertText(in, event.MessageSent, event.Outbound)
}

func textReceived(in *vendors.Input) vendors.Draft {
	return convertText(in, event.MessageReceived, event.Inbound)
}

func convertText(in *vendors.Input, eventType string, direction event.Direction) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	t := vendors.Object[textMessage](r, "message", w.TextMessage)
	messageID, sentAt := r.Text("message.id", t.ID), r.Time("message.sent_at", t.SentAt)
	who := contact(r, w.Target)
	return vendors.Draft{
		Type:    eventType,
		ID:      vendors.Natural(t.ID),
		Subject: vendors.Subject{Kind: "message", ID: messageID},
		Time:    sentAt,
		Person:  vendors.Ladder{who.ID},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelText, // no key tells SMS from WhatsApp
			Direction: direction,
			Contact:   who,
			Agent:     agent(r, w.User),
			Campaign:  campaign(r, w.Campaign),
			Message: event.Message{
				ID:     messageID,
				Text:   r.Text("message.text", t.Body),
				Media:  media(r, &t),
				SentAt: sentAt,
			},
		},
	}
}

func emailSent(in *vendors.Input) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	e := vendors.Object[email](r, "email", w.Email)
	emailID, sentAt := r.Text("email.id", e.ID), r.Time("email.sent_at", e.SentAt)
	who := contact(r, w.Target)
	return vendors.Draft{
		Type:    event.EmailSent,
		ID:      vendors.Natural(e.ID, w.Target.Get("id")), // one e-mail is sent to many targets
		Subject: vendors.Subject{Kind: "email", ID: emailID},
		Time:    sentAt,
		Person:  vendors.Ladder{who.ID},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelEmail,
			Direction: event.Outbound,
			Contact:   who,
			Agent:     agent(r, w.User),
			Campaign:  campaign(r, w.Campaign),
			Email: &event.Email{
				ID:      emailID,
				Subject: r.Text("email.subject", e.SubjectLine),
				Body:    r.Text("email.body", e.Body),
				SentAt:  sentAt,
			},
		},
	}
}

// unsubscribed converts a change of a subscription. It is a contact.unsubscribed only if
// the payload says that the contact is not subscribed. Two equal payloads may be two true
// unsubscribes, because no key says when they happened: so the id is one of content.
func unsubscribed(in *vendors.Input) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	s := vendors.Object[subscription](r, "subscription", w.Subscription)
	who, channel := contact(r, w.Target), r.Channel("subscription.channel", s.Kind)
	r.Note("channel", s.Kind)
	draft := vendors.Draft{
		ID:      vendors.Content(),
		Subject: vendors.Subject{Kind: "contact", ID: who.ID},
		Person:  vendors.Ladder{who.ID},
		Read:    r,
		Data: event.Data{
			Channel:  channel,
			Contact:  who,
			Agent:    agent(r, w.User),
			Campaign: campaign(r, w.Campaign),
			Subscription: &event.Subscription{
				ID:           r.Text("subscription.id", s.ID),
				Channel:      channel,
				Topic:        r.Text("subscription.topic", s.Topic),
				Organization: convertOrganisation(r, &left, s.Organisation),
				Subscribed:   r.Bool("subscription.subscribed", s.Subscribed),
			},
		},
	}
	if draft.Data.Subscription.Subscribed == event.False {
		draft.Type = event.ContactUnsubscribed
		if channel == "" { // every contact.unsubscribed has a channel
			draft.Data.Channel, draft.Data.Subscription.Channel = event.ChannelOther, event.ChannelOther
		}
	}
	return draft
}

// other converts a payload that is of no known native event. The contact, agent and campaign
// are read, because all native events have the same keys for them.
func other(in *vendors.Input) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	who := contact(r, w.Target)
	return vendors.Draft{
		ID:     vendors.Content(),
		Person: vendors.Ladder{who.ID},
		Read:   r,
		Data: event.Data{
			Contact:  who,
			Agent:    agent(r, w.User),
			Campaign: campaign(r, w.Campaign),
		},
	}
}

func contact(r *vendors.Reader, v payload.Value) event.Contact {
	t := vendors.Object[target](r, "contact", v)
	return event.Contact{
		ID:            r.Text("contact.id", t.ID),
		ExternalID:    r.Text("contact.external_id", t.ExternalID),
		Name:          r.Text("contact.name", t.Name),
		Organizations: organisations(r, t.Organisations),
	}
}

func organisations(r *vendors.Reader, v payload.Value) []event.Organization {
	return vendors.Elements(r, belongsTo.whole, v, func(element payload.Value) event.Organization {
		return convertOrganisation(r, &belongsTo, element)
	})
}

// organizationFields has the names of the fields of an organization.
type organizationFields struct{ whole, id, externalID, name, kind string }

// The organizations that a contact belongs to, and the organization that a contact leaves.
var (
	belongsTo = fieldsBelow("contact.organizations")
	left      = fieldsBelow("subscription.organization")
)

func fieldsBelow(whole string) organizationFields {
	return organizationFields{whole, whole + ".id", whole + ".external_id", whole + ".name", whole + ".type"}
}

func convertOrganisation(r *vendors.Reader, f *organizationFields, v payload.Value) event.Organization {
	o := vendors.Object[organisation](r, f.whole, v)
	return event.Organization{
		ID:         r.Text(f.id, o.ID),
		ExternalID: r.Text(f.externalID, o.ExternalID),
		Name:       r.Text(f.name, o.Name),
		Type:       r.Text(f.kind, o.Type),
	}
}

func agent(r *vendors.Reader, v payload.Value) event.Agent {
	u := vendors.Object[identified](r, "agent", v)
	return event.Agent{
		ID:   r.Text("agent.id", u.ID),
		Name: r.Text("agent.name", u.Name),
	}
}

func campaign(r *vendors.Reader, v payload.Value) event.Campaign {
	c := vendors.Object[identified](r, "campaign", v)
	return event.Campaign{
		ID:   r.Text("campaign.id", c.ID),
		Name: r.Text("campaign.name", c.Name),
	}
}

func media(r *vendors.Reader, t *textMessage) []event.Media {
	return []event.Media{{
		URL:  r.Text("message.media.url", t.MediaURL),
		Type: r.Text("message.media.type", t.MediaType),
	}}
}

func survey(r *vendors.Reader, v payload.Value) []event.Answer {
	return vendors.Elements(r, "survey", v, func(element payload.Value) event.Answer {
		a := vendors.Object[response](r, "survey", element)
		question := vendors.Object[choice](r, "survey.question", a.Question)
		answer := vendors.Object[choice](r, "survey.answer", a.Answer)
		return event.Answer{
			ID:         r.Text("survey.id", a.ID),
			QuestionID: r.Text("survey.question_id", question.ID),
			Question:   r.Text("survey.question", question.Text),
			AnswerID:   r.Text("survey.answer_id", answer.ID),
			Answer:     r.Text("survey.answer", answer.Text),
			AnsweredAt: r.Time("survey.answered_at", a.CreatedAt),
		}
	})
}
