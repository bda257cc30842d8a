// Package mailgun decodes the webhooks of Mailgun: what became of e-mails, and what their
// recipients did with them. The payload names its native event. The JSON of today and the
// forms of the older webhooks say the same in other keys, and give the same events. A route of
// the vendor posts the e-mails that it receives to the same place.
//
// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
package mailgun

import (
	"cmp"
	"embed"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json testdata/*/*.form
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "mailgun",
		Title:     "Mailgun",
		Page:      "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads",
		Setup:     "Send > Sending > Webhooks, for each event type: `/mailgun`; the HTTP webhook signing key is in API Security.",
		Signing:   signing.InBody{Tolerance: tolerance},
		SecretEnv: "MAILGUN_SIGNING_KEY",
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "accepted", Types: []string{event.EmailAccepted, "mailgun.accepted"}, Convert: sent(event.EmailAccepted), RawOnly: sentRawOnly},
			{Name: "bounced", Types: []string{event.EmailBounced}, Convert: bounced, RawOnly: sentRawOnly},
			{Name: "clicked", Types: []string{event.EmailClicked}, Convert: clicked, RawOnly: sentRawOnly},
			{Name: "complained", Types: []string{event.EmailComplained}, Convert: sent(event.EmailComplained), RawOnly: sentRawOnly},
			{Name: "delivered", Types: []string{event.EmailDelivered, "mailgun.delivered"}, Convert: sent(event.EmailDelivered), RawOnly: sentRawOnly},
			{Name: "dropped", Types: []string{event.EmailDropped, event.EmailBounced}, Convert: dropped},
			{Name: "failed", Types: []string{event.EmailBounced, event.EmailDropped, event.EmailDeferred, "mailgun.failed"}, Convert: failed, RawOnly: sentRawOnly},
			{Name: "opened", Types: []string{event.EmailOpened}, Convert: opened, RawOnly: sentRawOnly},
			{Name: "rejected", Types: []string{event.EmailDropped, "mailgun.rejected"}, Convert: sent(event.EmailDropped), RawOnly: sentRawOnly},
			{Name: "route", Types: []string{event.EmailReceived}, Convert: routed, RawOnly: routeRawOnly},
			{Name: "stored", Types: []string{event.EmailReceived}, Convert: stored},
			{Name: "unsubscribed", Types: []string{event.ContactUnsubscribed}, Convert: unsubscribed},
		},
		RawOnly: rawOnly,
		// The signature covers the token and the time but nothing of the event: who has the three
		// may sign any event with them.
		RedactedKeys: []string{"signature", "parent-signature"},
		Named:        named,
		Shape:        shape,
		Other:        other,
	})
}

// tolerance is how old a signature may be. The vendor sends again for 8 hours, and no page says
// that it signs each time anew.
const tolerance = 12 * time.Hour

// named returns the name that a payload has. An e-mail that a route posts has none: there, a key
// may be a field of the e-mail's header, which anybody can name event.
func named(r *vendors.Reader, p payload.Value) string {
	if isRouted(p) {
		return ""
	}
	return r.Text("vendorevent", p.Get("event-data").Get("event"), p.Get("event"))
}

func shape(p payload.Value) string {
	if isRouted(p) {
		return "route"
	}
	return ""
}

// isRouted reports whether a payload is an e-mail that a route posts.
func isRouted(p payload.Value) bool { return p.Has("sender") && p.Has("recipient") }

// native data structures

// webhook is a body. That of an older webhook has no event-data.
type webhook struct {
	EventData payload.Value `json:"event-data"`
}

// eventData is what has happened with an e-mail to one recipient.
type eventData struct {
	ID             payload.Value `json:"id"`        // unique within a day
	Timestamp      payload.Value `json:"timestamp"` // seconds since 1970, with a fraction
	Account        payload.Value `json:"account"`
	Recipient      payload.Value `json:"recipient"`
	Message        payload.Value `json:"message"`
	Envelope       payload.Value `json:"envelope"`
	Flags          payload.Value `json:"flags"`
	Routes         payload.Value `json:"routes"` // by which a received e-mail is forwarded
	Tags           payload.Value `json:"tags"`
	Campaigns      payload.Value `json:"campaigns"`
	UserVariables  payload.Value `json:"user-variables"` // an open map, or [] if there are none
	Severity       payload.Value `json:"severity"`       // permanent or temporary
	Reason         payload.Value `json:"reason"`
	DeliveryStatus payload.Value `json:"delivery-status"`
	Reject         payload.Value `json:"reject"`
	IP             payload.Value `json:"ip"`
	ClientInfo     payload.Value `json:"client-info"`
	Geolocation    payload.Value `json:"geolocation"`
	URL            payload.Value `json:"url"`
	MailingList    payload.Value `json:"mailing-list"` // in a form the address
}

type account struct {
	ID payload.Value `json:"id"`
}

type message struct {
	Headers     payload.Value `json:"headers"`
	Recipients  payload.Value `json:"recipients"` // of the envelope
	Attachments payload.Value `json:"attachments"`
}

type headers struct {
	MessageID payload.Value `json:"message-id"` // without angle brackets
	From      payload.Value `json:"from"`
	To        payload.Value `json:"to"` // all recipients
	Subject   payload.Value `json:"subject"`
}

type attachment struct {
	FileName    payload.Value `json:"filename"`
	ContentType payload.Value `json:"content-type"`
}

type envelope struct {
	Sender payload.Value `json:"sender"`
}

type flags struct {
	IsRouted payload.Value `json:"is-routed"`
}

type campaign struct {
	ID   payload.Value `json:"id"`
	Name payload.Value `json:"name"`
}

type deliveryStatus struct {
	Code        payload.Value `json:"code"`
	Message     payload.Value `json:"message"`
	Description payload.Value `json:"description"`
	BounceType  payload.Value `json:"bounce-type"` // hard or soft
}

type reject struct {
	Reason      payload.Value `json:"reason"`
	Description payload.Value `json:"description"`
}

type clientInfo struct {
	ClientName payload.Value `json:"client-name"`
	ClientOS   payload.Value `json:"client-os"`
	DeviceType payload.Value `json:"device-type"`
	UserAgent  payload.Value `json:"user-agent"`
	Bot        payload.Value `json:"bot"` // null, or the kind of program that acts without a person
}

type geolocation struct {
	City    payload.Value `json:"city"`
	Region  payload.Value `json:"region"`
	Country payload.Value `json:"country"`
}

type mailingList struct {
	Address payload.Value `json:"address"`
}

// form is the body of an older webhook. Every key that neither form nor formRawOnly nor
// sentRawOnly has is a variable of the vendor's customer.
type form struct {
	Event          payload.Value `json:"event"`
	Timestamp      payload.Value `json:"timestamp"`
	Recipient      payload.Value `json:"recipient"`
	MessageID      payload.Value `json:"Message-Id"` // in angle brackets
	LowerMessageID payload.Value `json:"message-id"`
	Tag            payload.Value `json:"tag"`
	XMailgunTag    payload.Value `json:"X-Mailgun-Tag"`
	CampaignID     payload.Value `json:"campaign-id"`
	CampaignName   payload.Value `json:"campaign-name"`
	Code           payload.Value `json:"code"`
	Error          payload.Value `json:"error"`
	Notification   payload.Value `json:"notification"`
	Reason         payload.Value `json:"reason"`
	Description    payload.Value `json:"description"`
	IP             payload.Value `json:"ip"`
	URL            payload.Value `json:"url"`
	MailingList    payload.Value `json:"mailing-list"`
	MessageHeaders payload.Value `json:"message-headers"` // the JSON text of an array of pairs, each a name and a value

	clientInfo
	geolocation
}

// native data structure conversion

// occurrence is what both kinds of bodies say. What a form says stands where event-data has it.
type occurrence struct {
	eventData
	id        vendors.Identity
	account   account
	message   message
	headers   headers
	envelope  envelope
	routed    bool // the vendor has received the e-mail, and forwards it by a route
	campaigns []event.Campaign
	status    deliveryStatus
	reject    reject
	client    clientInfo
	place     geolocation
	list      mailingList
	metadata  []event.Pair
}

func (o *occurrence) read(r *vendors.Reader, p payload.Value) {
	if w := payload.Bind[webhook](p); w.EventData.Kind() != payload.Missing {
		o.readEventData(r, w.EventData)
	} else {
		o.readForm(r, p)
	}
}

func (o *occurrence) readEventData(r *vendors.Reader, v payload.Value) {
	o.eventData = vendors.Object[eventData](r, "email", v)
	o.id = vendors.Natural(o.ID, o.Timestamp)
	o.account = vendors.Object[account](r, "account", o.Account)
	o.message = vendors.Object[message](r, "email", o.Message)
	if o.Recipient.Absent() && o.message.Recipients.Len() == 1 { // the header may name others
		for recipient := range o.message.Recipients.Elements() {
			o.Recipient = recipient
		}
	}
	o.headers = vendors.Object[headers](r, "email", o.message.Headers)
	o.envelope = vendors.Object[envelope](r, "email.from", o.Envelope)
	r.Note("direction", o.Routes)
	o.routed = !o.Routes.Absent() || r.Bool("direction", vendors.Object[flags](r, "direction", o.Flags).IsRouted) == event.True
	o.campaigns = vendors.Elements(r, "campaign", o.Campaigns, func(v payload.Value) event.Campaign {
		return readCampaign(r, payload.Bind[campaign](v))
	})
	o.status = vendors.Object[deliveryStatus](r, "email.status_detail", o.DeliveryStatus)
	o.reject = vendors.Object[reject](r, "email.status_text", o.Reject)
	o.client = vendors.Object[clientInfo](r, "client", o.ClientInfo)
	o.place = vendors.Object[geolocation](r, "contact.location", o.Geolocation)
	o.list = vendors.Object[mailingList](r, "subscription.topic", o.MailingList)
	o.metadata = r.Pairs("email.metadata", o.UserVariables)
}

func (o *occurrence) readForm(r *vendors.Reader, p payload.Value) {
	f := payload.Bind[form](p)
	*o = occurrence{
		eventData: eventData{
			Timestamp: f.Timestamp,
			Recipient: f.Recipient,
			Tags:      cmp.Or(f.Tag, f.XMailgunTag),
			Reason:    f.Reason,
			IP:        f.IP,
			URL:       f.URL,
		},
		headers:   readHeaders(r, f.MessageHeaders),
		campaigns: []event.Campaign{readCampaign(r, campaign{f.CampaignID, f.CampaignName})},
		status:    deliveryStatus{Code: f.Code, Message: f.Error, Description: cmp.Or(f.Description, f.Notification)},
		client:    f.clientInfo,
		place:     f.geolocation,
		list:      mailingList{f.MailingList},
	}
	if id := cmp.Or(f.MessageID, f.LowerMessageID); !id.Absent() {
		o.headers.MessageID = id
	}
	// No key has an id of the occurrence. The token may be another one when the vendor sends again.
	o.id = vendors.Content(o.headers.MessageID, f.Recipient, f.Timestamp, f.URL)
	if !f.Event.Absent() { // another body may have any keys
		o.metadata = readVariables(r, p)
	}
}

// readVariables reads the keys of a form that the customer's variables have.
func readVariables(r *vendors.Reader, p payload.Value) (variables []event.Pair) {
	for name, member := range p.Members() {
		if text, ok := member.Scalar(); ok && !formKeys[name] {
			r.Note("email.metadata", member)
			variables = append(variables, event.Pair{Name: name, Value: text})
		}
	}
	return variables
}

// readHeaders reads the header of an e-mail from the JSON text that an older webhook has it in.
func readHeaders(r *vendors.Reader, v payload.Value) (h headers) {
	for _, field := range []string{"email.id", "email.message_id", "email.from", "email.to", "email.subject"} {
		r.Note(field, v)
	}
	for element := range parsed(v).Elements() {
		var pair []payload.Value
		for part := range element.Elements() {
			pair = append(pair, part)
		}
		if len(pair) != 2 {
			continue
		}
		switch name, _ := pair[0].Scalar(); strings.ToLower(name) {
		case "message-id":
			h.MessageID = pair[1]
		case "from":
			h.From = pair[1]
		case "to":
			h.To = pair[1]
		case "subject":
			h.Subject = pair[1]
		}
	}
	return h
}

// parsed returns the document whose JSON text the value has, and a missing value if it has none,
// or more than any header takes. The document is not released: what is read from it stays in use.
func parsed(v payload.Value) payload.Value {
	const most = 64 << 10
	text, _ := v.Scalar()
	if len(text) > most {
		return payload.Value{}
	}
	document, err := payload.Parse(text)
	if err != nil {
		return payload.Value{}
	}
	return document
}

// formKeys has the keys of the older webhooks that are not variables of the vendor's customer.
var formKeys = func() map[string]bool {
	keys := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[form]()) {
		keys[field.Tag.Get("json")] = true
	}
	for _, reason := range slices.Concat(formRawOnly, sentRawOnly) {
		for _, key := range reason.Keys {
			keys[key] = true
		}
	}
	return keys
}()

func readCampaign(r *vendors.Reader, c campaign) event.Campaign {
	return event.Campaign{ID: r.Text("campaign.id", c.ID), Name: r.Text("campaign.name", c.Name)}
}

// sent returns the conversion of what became of an e-mail of our side.
func sent(eventType string) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		var o occurrence
		draft := convert(in, &o)
		draft.Type = o.typeOf(eventType)
		return draft
	}
}

// failed converts an e-mail that was not delivered. The vendor does not send to an address that
// has bounced, unsubscribed or complained: the reason is then suppress-bounce and the like.
func failed(in *vendors.Input) vendors.Draft {
	var o occurrence
	draft := convert(in, &o)
	r, email := draft.Read, draft.Data.Email
	suppressed := strings.HasPrefix(email.StatusText, "suppress-")
	bounceType := r.Text("email.failure", o.status.BounceType)
	r.Note("email.failure", o.Reason)
	switch r.Text("email.failure", o.Severity) { // which says whether the vendor tries again
	case "permanent":
		draft.Type = o.typeOf(event.EmailBounced)
		if suppressed {
			draft.Type = o.typeOf(event.EmailDropped)
		}
		switch {
		case bounceType == "hard", bounceType == "" && (suppressed || email.StatusText == "bounce"):
			email.Failure = event.Permanent
		case bounceType == "soft", email.StatusText == old, email.StatusText == "espblock":
			email.Failure = event.Temporary
		}
	case "temporary":
		draft.Type = o.typeOf(event.EmailDeferred)
		email.Failure = event.Temporary
	}
	if o.routed {
		email.Failure = "" // the address that has failed is the one that the route forwards to, and not the contact's
	}
	return draft
}

// bounced converts an e-mail that the recipient's server has refused for good.
func bounced(in *vendors.Input) vendors.Draft {
	draft := convert(in, new(occurrence))
	draft.Type = event.EmailBounced
	draft.Data.Email.Failure = event.Permanent
	return draft
}

// dropped converts an e-mail that the vendor does not send, because the address has bounced,
// unsubscribed or complained, or that it has given up as old.
func dropped(in *vendors.Input) vendors.Draft {
	draft := convert(in, new(occurrence))
	draft.Type, draft.Data.Email.Failure = event.EmailDropped, event.Permanent
	if draft.Data.Email.StatusText == old {
		draft.Type, draft.Data.Email.Failure = event.EmailBounced, event.Temporary
	}
	return draft
}

// old is the reason why the vendor gives up an e-mail that was refused for hours. Another e-mail
// to the address may arrive.
const old = "old"

func opened(in *vendors.Input) vendors.Draft {
	var o occurrence
	draft := convert(in, &o)
	draft.Type = event.EmailOpened
	readClient(&draft, &o)
	return draft
}

func clicked(in *vendors.Input) vendors.Draft {
	var o occurrence
	draft := convert(in, &o)
	draft.Type = event.EmailClicked
	draft.Data.Email.LinkURL = draft.Read.Text("email.link_url", o.URL)
	readClient(&draft, &o)
	return draft
}

// unsubscribed converts an unsubscribe from a mailing list, from the tags that are sent, or from
// all e-mails of the domain, for which * stands.
func unsubscribed(in *vendors.Input) vendors.Draft {
	var o occurrence
	draft := convertUntagged(in, &o)
	r := draft.Read
	topic := r.Text("subscription.topic", o.list.Address)
	if tags := r.Texts("subscription.topic", o.Tags); topic == "" {
		topic = strings.Join(tags, ", ")
	}
	draft.Type = event.ContactUnsubscribed
	draft.Data.Direction = ""
	draft.Data.Subscription = &event.Subscription{Channel: event.ChannelEmail, Topic: topic, Subscribed: event.False}
	readClient(&draft, &o)
	return draft
}

// stored converts an e-mail of the contact, which the vendor keeps for our side.
func stored(in *vendors.Input) vendors.Draft {
	draft := convert(in, new(occurrence))
	draft.Type = event.EmailReceived
	return draft
}

// other converts a payload that is of no known native event, which need not be about an e-mail.
func other(in *vendors.Input) vendors.Draft {
	draft := convert(in, new(occurrence))
	draft.Data.Channel, draft.Data.Direction = "", ""
	return draft
}

// typeOf returns the type of an event about an e-mail. An e-mail that the vendor has received and
// forwards by a route is none of our side, so no type of the catalogue says what becomes of it.
func (o *occurrence) typeOf(eventType string) string {
	if o.routed {
		return ""
	}
	return eventType
}

func convert(in *vendors.Input, o *occurrence) vendors.Draft {
	draft := convertUntagged(in, o)
	draft.Data.Email.Tags = draft.Read.Texts("email.tags", o.Tags)
	return draft
}

// convertUntagged converts what all native events have in common. The tags of an unsubscribe are
// not those of the e-mail.
func convertUntagged(in *vendors.Input, o *occurrence) vendors.Draft {
	r := in.Read()
	o.read(r, in.Payload)
	id := r.MessageID("email.id", o.headers.MessageID)
	r.Note("email.message_id", o.headers.MessageID)
	name, from := mailbox(r.Email("email.from", o.headers.From, o.envelope.Sender))
	to := recipient(r.Email("email.to", o.Recipient, o.headers.To))
	draft := vendors.Draft{
		ID:      o.id,
		Subject: vendors.Subject{Kind: "email", ID: id},
		Time:    r.EpochSeconds("time", o.Timestamp),
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelEmail,
			Account: event.Account{ID: r.Text("account.id", o.account.ID)},
			Email: &event.Email{
				ID:           id,
				MessageID:    id,
				From:         from,
				To:           to,
				Subject:      r.Text("email.subject", o.headers.Subject),
				Attachments:  readAttachments(r, o.message.Attachments),
				StatusCode:   r.Text("email.status_code", o.status.Code),
				StatusText:   r.Text("email.status_text", o.Reason, o.reject.Reason),
				StatusDetail: r.Text("email.status_detail", o.status.Message, o.status.Description, o.reject.Description),
				Metadata:     o.metadata,
			},
		},
	}
	if len(o.campaigns) > 0 {
		draft.Data.Campaign = o.campaigns[0]
	}
	if o.routed || in.Event == "stored" {
		r.Note("contact.name", o.headers.From)
		r.Note("contact.email", o.headers.From, o.envelope.Sender)
		r.Note("partitionkey", o.headers.From, o.envelope.Sender)
		draft.Data.Direction, draft.Data.Contact = event.Inbound, event.Contact{Name: name, Email: from}
	} else {
		r.Note("contact.name", o.headers.To)
		r.Note("contact.email", o.Recipient, o.headers.To)
		r.Note("partitionkey", o.Recipient, o.headers.To)
		all, _ := o.headers.To.Scalar()
		draft.Data.Direction, draft.Data.Contact = event.Outbound, event.Contact{Name: nameOf(all, to), Email: to}
	}
	draft.Person = vendors.Ladder{draft.Data.Contact.Email}
	return draft
}

// mailbox returns the name and the address of a header field such as From, and only the text
// where the text is no mailbox.
func mailbox(text string) (name, address string) {
	m, err := mail.ParseAddress(text)
	if err != nil {
		return "", text
	}
	return m.Name, m.Address
}

// recipient returns the one address in a list of recipients, and "" where there are several.
func recipient(list string) string {
	switch all, err := mail.ParseAddressList(list); {
	case err != nil && !strings.Contains(list, ","):
		return list
	case len(all) == 1:
		return all[0].Address
	}
	return ""
}

// nameOf returns the name that an address has in a list of recipients, and "" where it has none.
func nameOf(list, address string) string {
	all, _ := mail.ParseAddressList(list)
	for _, m := range all {
		if m.Address == address {
			return m.Name
		}
	}
	return ""
}

func readAttachments(r *vendors.Reader, v payload.Value) []event.Attachment {
	return vendors.Elements(r, "email.attachments", v, func(element payload.Value) event.Attachment {
		a := payload.Bind[attachment](element)
		return event.Attachment{
			Type: r.Text("email.attachments.type", a.ContentType),
			Name: r.Text("email.attachments.name", a.FileName),
		}
	})
}

// readClient reads the program that the contact has used, and where it was.
func readClient(draft *vendors.Draft, o *occurrence) {
	r := draft.Read
	c := event.Client{
		IPAddress: r.Text("client.ip_address", o.IP),
		UserAgent: r.Text("client.user_agent", o.client.UserAgent),
		Name:      r.Text("client.name", o.client.ClientName),
		OS:        r.Text("client.os", o.client.ClientOS),
		Device:    r.Text("client.device", o.client.DeviceType),
	}
	if r.Text("client.automatic", o.client.Bot) != "" {
		c.Automatic = event.True
	}
	if c != (event.Client{}) {
		draft.Data.Client = &c
	}
	draft.Data.Contact.Location = event.Location{
		City:    r.Text("contact.location.city", o.place.City),
		Region:  r.Text("contact.location.region", o.place.Region),
		Country: r.Text("contact.location.country", o.place.Country),
	}
}
