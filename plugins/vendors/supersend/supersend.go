// Package supersend decodes the webhooks of SuperSend: what a contact did with an outreach
// e-mail, and what became of the contact. Every payload names its native event. The rest of
// it is a snapshot of the contact; or, in the shape that the vendor's help page describes,
// the id of the contact and the time.
//
// https://docs.supersend.io/docs/webhooks
package supersend

import (
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
		Name:      "supersend",
		Title:     "SuperSend",
		Page:      "https://docs.supersend.io/docs/webhooks",
		Setup:     "Integrations > Webhook > Webhook URL: `/supersend`.",
		SecretEnv: "SUPERSEND_SECRET",
		Signing:   signing.Header{Name: "X-Webhook-Secret"},
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "appointment", Types: []string{event.ContactAppointmentChanged}, Convert: appointmentChanged, RawOnly: cumulative("interest")},
			{Name: "bounce", Types: []string{event.EmailBounced, "supersend.bounce"}, Convert: email(event.EmailBounced, event.Outbound), RawOnly: cumulative("appointment", "interest")},
			{Name: "click", Types: []string{event.EmailClicked, "supersend.click"}, Convert: email(event.EmailClicked, event.Outbound), RawOnly: cumulative("appointment", "interest")},
			{Name: "finished", Types: []string{event.ContactSequenceFinished}, Convert: sequenceFinished, RawOnly: cumulative("appointment", "interest")},
			{Name: "interest", Types: []string{event.ContactInterestChanged}, Convert: interestChanged, RawOnly: cumulative("appointment")},
			{Name: "open", Types: []string{event.EmailOpened, "supersend.open"}, Convert: email(event.EmailOpened, event.Outbound), RawOnly: cumulative("appointment", "interest")},
			{Name: "reply", Types: []string{event.EmailReplied, "supersend.reply"}, Convert: email(event.EmailReplied, event.Inbound), RawOnly: cumulative("appointment", "interest")},
			{Name: "sent", Types: []string{event.EmailSent, "supersend.sent"}, Convert: email(event.EmailSent, event.Outbound), RawOnly: cumulative("appointment", "interest")},
			{Name: "unsubscribe", Types: []string{event.ContactUnsubscribed}, Convert: unsubscribed, RawOnly: cumulative("appointment", "interest")},
		},
		RawOnly: rawOnly,
		Named:   named,
		Other:   other,
	})
}

func named(r *vendors.Reader, p payload.Value) string {
	return r.Text("vendorevent", p.Get("type"), p.Get("event"))
}

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "what happened to the contact up to now, which does not tell what happens in this event", Keys: []string{
		"contact.bounced", "contact.clicked", "contact.failed", "contact.finished", "contact.opened", "contact.replied",
	}},
	{Reason: "the state of the vendor's record of the contact", Keys: []string{
		"contact.createdAt", "contact.deleted", "contact.validated", "contact.verified",
	}},
	{Reason: "the vendor's profile attribute of the contact", Keys: []string{
		"contact.company_url", "contact.image", "contact.industry", "contact.linkedin_url", "contact.note", "contact.one_liner",
		"contact.timezone_offset", "contact.twitter", "contact.twitter_id",
	}},
	{Reason: "a test of two variants, which no page explains", Keys: []string{"contact.b_test", "contact.test_letter"}},
	{Reason: "an internal id that joins nothing", Keys: []string{"contact.ContactConfigId", "contact.SenderId", "contact.TeamId", "contact.UserId"}},
	{Reason: "the campaign of the contact, which may differ from the campaign of the event", Keys: []string{"contact.CampaignId"}},
	{Reason: "how the vendor sends for the agent", Keys: []string{"contact.Sender.provider"}},
	{Reason: "an open value, of which no page says what it holds", Keys: []string{"details"}},
}

// cumulative returns the reason why members of contact stand in raw only on native events
// that are not about them.
func cumulative(names ...string) []vendors.RawOnly {
	var keys []string
	for _, name := range names {
		keys = append(keys, "contact."+name)
	}
	return []vendors.RawOnly{{Reason: "what is known of the contact up to now, which is not what this event is about", Keys: keys}}
}

// native data structures

// webhook has a contact, or, in the other shape, event, timestamp and ContactId.
type webhook struct {
	Type       payload.Value `json:"type"`
	CampaignID payload.Value `json:"CampaignId"` // contact has a CampaignId too, which may differ; this one is the event's
	Contact    payload.Value `json:"contact"`
	Timestamp  payload.Value `json:"timestamp"`
	ContactID  payload.Value `json:"ContactId"`
}

// contact is a snapshot of the contact. Its booleans (opened, clicked, replied, ...) are
// cumulative and say nothing about the event, so no field reads them.
type contact struct {
	ID          payload.Value `json:"id"`
	FirstName   payload.Value `json:"first_name"`
	LastName    payload.Value `json:"last_name"`
	Email       payload.Value `json:"email"`
	Title       payload.Value `json:"title"`
	Phone       payload.Value `json:"phone"`
	CompanyName payload.Value `json:"company_name"`
	State       payload.Value `json:"state"`
	Country     payload.Value `json:"country"`
	Custom      payload.Value `json:"custom"` // null, or an open map
	Interest    payload.Value `json:"interest"`
	Appointment payload.Value `json:"appointment"`
	UpdatedAt   payload.Value `json:"updatedAt"`
	OrgID       payload.Value `json:"OrgId"`
	Sender      payload.Value `json:"Sender"`
}

type sender struct {
	ID     payload.Value `json:"id"`
	SendAs payload.Value `json:"send_as"`
	Email  payload.Value `json:"email"`
}

// native data structure conversion

// email returns the conversion of what happened to an e-mail. The vendor also reaches
// contacts by other means; it was an e-mail only if the sender has an e-mail address.
func email(eventType string, direction event.Direction) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		draft, _ := convert(in)
		if draft.Data.Agent.Email != "" {
			draft.Type = eventType
			draft.Data.Channel = event.ChannelEmail
			draft.Data.Direction = direction
		}
		return draft
	}
}

// unsubscribed converts an unsubscribe: the contact has left the campaign. Where the sender
// has no e-mail address, the page does not tell the medium.
func unsubscribed(in *vendors.Input) vendors.Draft {
	draft, _ := convert(in)
	draft.Type = event.ContactUnsubscribed
	draft.Data.Channel = event.ChannelOther
	if draft.Data.Agent.Email != "" {
		draft.Data.Channel = event.ChannelEmail
	}
	draft.Data.Subscription = &event.Subscription{
		Channel:    draft.Data.Channel,
		Topic:      draft.Data.Campaign.ID,
		Subscribed: event.False,
	}
	return draft
}

func sequenceFinished(in *vendors.Input) vendors.Draft {
	draft, _ := convert(in)
	draft.Type = event.ContactSequenceFinished
	return draft
}

func interestChanged(in *vendors.Input) vendors.Draft {
	draft, c := convert(in, "interest")
	draft.Type = event.ContactInterestChanged
	draft.Data.Contact.Interest = draft.Read.Text("contact.interest", c.Interest)
	return draft
}

func appointmentChanged(in *vendors.Input) vendors.Draft {
	draft, c := convert(in, "appointment")
	draft.Type = event.ContactAppointmentChanged
	draft.Data.Contact.Appointment = draft.Read.Bool("contact.appointment", c.Appointment)
	return draft
}

// convert converts what all native events have in common. The members of contact that are
// named in changed are parts of the identity.
func convert(in *vendors.Input, changed ...string) (vendors.Draft, contact) {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	c := vendors.Object[contact](r, "contact", w.Contact)
	s := vendors.Object[sender](r, "agent", c.Sender)
	identity := vendors.Content()
	if !c.UpdatedAt.Absent() {
		parts := []payload.Value{w.Type, w.CampaignID, c.ID, c.UpdatedAt}
		for _, name := range changed {
			parts = append(parts, w.Contact.Get(name))
		}
		identity = vendors.Content(parts...)
	}
	converted := convertContact(r, &w, &c)
	return vendors.Draft{
		ID:      identity,
		Subject: vendors.Subject{Kind: "contact", ID: converted.ID},
		Time:    r.Time("time", c.UpdatedAt, w.Timestamp), // updatedAt is the nearest to the time of the event
		Person:  vendors.Ladder{converted.ID},
		Read:    r,
		Data: event.Data{
			Contact: converted,
			Agent: event.Agent{
				ID:    r.Text("agent.id", s.ID),
				Name:  r.Text("agent.name", s.SendAs),
				Email: r.Email("agent.email", s.Email),
			},
			Account:  event.Account{ID: r.Text("account.id", c.OrgID)},
			Campaign: event.Campaign{ID: r.Text("campaign.id", w.CampaignID)},
		},
	}, c
}

func convertContact(r *vendors.Reader, w *webhook, c *contact) event.Contact {
	converted := event.Contact{
		ID:      r.Text("contact.id", c.ID, w.ContactID),
		Email:   r.Email("contact.email", c.Email),
		Title:   r.Text("contact.title", c.Title),
		Company: r.Text("contact.company", c.CompanyName),
		Location: event.Location{
			Region:  r.Text("contact.location.region", c.State),
			Country: r.Text("contact.location.country", c.Country),
		},
		Custom: r.Pairs("contact.custom", c.Custom),
	}
	r.Names(&converted, c.FirstName, c.LastName)
	converted.Phone, converted.PhoneAsSent = r.ContactPhone(c.Phone)
	return converted
}

// other converts a payload that is of no known native event.
func other(in *vendors.Input) vendors.Draft {
	draft, _ := convert(in)
	return draft
}
