// Package oneroute decodes the webhooks of OneRoute: messages of all channels that the
// vendor's inbox has. Every payload names its native event.
//
// https://oneroute.io
package oneroute

import (
	"cmp"
	"crypto"
	"embed"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "oneroute",
		Title:     "OneRoute",
		Page:      "https://oneroute.io",
		Setup:     "Settings > Webhook URL, or a channel's own: `/oneroute`.",
		Signature: &vendors.Signature{Header: "X-Oneroute-Signature", Hash: crypto.SHA512, Encoding: vendors.Hex, Reserialised: true},
		SecretEnv: "ONEROUTE_SECRET_KEY",
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "newMessage", Types: []string{event.MessageReceived, event.MessageSent, "oneroute.new_message"}, Convert: newMessage},
		},
		Named:        named,
		Other:        other,
		RedactedKeys: []string{"credentials", "webhookUrl"},
	})
}

func named(r *vendors.Reader, p payload.Value) string {
	return r.Text("vendorevent", p.Get("event"))
}

// native data structures

type webhook struct {
	Message      payload.Value `json:"message"`
	Conversation payload.Value `json:"conversation"`
}

type message struct {
	Sender          payload.Value `json:"sender"`
	ExternalID      payload.Value `json:"externalId"`
	Content         payload.Value `json:"content"`
	ContentType     payload.Value `json:"contentType"` // TEXT, IMAGE, VIDEO, DOCUMENT or AUDIO
	ImageURL        payload.Value `json:"imageUrl"`
	VideoURL        payload.Value `json:"videoUrl"`
	DocumentURL     payload.Value `json:"documentUrl"`
	AudioURL        payload.Value `json:"audioUrl"`
	QuotedMessageID payload.Value `json:"quoted_message_id"`
	ConversationID  payload.Value `json:"conversation_id"`
}

type sender struct {
	Name     payload.Value `json:"name"`
	AuthUser payload.Value `json:"authUser"` // false if the customer is the sender, true if an agent or the API is
}

type conversation struct {
	ID            payload.Value `json:"id"`
	Subject       payload.Value `json:"subject"`
	Customer      payload.Value `json:"customer"`
	LastMessageAt payload.Value `json:"lastMessageAt"`
	Status        payload.Value `json:"status"`
	CreatedAt     payload.Value `json:"createdAt"`
	Channel       payload.Value `json:"Channel"`
}

type customer struct {
	ID    payload.Value `json:"id"`
	Name  payload.Value `json:"name"`
	Email payload.Value `json:"email"`
	Phone payload.Value `json:"phone"`
}

type channel struct {
	Medium payload.Value `json:"medium"`
}

// native data structure conversion

func newMessage(in *vendors.Input) vendors.Draft {
	w, r := vendors.Bind[webhook](in), in.Read()
	m := vendors.Object[message](r, "message", w.Message)
	s := vendors.Object[sender](r, "direction", m.Sender)
	c := vendors.Object[conversation](r, "conversation", w.Conversation)
	lastMessageAt := r.Time("conversation.last_message_at", c.LastMessageAt)
	draft := vendors.Draft{
		ID:      identity(&m, &s, &c),
		Subject: subject(&m, &c),
		Time:    lastMessageAt, // the nearest to the time of the message, which the vendor does not send
		Person:  personOf(in),
		Read:    r,
		Data: event.Data{
			Channel: medium(r, c.Channel),
			Contact: contact(r, c.Customer),
			Message: event.Message{
				ID:             r.Text("message.id", m.ExternalID),
				Text:           r.Text("message.text", m.Content),
				ContentType:    r.Text("message.content_type", m.ContentType),
				Media:          media(r, &m),
				ReplyToID:      r.Text("message.reply_to_id", m.QuotedMessageID),
				ConversationID: r.Text("message.conversation_id", m.ConversationID),
			},
			Conversation: &event.Conversation{
				ID:            r.Text("conversation.id", c.ID),
				Subject:       r.Text("conversation.subject", c.Subject),
				Status:        r.Text("conversation.status", c.Status),
				CreatedAt:     r.Time("conversation.created_at", c.CreatedAt),
				LastMessageAt: lastMessageAt,
			},
		},
	}
	switch r.Bool("direction", s.AuthUser) {
	case event.False:
		draft.Type = event.MessageReceived
		draft.Data.Direction = event.Inbound
		if who := &draft.Data.Contact; cmp.Or(who.ID, who.Name, who.Phone, who.Email) == "" {
			who.Name = r.Text("contact.name", s.Name)
		}
	case event.True:
		draft.Type = event.MessageSent
		draft.Data.Direction = event.Outbound
		draft.Data.Agent = event.Agent{Name: r.Text("agent.name", s.Name)}
	}
	return draft
}

// identity returns the id of the message, else everything that makes the message: the
// vendor does not always send the id.
func identity(m *message, s *sender, c *conversation) vendors.Identity {
	if _, ok := m.ExternalID.Scalar(); ok && !m.ExternalID.Absent() {
		return vendors.Natural(m.ExternalID)
	}
	return vendors.Content(m.ConversationID, c.LastMessageAt, s.AuthUser, m.ContentType, m.Content, m.ImageURL, m.VideoURL, m.DocumentURL, m.AudioURL)
}

func subject(m *message, c *conversation) vendors.Subject {
	if id, ok := m.ExternalID.Scalar(); ok && id != "" {
		return vendors.Subject{Kind: "message", ID: id}
	}
	id, _ := c.ID.Scalar()
	return vendors.Subject{Kind: "conversation", ID: id}
}

// other converts a payload that is of no known native event.
func other(in *vendors.Input) vendors.Draft {
	return vendors.Draft{
		ID:     vendors.Content(),
		Person: personOf(in),
		Read:   in.Read(),
	}
}

func personOf(in *vendors.Input) string {
	id, _ := in.Payload.Get("conversation").Get("id").Scalar()
	return id
}

func contact(r *vendors.Reader, v payload.Value) event.Contact {
	c := vendors.Object[customer](r, "contact", v)
	return event.Contact{
		ID:    r.Text("contact.id", c.ID),
		Name:  r.Text("contact.name", c.Name),
		Phone: r.Phone("contact.phone", c.Phone),
		Email: r.Text("contact.email", c.Email),
	}
}

func media(r *vendors.Reader, m *message) []event.Media {
	var converted []event.Media
	for _, attachment := range []struct {
		kind string
		url  payload.Value
	}{{"image", m.ImageURL}, {"video", m.VideoURL}, {"document", m.DocumentURL}, {"audio", m.AudioURL}} {
		if url := r.Text("message.media.url", attachment.url); url != "" {
			converted = append(converted, event.Media{URL: url, Type: attachment.kind})
		}
	}
	return converted
}

func medium(r *vendors.Reader, v payload.Value) event.Channel {
	c := vendors.Object[channel](r, "channel", v)
	switch r.Text("channel", c.Medium) {
	case "":
		return ""
	case "WHATSAPP":
		return event.ChannelWhatsApp
	case "SMS":
		return event.ChannelSMS
	case "EMAIL":
		return event.ChannelEmail
	case "LIVECHAT":
		return event.ChannelChat
	case "INSTAGRAM", "FACEBOOK", "TWITTER":
		return event.ChannelSocial
	}
	return event.ChannelOther
}
