// Package postmark decodes the webhooks of Postmark: what became of e-mails, what recipients
// did with them, and e-mails that were received. A payload names its native event in
// RecordType, but for a received e-mail, which is known by its shape.
//
// https://postmarkapp.com/developer/webhooks/webhooks-overview
package postmark

import (
	"embed"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "postmark",
		Title:     "Postmark",
		Page:      "https://postmarkapp.com/developer/webhooks/webhooks-overview",
		Setup:     "Server > Message Stream > Webhooks, and the inbound stream's Settings: `https://postmark:<secret>@<host>/postmark`.",
		SecretEnv: "POSTMARK_PASSWORD",
		Signing:   signing.Basic{Username: "postmark"},
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "Bounce", Types: []string{
				event.EmailBounced, event.EmailDeferred, event.EmailDropped, event.EmailComplained,
				event.ContactUnsubscribed, event.ContactSubscribed, "postmark.bounce",
			}, Convert: bounced},
			{Name: "Click", Types: []string{event.EmailClicked}, Convert: clicked, RawOnly: stream},
			{Name: "Delivery", Types: []string{event.EmailDelivered}, Convert: delivered, RawOnly: stream},
			{Name: "Inbound", Types: []string{event.EmailReceived}, Convert: received, RawOnly: stream},
			{Name: "Open", Types: []string{event.EmailOpened}, Convert: opened, RawOnly: stream},
			{Name: "SpamComplaint", Types: []string{event.EmailComplained}, Convert: complained, RawOnly: stream},
			{Name: "SubscriptionChange", Types: []string{
				event.ContactUnsubscribed, event.ContactSubscribed, event.ContactStatusChanged, "postmark.subscription_change",
			}, Convert: subscriptionChanged},
		},
		RawOnly: rawOnly,
		Named:   named,
		Shape:   shape,
		Other:   other,
	})
}

func named(r *vendors.Reader, p payload.Value) string {
	return r.Text("vendorevent", p.Get("RecordType"))
}

// shape knows a received e-mail, which has no RecordType.
func shape(p payload.Value) string {
	if p.Has("FromFull") && p.Has("MessageID") {
		return "Inbound"
	}
	return ""
}

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "the type of the bounce in other words", Keys: []string{"Name"}},
	{Reason: "what the vendor has done with the address, which SubscriptionChange tells", Keys: []string{"Inactive", "CanActivate"}},
	{Reason: "the source of the e-mail that came back, or whether the vendor has it", Keys: []string{"Content", "DumpAvailable"}},
	{Reason: "whether the recipient opens the e-mail for the first time, which all the events together tell", Keys: []string{"FirstOpen"}},
	{Reason: "an estimate that the vendor no longer makes", Keys: []string{"ReadSeconds"}},
	{Reason: "the maker or the kind of a program whose name a field has", Keys: []string{"Client.Company", "Client.Family", "OS.Company", "OS.Family"}},
	{Reason: "a code of a place whose name a field has, or where the place is", Keys: []string{"Geo.CountryISOCode", "Geo.RegionISOCode", "Geo.Coords"}},
	{Reason: "in which part of the e-mail the link stands", Keys: []string{"ClickLocation"}},
	{Reason: "who has changed the subscription", Keys: []string{"Origin"}},
	{Reason: "who else has received the e-mail, or is to be answered", Keys: []string{"ToFull", "Cc", "CcFull", "Bcc", "BccFull", "ReplyTo"}},
	{Reason: "a part of the address that the e-mail was sent to", Keys: []string{"MailboxHash", "FromFull.MailboxHash"}},
	{Reason: "the same text without what it quotes", Keys: []string{"StrippedTextReply"}},
	{Reason: "the source of the e-mail", Keys: []string{"RawEmail"}},
	{Reason: "the attachment itself", Keys: []string{"Attachments[].Content", "Attachments[].ContentLength", "Attachments[].ContentID"}},
}

// stream has the key that tells only a subscriber what it is subscribed to.
var stream = []vendors.RawOnly{
	{Reason: "which stream of the vendor carries the e-mail", Keys: []string{"MessageStream"}},
}

// native data structures

// record has the keys of all native events but Inbound.
type record struct {
	ID            payload.Value `json:"ID"` // of the bounce or the complaint
	MessageID     payload.Value `json:"MessageID"`
	MessageStream payload.Value `json:"MessageStream"`
	ServerID      payload.Value `json:"ServerID"`
	Recipient     payload.Value `json:"Recipient"`
	Email         payload.Value `json:"Email"` // the recipient of a bounce or complaint
	From          payload.Value `json:"From"`
	Subject       payload.Value `json:"Subject"`
	Tag           payload.Value `json:"Tag"`
	Metadata      payload.Value `json:"Metadata"` // an open map

	Type        payload.Value `json:"Type"`
	TypeCode    payload.Value `json:"TypeCode"`
	Description payload.Value `json:"Description"`
	Details     payload.Value `json:"Details"`

	BouncedAt   payload.Value `json:"BouncedAt"`
	DeliveredAt payload.Value `json:"DeliveredAt"`
	ReceivedAt  payload.Value `json:"ReceivedAt"`
	ChangedAt   payload.Value `json:"ChangedAt"`

	OriginalLink payload.Value `json:"OriginalLink"`
	UserAgent    payload.Value `json:"UserAgent"`
	Platform     payload.Value `json:"Platform"`
	Client       payload.Value `json:"Client"`
	OS           payload.Value `json:"OS"`
	Geo          payload.Value `json:"Geo"`

	SuppressSending   payload.Value `json:"SuppressSending"`
	SuppressionReason payload.Value `json:"SuppressionReason"` // HardBounce, SpamComplaint or ManualSuppression
}

type program struct {
	Name payload.Value `json:"Name"`
}

type place struct {
	IP      payload.Value `json:"IP"`
	City    payload.Value `json:"City"`
	Region  payload.Value `json:"Region"`
	Zip     payload.Value `json:"Zip"`
	Country payload.Value `json:"Country"`
}

// inbound is a received e-mail.
type inbound struct {
	MessageID         payload.Value `json:"MessageID"`
	FromFull          payload.Value `json:"FromFull"`
	From              payload.Value `json:"From"`
	FromName          payload.Value `json:"FromName"`
	OriginalRecipient payload.Value `json:"OriginalRecipient"`
	To                payload.Value `json:"To"`
	Subject           payload.Value `json:"Subject"`
	Date              payload.Value `json:"Date"` // as the sender's server wrote it
	TextBody          payload.Value `json:"TextBody"`
	HTMLBody          payload.Value `json:"HtmlBody"`
	Tag               payload.Value `json:"Tag"`
	Headers           payload.Value `json:"Headers"`
	Attachments       payload.Value `json:"Attachments"`
}

type address struct {
	Email payload.Value `json:"Email"`
	Name  payload.Value `json:"Name"`
}

type header struct {
	Name  payload.Value `json:"Name"`
	Value payload.Value `json:"Value"`
}

type attachment struct {
	Name        payload.Value `json:"Name"`
	ContentType payload.Value `json:"ContentType"`
}

// native data structure conversion

func delivered(in *vendors.Input) vendors.Draft {
	draft, m := convert(in)
	draft.Type = event.EmailDelivered
	draft.ID = vendors.Natural(m.MessageID, m.Recipient)
	draft.Time = draft.Read.Time("time", m.DeliveredAt)
	return draft
}

func opened(in *vendors.Input) vendors.Draft {
	draft, m := convert(in)
	draft.Type = event.EmailOpened
	draft.ID = vendors.Natural(m.MessageID, m.Recipient, m.ReceivedAt)
	draft.Time = draft.Read.Time("time", m.ReceivedAt)
	convertClient(&draft, m)
	return draft
}

func clicked(in *vendors.Input) vendors.Draft {
	draft, m := convert(in)
	draft.Type = event.EmailClicked
	draft.ID = vendors.Natural(m.MessageID, m.Recipient, m.OriginalLink, m.ReceivedAt)
	draft.Time = draft.Read.Time("time", m.ReceivedAt)
	draft.Data.Email.LinkURL = draft.Read.Text("email.link_url", m.OriginalLink)
	convertClient(&draft, m)
	return draft
}

func complained(in *vendors.Input) vendors.Draft {
	draft, m := convert(in)
	draft.Type = event.EmailComplained
	draft.ID = vendors.Natural(m.ID)
	draft.Time = draft.Read.Time("time", m.BouncedAt)
	return draft
}

// bounced converts what has come back. The vendor calls much a bounce that is none: Type tells.
//
// https://postmarkapp.com/developer/api/bounce-api#bounce-types
func bounced(in *vendors.Input) vendors.Draft {
	draft, m := convert(in)
	draft.ID = vendors.Natural(m.ID)
	draft.Time = draft.Read.Time("time", m.BouncedAt)
	email := draft.Data.Email
	draft.Read.Note("subscription.topic", m.MessageStream) // of two types
	switch draft.Read.Text("type", m.Type) {
	case "HardBounce", "BadEmailAddress":
		draft.Type, email.Failure = event.EmailBounced, event.Permanent
	case "SoftBounce", "DnsError", "SpamNotification", "Blocked", "DMARCPolicy":
		draft.Type, email.Failure = event.EmailBounced, event.Temporary
	case "VirusNotification", "Unknown":
		draft.Type = event.EmailBounced
	case "Transient":
		draft.Type, email.Failure = event.EmailDeferred, event.Temporary
	case "ManuallyDeactivated":
		draft.Type, email.Failure = event.EmailDropped, event.Permanent
	case "TemplateRenderingFailed":
		draft.Type, email.Failure = event.EmailDropped, event.Temporary
	case "SMTPApiError":
		draft.Type = event.EmailDropped
	case "SpamComplaint":
		draft.Type = event.EmailComplained
	case "Subscribe":
		draft.Type = event.ContactSubscribed
		draft.Data.Direction = ""
		draft.Data.Subscription = subscription(draft.Read, m, event.True)
	case "Unsubscribe":
		draft.Type = event.ContactUnsubscribed
		draft.Data.Direction = ""
		draft.Data.Subscription = subscription(draft.Read, m, event.False)
	}
	return draft
}

// subscriptionChanged converts a change of the list of addresses that a stream does not send
// to. Only who is on the list by somebody's will has unsubscribed.
func subscriptionChanged(in *vendors.Input) vendors.Draft {
	draft, m := convert(in)
	r := draft.Read
	draft.ID = vendors.Natural(m.Recipient, m.MessageStream, m.SuppressSending, m.ChangedAt)
	draft.Time = r.Time("time", m.ChangedAt)
	draft.Data.Direction = ""
	if draft.Data.Email.ID == "" {
		draft.Subject = vendors.Subject{}
	}
	reason := r.Text("contact.status", m.SuppressionReason)
	switch r.Bool("subscription.subscribed", m.SuppressSending) {
	case event.False:
		draft.Type = event.ContactSubscribed
		draft.Data.Subscription = subscription(r, m, event.True)
	case event.True:
		if reason == "ManualSuppression" {
			draft.Type = event.ContactUnsubscribed
			draft.Data.Subscription = subscription(r, m, event.False)
			break
		}
		draft.Type = event.ContactStatusChanged
		draft.Data.Contact.Status = reason
		draft.Data.Email = nil // its id stands in the subject, its tags in raw
	}
	return draft
}

func subscription(r *vendors.Reader, m *record, subscribed event.Bool) *event.Subscription {
	return &event.Subscription{
		Channel:    event.ChannelEmail,
		Topic:      r.Text("subscription.topic", m.MessageStream),
		Subscribed: subscribed,
	}
}

// convert converts what all native events but Inbound have in common.
func convert(in *vendors.Input) (vendors.Draft, *record) {
	m, r := payload.Bind[record](in.Payload), in.Read()
	id, recipient := r.Text("email.id", m.MessageID), r.Email("contact.email", m.Recipient, m.Email)
	r.Note("email.to", m.Recipient, m.Email)
	return vendors.Draft{
		Subject: vendors.Subject{Kind: "email", ID: id},
		Person:  vendors.Ladder{recipient},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelEmail,
			Direction: event.Outbound,
			Contact:   event.Contact{Email: recipient},
			Account:   event.Account{ID: r.Text("account.id", m.ServerID)},
			Email: &event.Email{
				ID:           id,
				From:         r.Email("email.from", m.From),
				To:           recipient,
				Subject:      r.Text("email.subject", m.Subject),
				StatusCode:   r.Text("email.status_code", m.TypeCode),
				StatusText:   r.Text("email.status_text", m.Type),
				StatusDetail: r.Text("email.status_detail", m.Details, m.Description),
				Tags:         r.Texts("email.tags", m.Tag),
				Metadata:     r.Pairs("email.metadata", m.Metadata),
			},
		},
	}, &m
}

// convertClient reads the program that has opened the e-mail or followed the link, and where
// it was.
func convertClient(draft *vendors.Draft, m *record) {
	r := draft.Read
	client := vendors.Object[program](r, "client.name", m.Client)
	os := vendors.Object[program](r, "client.os", m.OS)
	geo := vendors.Object[place](r, "contact.location", m.Geo)
	draft.Data.Client = &event.Client{
		IPAddress: r.Text("client.ip_address", geo.IP),
		UserAgent: r.Text("client.user_agent", m.UserAgent),
		Name:      r.Text("client.name", client.Name),
		OS:        r.Text("client.os", os.Name),
		Device:    r.Text("client.device", m.Platform),
	}
	draft.Data.Contact.Location = event.Location{
		City:       r.Text("contact.location.city", geo.City),
		Region:     r.Text("contact.location.region", geo.Region),
		PostalCode: r.Text("contact.location.postal_code", geo.Zip),
		Country:    r.Text("contact.location.country", geo.Country),
	}
}

// received converts an e-mail of the contact.
func received(in *vendors.Input) vendors.Draft {
	m, r := payload.Bind[inbound](in.Payload), in.Read()
	from := vendors.Object[address](r, "contact", m.FromFull)
	id, sender := r.Text("email.id", m.MessageID), r.Email("contact.email", from.Email, m.From)
	r.Note("email.from", from.Email, m.From)
	email := &event.Email{
		ID:      id,
		From:    sender,
		To:      r.Email("email.to", m.OriginalRecipient, m.To),
		Subject: r.Text("email.subject", m.Subject),
		Body:    r.Text("email.body", m.TextBody, m.HTMLBody),
		SentAt:  r.MailTime("email.sent_at", m.Date),
		Tags:    r.Texts("email.tags", m.Tag),
		Attachments: vendors.Elements(r, "email.attachments", m.Attachments, func(v payload.Value) event.Attachment {
			a := payload.Bind[attachment](v)
			return event.Attachment{
				Type: r.Text("email.attachments.type", a.ContentType),
				Name: r.Text("email.attachments.name", a.Name),
			}
		}),
	}
	readHeaders(r, m.Headers, email)
	return vendors.Draft{
		Type:    event.EmailReceived,
		ID:      vendors.Natural(m.MessageID),
		Subject: vendors.Subject{Kind: "email", ID: id},
		Time:    email.SentAt,
		Person:  vendors.Ladder{sender},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelEmail,
			Direction: event.Inbound,
			Contact:   event.Contact{Email: sender, Name: r.Text("contact.name", from.Name, m.FromName)},
			Email:     email,
		},
	}
}

// readHeaders reads the header fields that join e-mails.
func readHeaders(r *vendors.Reader, headers payload.Value, email *event.Email) {
	vendors.Elements(r, "email.message_id", headers, func(v payload.Value) struct{} {
		h := payload.Bind[header](v)
		name, _ := h.Name.Scalar()
		switch strings.ToLower(name) {
		case "message-id":
			r.Note("email.message_id", h.Name)
			email.MessageID = r.MessageID("email.message_id", h.Value)
		case "in-reply-to":
			r.Note("email.reply_to_id", h.Name)
			email.ReplyToID = r.MessageID("email.reply_to_id", h.Value)
		}
		return struct{}{}
	})
}

// other converts a payload that is of no known native event, which need not be about an e-mail.
func other(in *vendors.Input) vendors.Draft {
	draft, _ := convert(in)
	draft.Data.Channel, draft.Data.Direction = "", ""
	return draft
}
