package event

import (
	"regexp"
	"slices"
	"strings"
)

// The types of the catalogue. A type that is not in the catalogue is vendor-scoped:
// <vendor>.<native event>. Of a vendor-scoped event only the envelope and raw are promised.
const (
	CallStarted               = "call.started"
	CallRinging               = "call.ringing"
	CallRouted                = "call.routed"
	CallAnswered              = "call.answered"
	CallCompleted             = "call.completed"
	CallUpdated               = "call.updated"
	MessageReceived           = "message.received"
	MessageQueued             = "message.queued"
	MessageSent               = "message.sent"
	MessageDelivered          = "message.delivered"
	MessageRead               = "message.read"
	MessageFailed             = "message.failed"
	MessageBounced            = "message.bounced"
	MessageRejected           = "message.rejected"
	MessageStatusUnknown      = "message.status_unknown"
	EmailAccepted             = "email.accepted"
	EmailSent                 = "email.sent"
	EmailDeferred             = "email.deferred"
	EmailDelivered            = "email.delivered"
	EmailDropped              = "email.dropped"
	EmailOpened               = "email.opened"
	EmailClicked              = "email.clicked"
	EmailReplied              = "email.replied"
	EmailReceived             = "email.received"
	EmailBounced              = "email.bounced"
	EmailComplained           = "email.complained"
	FormSubmitted             = "form.submitted"
	ContactSubscribed         = "contact.subscribed"
	ContactUnsubscribed       = "contact.unsubscribed"
	ContactStatusChanged      = "contact.status_changed"
	ContactBounced            = "contact.bounced"
	ContactInterestChanged    = "contact.interest_changed"
	ContactAppointmentChanged = "contact.appointment_changed"
	ContactSequenceFinished   = "contact.sequence_finished"
)

// VendorScoped is the name of the one schema of all vendor-scoped types.
const VendorScoped = "vendor"

// Schema is what the events of one type are like, or those of all vendor-scoped types.
type Schema struct {
	Name    string   // the type, or VendorScoped
	Doc     string   // what has happened, in a whole sentence
	Members []string // the members that data can have
	URN     string   // the value of dataschema
}

// catalogue has one line for each type of event. Every event can have issues and raw.
var catalogue = []Schema{
	schema(CallStarted, "A call has begun.", call, "attribution"),
	schema(CallRinging, "A call rings at the callee.", call),
	schema(CallRouted, "A call has been routed to its destination.", call, "attribution"),
	schema(CallAnswered, "A call was answered.", call),
	schema(CallCompleted, "A call has ended.", call, "attribution", "agent", "campaign", "survey"),
	schema(CallUpdated, "What is known of a call that has ended was changed.", call, "attribution", "agent", "changes"),
	schema(MessageReceived, "The contact has sent a message.", message),
	schema(MessageQueued, "The vendor has taken a message to send it.", message),
	schema(MessageSent, "A message was sent to the contact: the vendor has handed it on.", message),
	schema(MessageDelivered, "A message has reached the contact.", message),
	schema(MessageRead, "The contact has seen a message.", message),
	schema(MessageFailed, "A message could not be delivered.", message),
	schema(MessageBounced, "A message was sent back.", message),
	schema(MessageRejected, "The vendor refused to send a message.", message),
	schema(MessageStatusUnknown, "What became of a message cannot be told from the report.", message),
	schema(EmailAccepted, "The vendor has taken an e-mail to send it.", email),
	schema(EmailSent, "An e-mail was sent to the contact.", email),
	schema(EmailDeferred, "The contact's server did not take an e-mail for now, and the vendor tries again.", email),
	schema(EmailDelivered, "The contact's server has taken an e-mail.", email),
	schema(EmailDropped, "The vendor has not sent an e-mail, because it expects the e-mail not to be wanted or delivered.", email),
	schema(EmailOpened, "The contact has opened an e-mail.", email, "client"),
	schema(EmailClicked, "The contact has followed a link in an e-mail.", email, "client"),
	schema(EmailReplied, "The contact has answered an e-mail.", email),
	schema(EmailReceived, "The contact has sent an e-mail.", email),
	schema(EmailBounced, "An e-mail was sent back.", email),
	schema(EmailComplained, "The contact has called an e-mail spam.", email, "client"),
	schema(FormSubmitted, "The contact has submitted a form.", "channel contact account lead_status", "attribution", "form"),
	schema(ContactSubscribed, "The contact wants messages of a kind again.", contact, "subscription", "email", "client"),
	schema(ContactUnsubscribed, "The contact wants no more messages of a kind.", contact, "subscription", "email", "client"),
	schema(ContactStatusChanged, "The vendor has given the contact another status.", contact),
	schema(ContactBounced, "Messages to the contact have bounced too often.", contact),
	schema(ContactInterestChanged, "The contact shows another interest.", contact),
	schema(ContactAppointmentChanged, "The contact has an appointment, or no longer has it.", contact),
	schema(ContactSequenceFinished, "The contact was sent the last message of a sequence.", contact),
	schema(VendorScoped, "The vendor says that something has happened for which the catalogue has no type.", vendorScoped),
}

// The members that the events of several types have.
const (
	call         = "channel direction contact account call lead_status reference"
	message      = "channel direction contact agent account campaign message conversation lead_status attribution reference"
	email        = "channel direction contact agent account campaign email"
	contact      = "channel contact agent account campaign"
	vendorScoped = "channel direction contact agent account campaign call message email conversation subscription form lead_status client reference"
)

func schema(name, doc, members string, more ...string) Schema {
	all := append(strings.Fields(members), more...)
	all = append(all, "issues", "raw")
	inOrder := make([]string, 0, len(all))
	for _, f := range DataFields() {
		if slices.Contains(all, f.Name) {
			inOrder = append(inOrder, f.Name)
		}
	}
	if len(inOrder) != len(all) {
		panic("event: schema " + name + " has to name members of data, each once")
	}
	return Schema{Name: name, Doc: doc, Members: inOrder, URN: schemaPrefix + name + schemaVersion}
}

// The URN of a schema is the prefix, the name of the schema and the version.
const (
	schemaPrefix  = "urn:hookswitch:"
	schemaVersion = ":1"
)

// Schemas returns the schemas: those of the types in the catalogue, and that of all
// vendor-scoped types last.
func Schemas() []Schema { return slices.Clone(catalogue) }

// dataSchemas has the URNs of the schemas, by their names.
var dataSchemas = func() map[string]string {
	urns := map[string]string{}
	for _, s := range catalogue {
		urns[s.Name] = s.URN
	}
	return urns
}()

// DataSchema returns the URN of the schema that the data of an event type follows.
func DataSchema(eventType string) string {
	if urn, ok := dataSchemas[eventType]; ok {
		return urn
	}
	return dataSchemas[VendorScoped]
}

// InCatalogue reports whether an event type is of the catalogue, and so the same for all
// vendors.
func InCatalogue(eventType string) bool { return DataSchema(eventType) != DataSchema(VendorScoped) }

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
