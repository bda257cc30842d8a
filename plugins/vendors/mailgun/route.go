package mailgun

import (
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// native data structures

// received is an e-mail that a route posts as a form. Beside the keys of the vendor it has all
// fields of the e-mail's header.
//
// https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
type received struct {
	Recipient   payload.Value `json:"recipient"`
	Sender      payload.Value `json:"sender"` // of the envelope
	From        payload.Value `json:"from"`   // of the header
	Subject     payload.Value `json:"subject"`
	BodyPlain   payload.Value `json:"body-plain"`
	BodyHTML    payload.Value `json:"body-html"`
	BodyMIME    payload.Value `json:"body-mime"`   // the source, where the route asks for it
	Attachments payload.Value `json:"attachments"` // of an e-mail that the vendor keeps: the JSON text of an array
	Timestamp   payload.Value `json:"timestamp"`
	MessageID   payload.Value `json:"Message-Id"`
	InReplyTo   payload.Value `json:"In-Reply-To"`
	Date        payload.Value `json:"Date"`
}

// file is an attachment that stands in the form, under attachment-1 and so on.
type file struct {
	FileName    payload.Value `json:"filename"`
	ContentType payload.Value `json:"content_type"`
}

// kept is an attachment that the vendor keeps.
type kept struct {
	URL         payload.Value `json:"url"`
	Name        payload.Value `json:"name"`
	ContentType payload.Value `json:"content-type"`
}

// native data structure conversion

// routed converts an e-mail that a route posts.
func routed(in *vendors.Input) vendors.Draft {
	e, r := payload.Bind[received](in.Payload), in.Read()
	id := r.MessageID("email.id", e.MessageID)
	r.Note("email.message_id", e.MessageID)
	name, from := mailbox(r.Email("email.from", e.From, e.Sender))
	r.Note("contact.name", e.From)
	r.Note("contact.email", e.From, e.Sender)
	r.Note("partitionkey", e.From, e.Sender)
	replyTo := r.MessageID("email.reply_to_id", e.InReplyTo)
	return vendors.Draft{
		Type: event.EmailReceived,
		// The contact makes the Message-ID, and may make it twice. The time may be another one when
		// the vendor sends again.
		ID:      vendors.Content(e.MessageID, e.Recipient, e.Date, e.Subject, e.BodyPlain, e.BodyHTML, e.BodyMIME),
		Subject: vendors.Subject{Kind: "email", ID: id},
		Time:    r.EpochSeconds("time", e.Timestamp),
		Person:  vendors.Ladder{from},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelEmail,
			Direction: event.Inbound,
			Contact:   event.Contact{Name: name, Email: from},
			Email: &event.Email{
				ID:          id,
				MessageID:   id,
				From:        from,
				To:          r.Email("email.to", e.Recipient),
				Subject:     r.Text("email.subject", e.Subject),
				Body:        r.Text("email.body", e.BodyPlain, e.BodyHTML),
				Attachments: append(files(r, in.Payload), keptFiles(r, e.Attachments)...),
				SentAt:      r.MailTime("email.sent_at", e.Date),
				ReplyToID:   replyTo,
			},
		},
	}
}

func files(r *vendors.Reader, p payload.Value) (all []event.Attachment) {
	for name, member := range p.Members() {
		if strings.HasPrefix(name, "attachment-") && member.Kind() == payload.Object {
			f := payload.Bind[file](member)
			all = append(all, event.Attachment{
				Type: r.Text("email.attachments.type", f.ContentType),
				Name: r.Text("email.attachments.name", f.FileName),
			})
		}
	}
	return all
}

func keptFiles(r *vendors.Reader, v payload.Value) []event.Attachment {
	r.Note("email.attachments", v)
	return vendors.Elements(r, "email.attachments", parsed(v), func(element payload.Value) event.Attachment {
		k := payload.Bind[kept](element)
		return event.Attachment{
			URL:  r.Text("email.attachments.url", k.URL),
			Type: r.Text("email.attachments.type", k.ContentType),
			Name: r.Text("email.attachments.name", k.Name),
		}
	})
}
