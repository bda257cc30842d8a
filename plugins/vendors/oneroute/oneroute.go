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
	"github.com/hookswitch/hookswitch/plugins/signing"
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
		Signing:   signing.HMAC{Header: "X-Oneroute-Signature", Hash: crypto.SHA512, Encoding: signing.Hex, Reserialised: true},
		SecretEnv: "ONEROUTE_SECRET_KEY",
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "newMessage", Types: []string{event.MessageReceived, event.MessageSent, "oneroute.new_message"}, Convert: newMessage},
		},
		Named:        named,
		Other:        other,
		RawOnly:      rawOnly,
		RedactedKeys: []string{"credentials", "webhookUrl"},
		Numbering:    event.WithoutPlus,
	})
}

func named(r *vendors.Reader, p payload.Value) string {
	return r.Text("vendorevent", p.Get("event"))
}

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "the time of the vendor's record", Keys: []string{"message.sender.lastActivity", "conversation.updatedAt"}},
	{Reason: "whether our side has read the conversation, in the vendor's inbox", Keys: []string{"conversation.read"}},
	{Reason: "the country of the vendor's record, not that of the customer", Keys: []string{"conversation.country"}},
	{Reason: "how the channel is set up with the vendor", Keys: []string{
		"conversation.Channel.country", "conversation.Channel.description", "conversation.Channel.env", "conversation.Channel.provider",
		"conversation.Channel.status", "conversation.Channel.type",
	}},
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
	Agent         payload.Value `json:"agent"` // null on the vendor's page: a name, or an object
	AgentID       payload.Value `json:"agent_id"`
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

type agent struct {
	ID    payload.Value `json:"id"`
	Name  payload.Value `json:"name"`
	Email payload.Value `json:"email"`
}

// channel is a number or address of our side, such as a WhatsApp number.
type channel struct {
	ID         payload.Value `json:"id"`
	Name       payload.Value `json:"name"`
	Medium     payload.Value `json:"medium"`
	Phone      payload.Value `json:"phone"`
	Identifier payload.Value `json:"identifier"` // on some media a phone number
}

// native data structure conversion

func newMessage(in *vendors.Input) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	m := vendors.Object[message](r, "message", w.Message)
	s := vendors.Object[sender](r, "direction", m.Sender)
	c := vendors.Object[conversation](r, "conversation", w.Conversation)
	ours := vendors.Object[channel](r, "account", c.Channel)
	draft := convert(r, &c, &ours)
	draft.ID = identity(&m, &s, &c)
	draft.Time = draft.Data.Conversation.LastMessageAt // the nearest to the time of the message, which the vendor does not send
	draft.Data.Message = event.Message{
		ID:             r.Text("message.id", m.ExternalID),
		Text:           r.Text("message.text", m.Content),
		ContentType:    r.Text("message.content_type", m.ContentType),
		Media:          media(r, &m),
		ReplyToID:      r.Text("message.reply_to_id", m.QuotedMessageID),
		ConversationID: r.Text("message.conversation_id", m.ConversationID),
	}
	if id := draft.Data.Message.ID; id != "" {
		draft.Subject = vendors.Subject{Kind: "message", ID: id}
	}
	switch r.Bool("direction", s.AuthUser) {
	case event.False:
		draft.Type = event.MessageReceived
		draft.Data.Direction = event.Inbound
		draft.Data.Message.To = ourNumber(r, "message.to", &ours)
		r.Note("contact.name", s.Name)
		if who := &draft.Data.Contact; cmp.Or(who.ID, who.Name, who.Phone, who.PhoneAsSent, who.Email) == "" {
			who.Name = r.Text("contact.name", s.Name)
		}
	case event.True:
		draft.Type = event.MessageSent
		draft.Data.Direction = event.Outbound
		draft.Data.Message.From = ourNumber(r, "message.from", &ours)
		draft.Data.Agent = event.Agent{Name: r.Text("agent.name", s.Name)} // another agent may have the conversation
	}
	return draft
}

// convert converts the conversation, which every native event is about.
func convert(r *vendors.Reader, c *conversation, ours *channel) vendors.Draft {
	id := r.Text("conversation.id", c.ID)
	return vendors.Draft{
		Subject: vendors.Subject{Kind: "conversation", ID: id},
		Person:  vendors.Ladder{id},
		Read:    r,
		Data: event.Data{
			Channel: medium(r, ours.Medium),
			Contact: contact(r, c.Customer),
			Agent:   convertAgent(r, c),
			Account: event.Account{
				ID:   r.Text("account.id", ours.ID),
				Name: r.Text("account.name", ours.Name),
			},
			Conversation: &event.Conversation{
				ID:            id,
				Subject:       r.Text("conversation.subject", c.Subject),
				Status:        r.Text("conversation.status", c.Status),
				CreatedAt:     r.Time("conversation.created_at", c.CreatedAt),
				LastMessageAt: r.Time("conversation.last_message_at", c.LastMessageAt),
			},
		},
	}
}

// identity returns the id of the message, else everything that makes the message: the
// vendor does not always send the id.
func identity(m *message, s *sender, c *conversation) vendors.Identity {
	if _, ok := m.ExternalID.Scalar(); ok && !m.ExternalID.Absent() {
		return vendors.Natural(m.ExternalID)
	}
	return vendors.Content(m.ConversationID, c.LastMessageAt, s.AuthUser, m.ContentType, m.Content, m.ImageURL, m.VideoURL, m.DocumentURL, m.AudioURL)
}

// other converts a payload that is of no known native event. The conversation is read,
// because the vendor sends it with every message.
func other(in *vendors.Input) vendors.Draft {
	w, r := payload.Bind[webhook](in.Payload), in.Read()
	c := vendors.Object[conversation](r, "conversation", w.Conversation)
	ours := vendors.Object[channel](r, "account", c.Channel)
	draft := convert(r, &c, &ours)
	draft.ID = vendors.Content()
	return draft
}

// ourNumber reads the number of our side of a message. A channel may have its number in the
// identifier, which on other channels is no number.
func ourNumber(r *vendors.Reader, field string, c *channel) string {
	r.Note(field, c.Phone, c.Identifier)
	identifier, _ := c.Identifier.Scalar()
	if _, ok := event.ParsePhone(identifier, event.International); ok {
		return r.PhoneOrShortCode(field, c.Phone, c.Identifier)
	}
	return r.PhoneOrShortCode(field, c.Phone)
}

func contact(r *vendors.Reader, v payload.Value) event.Contact {
	c := vendors.Object[customer](r, "contact", v)
	phone, asSent := r.ContactPhone(c.Phone)
	return event.Contact{
		ID:          r.Text("contact.id", c.ID),
		Name:        r.Text("contact.name", c.Name),
		Phone:       phone,
		PhoneAsSent: asSent,
		Email:       r.Email("contact.email", c.Email),
	}
}

// convertAgent reads the agent who has the conversation.
func convertAgent(r *vendors.Reader, c *conversation) event.Agent {
	if c.Agent.Kind() != payload.Object {
		return event.Agent{ID: r.Text("agent.id", c.AgentID), Name: r.Text("agent.name", c.Agent)}
	}
	a := vendors.Object[agent](r, "agent", c.Agent)
	return event.Agent{
		ID:    r.Text("agent.id", c.AgentID, a.ID),
		Name:  r.Text("agent.name", a.Name),
		Email: r.Email("agent.email", a.Email),
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
	switch r.Text("channel", v) {
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
