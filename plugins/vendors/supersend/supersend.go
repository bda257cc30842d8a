// Package supersend decodes the webhooks of SuperSend: what a contact did with an outreach
// e-mail, and what became of the contact. Every payload names its native event; everything
// else in the payload is a snapshot of the contact.
//
// https://docs.supersend.io/docs/webhooks
package supersend

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
		Name:         "supersend",
		Title:        "SuperSend",
		Page:         "https://docs.supersend.io/docs/webhooks",
		Setup:        "Integrations > Webhook > Webhook URL: `/supersend`.",
		SecretEnv:    "SUPERSEND_SECRET",
		SecretHeader: "X-Webhook-Secret",
		Samples:      samples,
		Events: []vendors.NativeEvent{
			{Name: "appointment", Types: []string{event.ContactAppointmentChanged}, Convert: appointmentChanged},
			{Name: "bounce", Types: []string{event.EmailBounced, "supersend.bounce"}, Convert: email(event.EmailBounced, event.Outbound)},
			{Name: "click", Types: []string{event.EmailClicked, "supersend.click"}, Convert: email(event.EmailClicked, event.Outbound)},
			{Name: "finished", Types: []string{event.ContactSequenceFinished}, Convert: contactChanged(event.ContactSequenceFinished)},
			{Name: "interest", Types: []string{event.ContactInterestChanged}, Convert: interestChanged},
			{Name: "open", Types: []string{event.EmailOpened, "supersend.open"}, Convert: email(event.EmailOpened, event.Outbound)},
			{Name: "reply", Types: []string{event.EmailReplied, "supersend.reply"}, Convert: email(event.EmailReplied, event.Inbound)},
			{Name: "sent", Types: []string{event.EmailSent, "supersend.sent"}, Convert: email(event.EmailSent, event.Outbound)},
			{Name: "unsubscribe", Types: []string{event.ContactUnsubscribed}, Convert: contactChanged(event.ContactUnsubscribed)},
		},
		Named: named,
		Other: other,
	})
}

func named(r *vendors.Reader, p payload.Value) string {
	return r.Text("vendorevent", p.Get("type"))
}

// native data structures

type webhook struct {
	Type       payload.Value `json:"type"`
	CampaignID payload.Value `json:"CampaignId"` // contact has a CampaignId too, which may differ; this one is the event's
	Contact    payload.Value `json:"contact"`
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

func contactChanged(eventType string) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		draft, _ := convert(in)
		draft.Type = eventType
		return draft
	}
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
	w, r := vendors.Bind[webhook](in), in.Read()
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
	return vendors.Draft{
		ID:      identity,
		Subject: vendors.Subject{Kind: "contact", ID: personOf(in)},
		Time:    r.Time("time", c.UpdatedAt), // the nearest to the time of the event, which the vendor does not send
		Person:  personOf(in),
		Read:    r,
		Data: event.Data{
			Contact: event.Contact{
				ID:        r.Text("contact.id", c.ID),
				FirstName: r.Text("contact.first_name", c.FirstName),
				LastName:  r.Text("contact.last_name", c.LastName),
				Phone:     r.Phone("contact.phone", c.Phone),
				Email:     r.Text("contact.email", c.Email),
				Title:     r.Text("contact.title", c.Title),
				Company:   r.Text("contact.company", c.CompanyName),
				Location: event.Location{
					Region:  r.Text("contact.location.region", c.State),
					Country: r.Text("contact.location.country", c.Country),
				},
				Custom: r.Pairs("contact.custom", c.Custom),
			},
			Agent: event.Agent{
				ID:    r.Text("agent.id", s.ID),
				Name:  r.Text("agent.name", s.SendAs),
				Email: r.Text("agent.email", s.Email),
			},
			Account:  event.Account{ID: r.Text("account.id", c.OrgID)},
			Campaign: event.Campaign{ID: r.Text("campaign.id", w.CampaignID)},
		},
	}, c
}

// other converts a payload that is of no known native event.
func other(in *vendors.Input) vendors.Draft {
	draft, _ := convert(in)
	return draft
}

func personOf(in *vendors.Input) string {
	id, _ := in.Payload.Get("contact").Get("id").Scalar()
	return id
}
