package event

import (
	"regexp"
	"strings"
)

// The catalogue of event types. A type that is not in the catalogue is vendor-scoped:
// <vendor>.<native event>. Of a vendor-scoped event only the envelope and raw are promised.
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

// The URN of a schema is the prefix, the name of the schema and the version.
const (
	schemaPrefix  = "urn:hookswitch:"
	schemaVersion = ":1"
)

// dataSchemas has the URNs of the schemas of data, by the names of the schemas.
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

// vendorScoped is the name of the one schema of all vendor-scoped types.
const vendorScoped = "vendor"

// DataSchema returns the URN of the schema that the data of an event type follows.
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

// unrecognized stands in a vendor-scoped type where the name of the native event cannot
// stand there.
const unrecognized = "unrecognized"

var scopedName = regexp.MustCompile(`^[a-z0-9_]{1,48}(\.[a-z0-9_]{1,48})?$`)

// Scoped returns the vendor-scoped type of a native event: <vendor>.<name in snake case>,
// or <vendor>.unrecognized if the name has other characters or is too long.
func Scoped(vendor, native string) string {
	name := snakeCase(native)
	if !scopedName.MatchString(name) {
		return Unrecognized(vendor)
	}
	return vendor + "." + name
}

// Unrecognized returns the vendor-scoped type of an event that is like no native event
// that has a name.
func Unrecognized(vendor string) string { return vendor + "." + unrecognized }

// snakeCase turns camelCase into snake_case: newMessage into new_message.
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
