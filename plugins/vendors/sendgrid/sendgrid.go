// Package sendgrid decodes the Event Webhook of SendGrid: what became of an e-mail on its way to
// one recipient, what the recipient did with it, and what the recipient wants no more. A delivery
// is an array of events. Each event names its native event, and may have keys of the customer's
// own (unique arguments, custom arguments) beside those of the vendor.
//
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
package sendgrid

import (
	"embed"
	"iter"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "sendgrid",
		Title:     "SendGrid",
		Page:      "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
		Setup:     "Settings > Mail Settings > Event Webhooks > Post URL: `/sendgrid`, with Enable Signed Event Webhook; the verification key that is shown after saving is the secret.",
		SecretEnv: "SENDGRID_PUBLIC_KEY",
		Signing: signing.ECDSA{
			Header: "X-Twilio-Email-Event-Webhook-Signature",
			Signed: signing.Signed{Timestamp: "X-Twilio-Email-Event-Webhook-Timestamp", Tolerance: tolerance},
		},
		Samples: samples,
		Events: []vendors.NativeEvent{
			{Name: "account_status_change", Types: []string{"sendgrid.account_status_change"}, Convert: other, RawOnly: accountRawOnly},
			{Name: "bounce", Types: []string{event.EmailBounced}, Convert: bounce, RawOnly: deliveryRawOnly},
			{Name: "click", Types: []string{event.EmailClicked}, Convert: click, RawOnly: engagementRawOnly},
			{Name: "deferred", Types: []string{event.EmailDeferred}, Convert: deferred, RawOnly: deliveryRawOnly},
			{Name: "delivered", Types: []string{event.EmailDelivered}, Convert: delivery(event.EmailDelivered), RawOnly: deliveryRawOnly},
			{Name: "dropped", Types: []string{event.EmailDropped}, Convert: dropped, RawOnly: groupRawOnly},
			{Name: "group_resubscribe", Types: []string{event.ContactSubscribed}, Convert: groupSubscription(event.ContactSubscribed, event.True), RawOnly: subscriptionRawOnly},
			{Name: "group_unsubscribe", Types: []string{event.ContactUnsubscribed}, Convert: groupSubscription(event.ContactUnsubscribed, event.False), RawOnly: subscriptionRawOnly},
			{Name: "open", Types: []string{event.EmailOpened}, Convert: engagement(event.EmailOpened), RawOnly: engagementRawOnly},
			{Name: "processed", Types: []string{event.EmailAccepted}, Convert: delivery(event.EmailAccepted), RawOnly: groupRawOnly},
			{Name: "spamreport", Types: []string{event.EmailComplained}, Convert: engagement(event.EmailComplained)},
			{Name: "unsubscribe", Types: []string{event.ContactUnsubscribed}, Convert: unsubscribed, RawOnly: groupRawOnly},
		},
		RawOnly: rawOnly,
		Pieces:  pieces,
		Named:   named,
		Other:   other,
	})
}

// tolerance is longer than the vendor retries a delivery. It retries for 24 hours after the
// event; no page says whether it signs again for a retry. A delivery that is replayed within the
// tolerance gives events with the same ids.
const tolerance = 30 * time.Hour

// pieces yields the events of a delivery: the elements of the array. A single event is its own
// delivery.
func pieces(delivery payload.Value) iter.Seq[payload.Value] {
	if delivery.Kind() == payload.Array {
		return delivery.Elements()
	}
	return func(yield func(payload.Value) bool) { yield(delivery) }
}

func named(r *vendors.Reader, p payload.Value) string {
	return r.Text("vendorevent", p.Get("event"))
}

// rawOnly has the keys that no native event reads.
var rawOnly = []vendors.RawOnly{
	{Reason: "how often the vendor has tried, or how it has sent the e-mail", Keys: []string{"attempt", "cert_err", "pool", "tls"}},
	{Reason: "when the e-mail was to be sent, in units that differ", Keys: []string{"send_at"}},
	{Reason: "the domain of the recipient, which contact.email has", Keys: []string{"domain"}},
	{Reason: "the template and the kind of content of the e-mail", Keys: []string{
		"sg_content_type", "sg_template_id", "sg_template_name", "template_hash", "template_id", "template_version_id",
	}},
	{Reason: "the place of the link in the e-mail", Keys: []string{"url_offset"}},
	{Reason: "which step, version or batch of the campaign the e-mail is of", Keys: []string{
		"marketing_campaign_split_id", "marketing_campaign_version", "mc_auto_msg_id", "mc_auto_step_id", "mc_auto_unique_id", "mc_pod_id", "mc_stats",
		"newsletter.newsletter_send_id", "newsletter.newsletter_user_list_id", "phase_id", "post_type",
	}},
}

// The keys that only other native events read.
var (
	groupRawOnly = []vendors.RawOnly{
		{Reason: "the unsubscribe group that the e-mail was sent to, where nobody has left or joined the group", Keys: []string{"asm_group_id"}},
	}
	deliveryRawOnly = append([]vendors.RawOnly{
		{Reason: "the vendor's own address, which it has sent the e-mail from", Keys: []string{"ip"}},
	}, groupRawOnly...)
	engagementRawOnly   = groupRawOnly
	subscriptionRawOnly = []vendors.RawOnly{
		{Reason: "the page on which the contact has left or joined the group", Keys: []string{"url"}},
	}
	accountRawOnly = []vendors.RawOnly{
		{Reason: "the new status of the vendor's customer, which is no contact", Keys: []string{"type"}},
	}
)

// native data structures

// webhook is one event. Every native event has some of the keys.
type webhook struct {
	Event      payload.Value `json:"event"`
	SGEventID  payload.Value `json:"sg_event_id"` // absent on some unsubscribes and on events of legacy tools
	Timestamp  payload.Value `json:"timestamp"`   // seconds since 1970
	Email      payload.Value `json:"email"`       // the recipient
	From       payload.Value `json:"from"`
	SGUserID   payload.Value `json:"sg_user_id"` // the vendor's account
	Category   payload.Value `json:"category"`   // a string or an array
	UniqueArgs payload.Value `json:"unique_args"`
	CustomArgs payload.Value `json:"custom_args"`

	// SGMessageID is the id of an e-mail to one recipient, the same in all events about it:
	// the X-Message-Id that the vendor has answered the sender with, a dot, and what tells the
	// recipients and the vendor's servers apart. A bounce that arrives after the vendor has
	// handed the e-mail on has none.
	SGMessageID payload.Value `json:"sg_message_id"`
	SMTPID      payload.Value `json:"smtp-id"` // the header field Message-ID, in angle brackets; engagement has none

	Type                 payload.Value `json:"type"`                  // of a bounce: bounce (for good) or blocked (for now)
	BounceClassification payload.Value `json:"bounce_classification"` // Invalid Address, Technical, Content, ...
	Status               payload.Value `json:"status"`                // 5.1.1
	Reason               payload.Value `json:"reason"`                // of the recipient's server in a bounce, of the vendor in others
	Response             payload.Value `json:"response"`              // of the recipient's server

	IP            payload.Value `json:"ip"` // of the vendor in delivery events, of the recipient in others
	UserAgent     payload.Value `json:"useragent"`
	SGMachineOpen payload.Value `json:"sg_machine_open"` // whether a privacy proxy has opened the e-mail
	URL           payload.Value `json:"url"`
	ASMGroupID    payload.Value `json:"asm_group_id"` // the unsubscribe group

	SingleSendID   payload.Value `json:"singlesend_id"`
	SingleSendName payload.Value `json:"singlesend_name"`
	CampaignID     payload.Value `json:"marketing_campaign_id"`
	CampaignName   payload.Value `json:"marketing_campaign_name"`
	AutomationID   payload.Value `json:"mc_auto_id"`
	AutomationName payload.Value `json:"mc_auto_name"`
	Newsletter     payload.Value `json:"newsletter"` // of the legacy marketing tool
}

type newsletter struct {
	ID payload.Value `json:"newsletter_id"`
}

// vendorKeys are the keys of an event that are the vendor's. All others are the customer's. The
// vendor has words that customers use, too, only for an e-mail that has not arrived: such an event
// has failureKeys.
var vendorKeys, failureKeys = func() (plain, failure map[string]bool) {
	failure = map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[webhook]()) {
		failure[field.Tag.Get("json")] = true
	}
	for _, r := range rawOnly {
		for _, key := range r.Keys {
			failure[key] = true
		}
	}
	plain = maps.Clone(failure)
	for _, key := range []string{"reason", "status", "type"} {
		delete(plain, key)
	}
	return plain, failure
}()

// native data structure conversion

// delivery returns the conversion of what became of an e-mail on its way to the recipient.
func delivery(eventType string) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		var w webhook
		return convertEmail(in, &w, eventType, vendorKeys)
	}
}

// bounce converts a refusal by the recipient's server. A refusal of the type blocked is one of
// this e-mail, and not of the recipient.
func bounce(in *vendors.Input) vendors.Draft {
	var w webhook
	draft := convertFailure(in, &w, event.EmailBounced)
	if w.SGMessageID.Absent() {
		// The vendor makes the id of an event of that of the e-mail. Without an e-mail's id, only the
		// attempt and the vendor's account are left in it, which many bounces share.
		draft.ID = vendors.Natural(w.SGEventID, w.Email, w.Timestamp)
	}
	r, email := draft.Read, draft.Data.Email
	email.StatusText = r.Text("email.status_text", w.BounceClassification)
	email.StatusDetail = r.Text("email.status_detail", w.Reason, w.Response)
	switch r.Text("email.failure", w.Type) {
	case "bounce":
		email.Failure = event.Permanent
	case "blocked":
		email.Failure = event.Temporary
	}
	return draft
}

// dropped converts an e-mail that the vendor has not sent, because of its address or because of
// something else.
func dropped(in *vendors.Input) vendors.Draft {
	var w webhook
	draft := convertFailure(in, &w, event.EmailDropped)
	draft.Read.Note("email.failure", w.Reason)
	email := draft.Data.Email
	email.StatusText = draft.Read.Text("email.status_text", w.Reason)
	switch email.StatusText {
	case "Bounced Address", "Invalid", "Invalid Address", "Spam Reporting Address", "Unsubscribed Address":
		email.Failure = event.Permanent
	case "Invalid SMTPAPI header", "Recipient List over Package Quota", "Spam Content":
		email.Failure = event.Temporary
	}
	return draft
}

func deferred(in *vendors.Input) vendors.Draft {
	var w webhook
	draft := convertFailure(in, &w, event.EmailDeferred)
	email := draft.Data.Email
	email.Failure = event.Temporary
	email.StatusText = draft.Read.Text("email.status_text", w.Reason)
	return draft
}

// engagement returns the conversion of what the recipient has done with an e-mail.
func engagement(eventType string) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		var w webhook
		draft := convertEmail(in, &w, eventType, vendorKeys)
		draft.Data.Client = client(draft.Read, &w)
		return draft
	}
}

func click(in *vendors.Input) vendors.Draft {
	var w webhook
	draft := convertEmail(in, &w, event.EmailClicked, vendorKeys)
	draft.Data.Client = client(draft.Read, &w)
	draft.Data.Email.LinkURL = draft.Read.Text("email.link_url", w.URL)
	return draft
}

// groupSubscription returns the conversion of a change of one unsubscribe group that the contact
// has left or joined.
func groupSubscription(eventType string, subscribed event.Bool) func(*vendors.Input) vendors.Draft {
	return func(in *vendors.Input) vendors.Draft {
		var w webhook
		draft := convertSubscription(in, &w, eventType, subscribed)
		draft.Data.Subscription.Topic = draft.Read.Text("subscription.topic", w.ASMGroupID)
		return draft
	}
}

// unsubscribed converts that the contact wants no e-mail at all of the vendor's customer, whatever
// unsubscribe group the e-mail was sent to.
func unsubscribed(in *vendors.Input) vendors.Draft {
	var w webhook
	return convertSubscription(in, &w, event.ContactUnsubscribed, event.False)
}

func convertSubscription(in *vendors.Input, w *webhook, eventType string, subscribed event.Bool) vendors.Draft {
	draft := convertEmail(in, w, eventType, vendorKeys)
	draft.Data.Direction = ""
	draft.Data.Client = client(draft.Read, w)
	draft.Data.Subscription = &event.Subscription{Channel: event.ChannelEmail, Subscribed: subscribed}
	return draft
}

// other converts a payload that is about no e-mail that we know of: what the vendor lets its
// customer do has changed, or the native event is not known. Its keys may be the vendor's or the
// customer's, so the customer's are not read.
func other(in *vendors.Input) vendors.Draft {
	var w webhook
	return convert(in, &w)
}

// convertFailure converts what all native events about an e-mail that has not arrived have in
// common.
func convertFailure(in *vendors.Input, w *webhook, eventType string) vendors.Draft {
	draft := convertEmail(in, w, eventType, failureKeys)
	draft.Data.Email.StatusCode = draft.Read.Text("email.status_code", w.Status)
	return draft
}

// convertEmail converts what all native events about an e-mail have in common. The keys are those
// that are the vendor's.
func convertEmail(in *vendors.Input, w *webhook, eventType string, keys map[string]bool) vendors.Draft {
	draft := convert(in, w)
	r, email := draft.Read, draft.Data.Email
	draft.Type = eventType
	draft.Data.Channel = event.ChannelEmail
	draft.Data.Direction = event.Outbound
	email.StatusDetail = r.Text("email.status_detail", w.Response)
	email.Metadata = r.Others("email.metadata", in.Payload, keys)
	email.Metadata = append(email.Metadata, r.Pairs("email.metadata", w.UniqueArgs)...)
	email.Metadata = append(email.Metadata, r.Pairs("email.metadata", w.CustomArgs)...)
	return draft
}

// convert converts what all native events have in common. It fills w from the payload.
func convert(in *vendors.Input, w *webhook) vendors.Draft {
	r := in.Read()
	payload.BindTo(in.Payload, w)
	recipient := r.Email("contact.email", w.Email)
	r.Note("email.to", w.Email)
	emailID := strings.TrimSpace(r.Text("email.id", w.SGMessageID))
	return vendors.Draft{
		ID:      vendors.Natural(w.SGEventID),
		Subject: vendors.Subject{Kind: "email", ID: emailID},
		Time:    r.EpochSeconds("time", w.Timestamp),
		Person:  vendors.Ladder{recipient},
		Read:    r,
		Data: event.Data{
			Contact:  event.Contact{Email: recipient},
			Account:  event.Account{ID: r.Text("account.id", w.SGUserID)},
			Campaign: campaign(r, w),
			Email: &event.Email{
				ID:        emailID,
				MessageID: r.MessageID("email.message_id", w.SMTPID),
				From:      r.Email("email.from", w.From),
				To:        recipient,
				Tags:      r.Texts("email.tags", w.Category),
			},
		},
	}
}

func campaign(r *vendors.Reader, w *webhook) event.Campaign {
	n := vendors.Object[newsletter](r, "campaign", w.Newsletter)
	return event.Campaign{
		ID:   r.Text("campaign.id", w.SingleSendID, w.CampaignID, w.AutomationID, n.ID),
		Name: r.Text("campaign.name", w.SingleSendName, w.CampaignName, w.AutomationName),
	}
}

func client(r *vendors.Reader, w *webhook) *event.Client {
	return &event.Client{
		IPAddress: r.Text("client.ip_address", w.IP),
		UserAgent: r.Text("client.user_agent", w.UserAgent),
		Automatic: r.Bool("client.automatic", w.SGMachineOpen),
	}
}
