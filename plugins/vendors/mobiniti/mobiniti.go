// Package mobiniti decodes the webhooks of Mobiniti: texts, what became of texts, and what
// became of contacts. No payload names its native event: the route declares the native
// event, or it is guessed from the shape of the payload.
//
// https://api.mobiniti.com/v1/docs
package mobiniti

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
		Name:    "mobiniti",
		Title:   "Mobiniti",
		Page:    "https://api.mobiniti.com/v1/docs",
		Setup:   "Settings > Message Settings and Settings > Notifications: one URL for each event, `/mobiniti/<secret>/<native event>`.",
		Samples: samples,
		RawOnly: rawOnly,
		Events: []vendors.NativeEvent{
			{Name: "bounce", Types: []string{event.ContactBounced}, Convert: bounced},
			{Name: "contact_status", Types: []string{event.ContactStatusChanged}, Convert: statusChanged},
			{Name: "delivery_report", Types: []string{
				event.MessageDelivered, event.MessageFailed, event.MessageBounced, event.MessageStatusUnknown, "mobiniti.delivery_report",
			}, Split: deliveryReport},
			{Name: "inbound", Types: []string{event.MessageReceived}, Convert: received, RawOnly: contactRawOnly},
			{Name: "rejection", Types: []string{event.MessageRejected}, Convert: rejected},
			{Name: "unsubscribe", Types: []string{event.ContactUnsubscribed}, Convert: unsubscribed, RawOnly: contactRawOnly},
		},
		Closed:    true,
		Shape:     shape,
		Other:     other,
		Numbering: event.NorthAmerican,
	})
}

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "the time of the vendor's record of the contact", Keys: []string{"created_at"}},
	{Reason: "how many messages or recipients the report has, which the events show", Keys: []string{"total_messages", "statuses[].count"}},
	{Reason: "an open value, of which no page says what it holds", Keys: []string{"messages[].metadata"}},
}

// contactRawOnly has the key that is the time of other native events.
var contactRawOnly = []vendors.RawOnly{
	{Reason: "the time of the vendor's record of the contact; another key has the time of the event", Keys: []string{"updated_at"}},
}

// shape guesses the native event by the keys of the payload. Values do not matter: all
// values of a rejection may be "".
func shape(p payload.Value) string {
	switch {
	case p.Has("statuses") && p.Has("messages"):
		return "delivery_report"
	case p.Has("code") && p.Has("description") && !p.Has("id") && !p.Has("phone_number"):
		return "rejection"
	case !p.Has("phone_number"):
		return ""
	case p.Has("message") && (p.Has("short_code") || p.Has("received_at")):
		return "inbound"
	case p.Has("bounces"):
		return "bounce"
	case p.Has("status"):
		return "contact_status"
	case p.Has("to") && p.Has("unsubscribed_at"):
		return "unsubscribe"
	}
	return ""
}

// native data structures

// contact is the payload of all native events except rejection and delivery_report. Its id
// is the id of the contact, not of the event.
type contact struct {
	ID             payload.Value `json:"id"`
	FirstName      payload.Value `json:"first_name"`
	LastName       payload.Value `json:"last_name"`
	Email          payload.Value `json:"email"`
	PhoneNumber    payload.Value `json:"phone_number"`
	Status         payload.Value `json:"status"` // suspended, deactivated, resumed or transferred
	Bounces        payload.Value `json:"bounces"`
	ShortCode      payload.Value `json:"short_code"`
	Message        payload.Value `json:"message"`
	To             payload.Value `json:"to"`
	UnsubscribedAt payload.Value `json:"unsubscribed_at"`
	UpdatedAt      payload.Value `json:"updated_at"`
	ReceivedAt     payload.Value `json:"received_at"`
}

type rejection struct {
	Code        payload.Value `json:"code"`
	Message     payload.Value `json:"message"`
	Description payload.Value `json:"description"`
}

// native data structure conversion

func received(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[contact](in.Payload), in.Read()
	converted := c.convert(r)
	return vendors.Draft{
		Type:    event.MessageReceived,
		ID:      vendors.Content(c.ID, c.ShortCode, c.ReceivedAt, c.Message),
		Subject: vendors.Subject{Kind: "contact", ID: converted.ID},
		Time:    r.Time("time", c.ReceivedAt),
		Person:  vendors.Ladder{converted.Phone, converted.ID},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelSMS,
			Direction: event.Inbound,
			Contact:   converted,
			Message: event.Message{
				From: r.PhoneOrShortCode("message.from", c.PhoneNumber),
				To:   r.PhoneOrShortCode("message.to", c.ShortCode),
				Text: r.Text("message.text", c.Message),
			},
		},
	}
}

func unsubscribed(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[contact](in.Payload), in.Read()
	converted := c.convert(r)
	return vendors.Draft{
		Type:    event.ContactUnsubscribed,
		ID:      vendors.Natural(c.ID, c.To, c.UnsubscribedAt),
		Subject: vendors.Subject{Kind: "contact", ID: converted.ID},
		Time:    converted.UnsubscribedAt,
		Person:  vendors.Ladder{converted.Phone, converted.ID},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelSMS,
			Contact: converted,
			Subscription: &event.Subscription{
				Channel:    event.ChannelSMS,
				Topic:      r.Text("subscription.topic", c.To),
				Subscribed: event.False,
			},
		},
	}
}

func statusChanged(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[contact](in.Payload), in.Read()
	converted := c.convert(r)
	converted.Status = r.Text("contact.status", c.Status)
	return vendors.Draft{
		Type:    event.ContactStatusChanged,
		ID:      vendors.Natural(c.ID, c.Status, c.UpdatedAt),
		Subject: vendors.Subject{Kind: "contact", ID: converted.ID},
		Time:    r.Time("time", c.UpdatedAt),
		Person:  vendors.Ladder{converted.Phone, converted.ID},
		Read:    r,
		Data:    event.Data{Channel: event.ChannelSMS, Contact: converted},
	}
}

func bounced(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[contact](in.Payload), in.Read()
	converted := c.convert(r)
	converted.Bounces = r.Number("contact.bounces", c.Bounces)
	return vendors.Draft{
		Type:    event.ContactBounced,
		ID:      vendors.Natural(c.ID, c.Bounces, c.UpdatedAt),
		Subject: vendors.Subject{Kind: "contact", ID: converted.ID},
		Time:    r.Time("time", c.UpdatedAt),
		Person:  vendors.Ladder{converted.Phone, converted.ID},
		Read:    r,
		Data:    event.Data{Channel: event.ChannelSMS, Contact: converted},
	}
}

func rejected(in *vendors.Input) vendors.Draft {
	f, r := payload.Bind[rejection](in.Payload), in.Read()
	return vendors.Draft{
		Type: event.MessageRejected,
		ID:   vendors.Content(),
		Read: r,
		Data: event.Data{
			Channel:   event.ChannelSMS,
			Direction: event.Outbound,
			Message: event.Message{
				StatusCode:   r.Text("message.status_code", f.Code),
				StatusText:   r.Text("message.status_text", f.Message),
				StatusDetail: r.Text("message.status_detail", f.Description),
			},
		},
	}
}

// other converts a payload that is of no known native event. The contact is read, because
// all native events about a contact have the same keys for the contact.
func other(in *vendors.Input) vendors.Draft {
	c, r := payload.Bind[contact](in.Payload), in.Read()
	converted := c.convert(r)
	return vendors.Draft{
		ID:     vendors.Content(),
		Person: vendors.Ladder{converted.Phone, converted.ID},
		Read:   r,
		Data:   event.Data{Contact: converted},
	}
}

func (c *contact) convert(r *vendors.Reader) event.Contact {
	converted := event.Contact{
		ID:             r.Text("contact.id", c.ID),
		Email:          r.Email("contact.email", c.Email),
		UnsubscribedAt: r.Time("contact.unsubscribed_at", c.UnsubscribedAt),
	}
	r.Names(&converted, c.FirstName, c.LastName)
	converted.Phone, converted.PhoneAsSent = r.ContactPhone(c.PhoneNumber)
	return converted
}
