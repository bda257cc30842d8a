package event

import (
	"regexp"
	"strings"
)

// The catalogue of event types. Types that are not in it are vendor-scoped:
// <vendor>.<native event>, of which only the envelope and raw are promised.
const (
	CallStarted               = "call.started"
	CallRouted                = "call.routed"
	CallCompleted             = "call.completed"
	CallUpdated               = "call.updated"
	MessageReceived           = "message.received"
	MessageSent               = "message.sent"
	MessageDelivered          = "message.delivered"
	MessageFailed             = "message.failed"
	MessageBounced            = "message.bounced"
	MessageRejected           = "message.rejected"
	MessageReported           = "message.reported"
	EmailSent                 = "email.sent"
	EmailOpened               = "email.opened"
	EmailClicked              = "email.clicked"
	EmailReplied              = "email.replied"
	EmailBounced              = "email.bounced"
	FormSubmitted             = "form.submitted"
	ContactUnsubscribed       = "contact.unsubscribed"
	ContactStatusChanged      = "contact.status_changed"
	ContactBounced            = "contact.bounced"
	ContactInterestChanged    = "contact.interest_changed"
	ContactAppointmentChanged = "contact.appointment_changed"
	ContactFinished           = "contact.finished"
)

// The URN of the schema of data is that of its name and version.
const (
	schemaPrefix  = "urn:hookswitch:"
	schemaVersion = ":1"
)

// dataSchemas are the URNs of the schemas of data, by the name of the schema.
var dataSchemas = func() map[string]string {
	urns := map[string]string{}
	for _, name := range []string{
		CallStarted, CallRouted, CallCompleted, CallUpdated,
		MessageReceived, MessageSent, MessageDelivered, MessageFailed, MessageBounced, MessageRejected, MessageReported,
		EmailSent, EmailOpened, EmailClicked, EmailReplied, EmailBounced,
		FormSubmitted,
		ContactUnsubscribed, ContactStatusChanged, ContactBounced, ContactInterestChanged, ContactAppointmentChanged, ContactFinished,
		vendorScoped,
	} {
		urns[name] = schemaPrefix + name + schemaVersion
	}
	return urns
}()

// vendorScoped is the one schema of all types that are not in the catalogue.
const vendorScoped = "vendor"

// DataSchema returns the URN of the schema of a type's data.
func DataSchema(eventType string) string {
	if urn, ok := dataSchemas[eventType]; ok {
		return urn
	}
	return dataSchemas[vendorScoped]
}

// Schema returns the name of the schema that the data follows: the type if it is
// in the catalogue, else vendor. It holds no text from a payload and may stand in
// a path, a topic or a metric label.
func (e *Event) Schema() string {
	return strings.TrimSuffix(strings.TrimPrefix(e.DataSchema, schemaPrefix), schemaVersion)
}

// unrecognized is the native event of a vendor-scoped type whose own name cannot
// be one.
const unrecognized = "unrecognized"

var scopedName = regexp.MustCompile(`^[a-z0-9_]{1,48}(\.[a-z0-9_]{1,48})?$`)

// Scoped returns the vendor-scoped type of a native event: its name in snake
// case, if that can stand in a type, else <vendor>.unrecognized.
func Scoped(vendor, native string) string {
	name := snakeCase(native)
	if !scopedName.MatchString(name) {
		return Unrecognized(vendor)
	}
	return vendor + "." + name
}

// Unrecognized returns the vendor-scoped type of what is no known native event.
func Unrecognized(vendor string) string { return vendor + "." + unrecognized }

// snakeCase turns camelCase into snake_case: newMessage, new_message.
func snakeCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		if 'A' <= r && r <= 'Z' {
			if i > 0 && ('a' <= s[i-1] && s[i-1] <= 'z' || '0' <= s[i-1] && s[i-1] <= '9') {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
