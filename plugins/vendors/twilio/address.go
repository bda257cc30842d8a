package twilio

import (
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// An address is a phone number, a short code or a name, or it has a prefix that says what it
// is an address of, as whatsapp:+12025550143 has.

// The prefixes that are known.
const (
	whatsApp  = "whatsapp"
	messenger = "messenger"
	client    = "client" // a program with Twilio's library for calls
	sip       = "sip"
)

// cut cuts an address into its prefix and what stands behind it.
func cut(text string) (prefix, address string) {
	if prefix, address, ok := strings.Cut(text, ":"); ok {
		return prefix, address
	}
	return "", text
}

func prefixOf(v payload.Value) string {
	text, _ := v.Scalar()
	prefix, _ := cut(text)
	return prefix
}

// messageChannel reads the medium of a message. A message without a prefix is a text. RCS and
// media to come have no channel of their own.
func messageChannel(r *vendors.Reader, m *message) event.Channel {
	r.Note("channel", m.ChannelPrefix, m.From, m.To)
	prefix, _ := m.ChannelPrefix.Scalar()
	for _, v := range []payload.Value{m.From, m.To} {
		if prefix == "" {
			prefix = prefixOf(v)
		}
	}
	switch prefix {
	case "":
		return event.ChannelSMS
	case whatsApp:
		return event.ChannelWhatsApp
	case messenger:
		return event.ChannelSocial
	}
	return event.ChannelOther
}

// end reads the sender or the recipient of a message. The id that a medium gives the contact is
// neither a number nor a name that the message shows: it stands in contact.id alone.
func end(r *vendors.Reader, field string, v payload.Value, contactID string) string {
	text, _ := v.Scalar()
	prefix, address := cut(text)
	if prefix == "" {
		return r.Sender(field, v)
	}
	r.Note(field, v)
	if phone, ok := event.ParsePhone(address, event.International); ok {
		return phone
	}
	if address == contactID {
		return ""
	}
	return address
}

// party reads the outside party of a message or call. An address of another medium that is no
// phone number is the id that this medium gives the contact. The address of a program or of
// SIP may be anybody's: it identifies nobody.
func party(r *vendors.Reader, v payload.Value) event.Contact {
	text, _ := v.Scalar()
	prefix, address := cut(text)
	if prefix == "" || prefix == client || prefix == sip {
		phone, asSent := r.ContactPhone(v)
		return event.Contact{Phone: phone, PhoneAsSent: asSent}
	}
	r.Note("contact.id", v)
	r.Note("contact.phone", v)
	r.Note("partitionkey", v)
	if phone, ok := event.ParsePhone(address, event.International); ok {
		return event.Contact{Phone: phone}
	}
	return event.Contact{ID: address}
}

// ourNumber reads the number on our side of a call. A program or an address of SIP has none.
func ourNumber(r *vendors.Reader, v payload.Value) string {
	text, _ := v.Scalar()
	prefix, address := cut(text)
	if prefix == "" {
		return r.Phone("call.our_number", v)
	}
	r.Note("call.our_number", v)
	phone, _ := event.ParsePhone(address, event.International)
	return phone
}
