// Package callrail decodes the webhooks of CallRail: calls, texts and forms. No payload
// names its native event: the route declares the native event, or it is guessed from the
// shape of the payload. Bodies are JSON or forms.
//
// https://support.callrail.com/hc/en-us/articles/5711246459149-Webhooks
package callrail

import (
	"crypto"
	"embed"
	"sync"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

//go:embed testdata/*/*.json
var samples embed.FS

func init() {
	vendors.Register(vendors.Vendor{
		Name:      "callrail",
		Title:     "CallRail",
		Page:      "https://support.callrail.com/hc/en-us/articles/5711246459149-Webhooks",
		Setup:     "Settings > Integrations > Webhooks: one URL for each event, `/callrail/<native event>`.",
		Signing:   signing.HMAC{Header: "Signature", Hash: crypto.SHA1, Encoding: signing.Base64},
		SecretEnv: "CALLRAIL_SIGNING_KEY",
		Samples:   samples,
		Events: []vendors.NativeEvent{
			{Name: "call_modified", Types: []string{event.CallUpdated}, Convert: only(calls, callModified), RawOnly: callRawOnly},
			{Name: "call_routing_complete", Types: []string{event.CallRouted}, Convert: only(calls, callRouted), RawOnly: unfinishedCallRawOnly},
			{Name: "form_submission", Types: []string{event.FormSubmitted}, Convert: only(forms, formSubmitted), RawOnly: formRawOnly},
			{Name: "outbound_call_modified", Types: []string{event.CallUpdated}, Convert: only(calls, callModified), RawOnly: callRawOnly},
			{Name: "outbound_post_call", Types: []string{event.CallCompleted}, Convert: only(calls, callCompleted), RawOnly: callRawOnly},
			{Name: "post_call", Types: []string{event.CallCompleted}, Convert: only(calls, callCompleted), RawOnly: callRawOnly},
			{Name: "pre_call", Types: []string{event.CallStarted}, Convert: only(calls, callStarted), RawOnly: unfinishedCallRawOnly},
			{Name: "text_message", Types: []string{"callrail.text_message"}, Convert: only(texts, textMessage)},
			{Name: "text_message_received", Types: []string{event.MessageReceived}, Convert: only(texts, textReceived)},
			{Name: "text_message_sent", Types: []string{event.MessageSent}, Convert: only(texts, textSent)},
			{Name: "voice_assist_call_answered", Types: []string{"callrail.voice_assist_call_answered"}, Convert: only(calls, voiceAssistAnswered)},
		},
		RawOnly:   rawOnly,
		Shape:     shape,
		Other:     other,
		Numbering: event.NorthAmerican,
	})
}

// family is what a payload unmistakably is, whatever the route declares: a call, a text or
// a form. An empty form_data is no sign of a form, because calls send "" for keys without a
// value.
type family string

const (
	calls family = "call"
	texts family = "text"
	forms family = "form"
)

func (o *record) family() family {
	switch {
	case !o.FormData.Absent():
		return forms
	case sent(o.Content) && sent(o.SourceNumber) && sent(o.DestinationNumber):
		return texts
	case sent(o.CallType) && sent(o.StartTime):
		return calls
	}
	return ""
}

// sent reports whether the payload has the key, whatever its value is.
func sent(v payload.Value) bool { return v.Kind() != payload.Missing }

// native is a pointer to a native structure that embeds record.
type native[T any] interface {
	*T
	family() family
}

// only returns a conversion for payloads of one family, or of no family. A payload of
// another family becomes an unrecognized event.
func only[T any, P native[T]](declared family, convert func(*T, *vendors.Reader) vendors.Draft) func(*vendors.Input) vendors.Draft {
	structures := sync.Pool{New: func() any { return new(T) }} // the structures are large
	return func(in *vendors.Input) vendors.Draft {
		structure := structures.Get().(*T)
		defer func() {
			*structure = *new(T) // the next payload finds an empty structure
			structures.Put(structure)
		}()
		payload.BindTo(in.Payload, structure)
		if actual := P(structure).family(); actual != "" && actual != declared {
			draft := other(in)
			draft.Type = event.Unrecognized("callrail")
			draft.Read.Contradict()
			return draft
		}
		return convert(structure, in.Read())
	}
}

// shape guesses the native event of a payload for which no route declares one.
func shape(p payload.Value) string {
	c := payload.Bind[call](p)
	switch c.family() {
	case forms:
		return "form_submission"
	case texts:
		return "text_message"
	}
	direction, _ := c.Direction.Scalar()
	isCall := sent(c.StartTime) && (sent(c.CallType) || sent(c.Direction))
	switch {
	case p.Has("call_id") && c.ResourceID.Absent() && c.ID.Absent():
		return "voice_assist_call_answered"
	case !isCall && sent(c.FormData):
		return "form_submission" // a form without a field
	case !isCall:
		return ""
	case sent(c.Changes) && direction == "outbound":
		return "outbound_call_modified"
	case sent(c.Changes):
		return "call_modified"
	case direction == "outbound":
		return "outbound_post_call"
	case direction == "inbound" && !sent(c.Recording) && !sent(c.Transcription) && c.BusinessPhoneNumber.Absent():
		return "pre_call"
	case direction == "inbound" && !sent(c.Recording) && !sent(c.Transcription):
		return "call_routing_complete"
	}
	return "post_call"
}

// native data structures

// record is what calls, texts and forms have in common.
type record struct {
	ID                  payload.Value `json:"id"`
	ResourceID          payload.Value `json:"resource_id"`
	PersonResourceID    payload.Value `json:"person_resource_id"`
	CustomerName        payload.Value `json:"customer_name"`
	CustomerPhoneNumber payload.Value `json:"customer_phone_number"`
	CustomerCity        payload.Value `json:"customer_city"`
	CustomerState       payload.Value `json:"customer_state"`
	CustomerCountry     payload.Value `json:"customer_country"`
	CompanyResourceID   payload.Value `json:"company_resource_id"`
	CompanyID           payload.Value `json:"company_id"`
	CompanyName         payload.Value `json:"company_name"`
	CompanyTimeZone     payload.Value `json:"company_time_zone"`
	LeadStatus          payload.Value `json:"lead_status"`
	Agent               payload.Value `json:"agent"` // a name, or an object
	AgentEmail          payload.Value `json:"agent_email"`

	// These keys tell calls, texts and forms apart.
	CallType          payload.Value `json:"call_type"`
	StartTime         payload.Value `json:"start_time"`
	SourceNumber      payload.Value `json:"source_number"`
	DestinationNumber payload.Value `json:"destination_number"`
	Content           payload.Value `json:"content"`
	FormData          payload.Value `json:"form_data"` // an open map
}

// marketing is the marketing that brought a contact to a call or form.
type marketing struct {
	Source         payload.Value `json:"source"`
	Medium         payload.Value `json:"medium"`
	Campaign       payload.Value `json:"campaign"`
	Keywords       payload.Value `json:"keywords"`
	LandingPageURL payload.Value `json:"landing_page_url"`
	Landing        payload.Value `json:"landing"`
	ReferringURL   payload.Value `json:"referring_url"`
	ReferrerURL    payload.Value `json:"referrer_url"`
	Referrer       payload.Value `json:"referrer"`
	UTMSource      payload.Value `json:"utm_source"`
	UTMMedium      payload.Value `json:"utm_medium"`
	UTMCampaign    payload.Value `json:"utm_campaign"`
	UTMTerm        payload.Value `json:"utm_term"`
	UTMContent     payload.Value `json:"utm_content"`
	GCLID          payload.Value `json:"gclid"`
	FBCLID         payload.Value `json:"fbclid"`
	MSCLKID        payload.Value `json:"msclkid"`
	DeviceType     payload.Value `json:"device_type"`
	SessionUUID    payload.Value `json:"session_uuid"`
	Milestones     payload.Value `json:"milestones"`
}

// milestone is the value of a member of milestones, which is an open map.
type milestone struct {
	EventDate payload.Value `json:"event_date"`
	Source    payload.Value `json:"source"`
	Medium    payload.Value `json:"medium"`
	Campaign  payload.Value `json:"campaign"`
	Keywords  payload.Value `json:"keywords"`
	Landing   payload.Value `json:"landing"`
	Referrer  payload.Value `json:"referrer"`
}

// call is the object that all native events of a call send, each of them with more of its
// keys filled. A missing value is sent as "", and a duration as a string.
type call struct {
	record
	marketing
	Direction           payload.Value `json:"direction"`
	Duration            payload.Value `json:"duration"`
	Answered            payload.Value `json:"answered"`
	Voicemail           payload.Value `json:"voicemail"`
	TrackingPhoneNumber payload.Value `json:"tracking_phone_number"`
	TrackerResourceID   payload.Value `json:"tracker_resource_id"`
	TrackerID           payload.Value `json:"tracker_id"`
	SourceName          payload.Value `json:"source_name"` // the name of the tracking number
	TimelineURL         payload.Value `json:"timeline_url"`
	BusinessPhoneNumber payload.Value `json:"business_phone_number"`
	FirstCall           payload.Value `json:"first_call"`
	PriorCalls          payload.Value `json:"prior_calls"`
	TotalCalls          payload.Value `json:"total_calls"`
	Recording           payload.Value `json:"recording"`
	RecordingDuration   payload.Value `json:"recording_duration"`
	Transcription       payload.Value `json:"transcription"`
	CallSummary         payload.Value `json:"call_summary"`
	Tags                payload.Value `json:"tags"`
	Note                payload.Value `json:"note"`
	Value               payload.Value `json:"value"`
	Score               payload.Value `json:"score"`
	Spam                payload.Value `json:"spam"`
	KeywordsSpotted     payload.Value `json:"keywords_spotted"`
	CallHighlights      payload.Value `json:"call_highlights"`
	Changes             payload.Value `json:"changes"`
}

type text struct {
	record
	MediaURLs      payload.Value `json:"media_urls"`
	Timestamp      payload.Value `json:"timestamp"`
	ConversationID payload.Value `json:"conversation_id"`
	ThreadID       payload.Value `json:"thread_resource_id"`
}

type agent struct {
	ID    payload.Value `json:"id"`
	Name  payload.Value `json:"name"`
	Email payload.Value `json:"email"`
}

type form struct {
	record
	marketing
	FormURL     payload.Value `json:"form_url"`
	URL         payload.Value `json:"url"`
	SubmittedAt payload.Value `json:"submitted_at"`
	CreatedAt   payload.Value `json:"created_at"`
	FirstForm   payload.Value `json:"first_form"`
}

type voiceAssist struct {
	record
	CallID         payload.Value `json:"call_id"`
	TrackingNumber payload.Value `json:"tracking_number"`
	Timestamp      payload.Value `json:"timestamp"`
}

// native data structure conversion

func callStarted(c *call, r *vendors.Reader) vendors.Draft {
	draft := convertCall(c, r)
	draft.Type = event.CallStarted
	draft.Data.Call = started(c, r)
	draft.Time = draft.Data.Call.StartedAt
	return draft
}

func callRouted(c *call, r *vendors.Reader) vendors.Draft {
	draft := convertCall(c, r)
	draft.Type = event.CallRouted
	draft.Data.Call = routed(c, r)
	draft.Time = draft.Data.Call.StartedAt
	return draft
}

func callCompleted(c *call, r *vendors.Reader) vendors.Draft {
	draft := convertCall(c, r)
	draft.Type = event.CallCompleted
	draft.Data.Call = completed(c, r, draft.Data.Direction)
	draft.Time = draft.Data.Call.StartedAt
	draft.Data.Agent = agentOf(&c.record, r)
	return draft
}

func callModified(c *call, r *vendors.Reader) vendors.Draft {
	draft := convertCall(c, r)
	draft.Type = event.CallUpdated
	draft.ID = vendors.Content() // a call may be modified several times, and no key says when
	draft.Data.Call = completed(c, r, draft.Data.Direction)
	draft.Data.Agent = agentOf(&c.record, r)
	draft.Data.Changes = changes(r, c.Changes)
	return draft
}

// convertCall converts everything except the fields of event.Call, of which each native
// event knows a different part.
func convertCall(c *call, r *vendors.Reader) vendors.Draft {
	caller := contact(&c.record, r, c.CustomerPhoneNumber)
	return vendors.Draft{
		ID:      vendors.Natural(rid(&c.record)),
		Subject: vendors.Subject{Kind: "call", ID: id(&c.record)},
		Person:  vendors.Ladder{caller.ID, caller.Phone},
		Read:    r,
		Data: event.Data{
			Channel:     event.ChannelPhone,
			Direction:   r.Direction("direction", c.Direction),
			Contact:     caller,
			Account:     account(&c.record, r),
			LeadStatus:  r.Text("lead_status", c.LeadStatus),
			Attribution: attribution(&c.marketing, r),
		},
	}
}

// started converts what is known of a call before it has ended. It leaves out the keys that
// the vendor fills beforehand: a pre-call says answered false, call_type missed and duration
// 0, and is no missed call.
func started(c *call, r *vendors.Reader) *event.Call {
	return &event.Call{
		ID:                       r.Text("call.id", c.ResourceID, c.ID),
		StartedAt:                r.Time("call.started_at", c.StartTime),
		OurNumber:                r.Phone("call.our_number", c.TrackingPhoneNumber),
		TrackerID:                r.Text("call.tracker_id", c.TrackerResourceID, c.TrackerID),
		TrackerName:              r.Text("call.tracker_name", c.SourceName),
		URL:                      r.Text("call.url", c.TimelineURL),
		FirstCall:                r.Bool("call.first_call", c.FirstCall),
		PriorCalls:               r.Number("call.prior_calls", c.PriorCalls),
		TotalCalls:               r.Number("call.total_calls", c.TotalCalls),
		RecordingURL:             r.Text("call.recording_url", c.Recording),
		RecordingDurationSeconds: r.Number("call.recording_duration_seconds", c.RecordingDuration),
		Transcription:            r.Text("call.transcription", c.Transcription),
		Summary:                  r.Text("call.summary", c.CallSummary),
		Tags:                     r.Texts("call.tags", c.Tags),
		Note:                     r.Text("call.note", c.Note),
		Value:                    r.Decimal("call.value", c.Value),
		Score:                    r.Decimal("call.score", c.Score),
		Spam:                     r.Bool("call.spam", c.Spam),
		KeywordsSpotted:          r.Texts("call.keywords_spotted", c.KeywordsSpotted),
		Highlights:               r.Texts("call.highlights", c.CallHighlights),
	}
}

func routed(c *call, r *vendors.Reader) *event.Call {
	converted := started(c, r)
	converted.DestinationNumber = r.Phone("call.destination_number", c.BusinessPhoneNumber)
	return converted
}

func completed(c *call, r *vendors.Reader, direction event.Direction) *event.Call {
	converted := routed(c, r)
	converted.DurationSeconds = r.Number("call.duration_seconds", c.Duration)
	converted.Answered = r.Bool("call.answered", c.Answered)
	converted.Voicemail = r.Bool("call.voicemail", c.Voicemail)
	converted.Disposition = r.Text("call.disposition", c.CallType)
	converted.Outcome = outcome(converted, direction)
	r.Note("call.outcome", c.Voicemail, c.Answered, c.CallType, c.Direction)
	return converted
}

// outcome returns how a call ended. The vendor says call_type missed of a call that a
// voicemail box took, too.
func outcome(c *event.Call, direction event.Direction) event.Outcome {
	switch {
	case c.Voicemail == event.True:
		return event.Voicemail
	case c.Answered == event.True:
		return event.Answered
	case c.Disposition == "abandoned":
		return event.Abandoned
	case c.Answered == event.False:
		return direction.NotAnswered()
	}
	return ""
}

func textReceived(t *text, r *vendors.Reader) vendors.Draft {
	draft := convertText(t, r, t.SourceNumber)
	draft.Type = event.MessageReceived
	draft.Data.Direction = event.Inbound
	return draft
}

func textSent(t *text, r *vendors.Reader) vendors.Draft {
	draft := convertText(t, r, t.DestinationNumber)
	draft.Type = event.MessageSent
	draft.Data.Direction = event.Outbound
	return draft
}

// textMessage converts a text that may have been sent or received. As no key tells which,
// neither number is known to be the contact's.
func textMessage(t *text, r *vendors.Reader) vendors.Draft {
	return convertText(t, r, payload.Value{})
}

func convertText(t *text, r *vendors.Reader, contactNumber payload.Value) vendors.Draft {
	sentAt := r.Time("message.sent_at", t.Timestamp)
	customer := contact(&t.record, r, contactNumber)
	conversationID := r.Text("message.conversation_id", t.ConversationID, t.ThreadID)
	return vendors.Draft{
		ID:      vendors.Natural(rid(&t.record)),
		Subject: vendors.Subject{Kind: "message", ID: id(&t.record)},
		Time:    sentAt,
		Person:  vendors.Ladder{customer.ID, customer.Phone, conversationID},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelSMS,
			Contact: customer,
			Agent:   agentOf(&t.record, r),
			Account: account(&t.record, r),
			Message: event.Message{
				ID:             r.Text("message.id", t.ResourceID, t.ID),
				From:           r.PhoneOrShortCode("message.from", t.SourceNumber),
				To:             r.PhoneOrShortCode("message.to", t.DestinationNumber),
				Text:           r.Text("message.text", t.Content),
				Media:          media(r, t.MediaURLs),
				SentAt:         sentAt,
				ConversationID: conversationID,
			},
			LeadStatus: r.Text("lead_status", t.LeadStatus),
		},
	}
}

func formSubmitted(f *form, r *vendors.Reader) vendors.Draft {
	customer := contact(&f.record, r, f.CustomerPhoneNumber)
	return vendors.Draft{
		Type:    event.FormSubmitted,
		ID:      vendors.Natural(rid(&f.record)),
		Subject: vendors.Subject{Kind: "form", ID: id(&f.record)},
		Time:    r.Time("time", f.SubmittedAt, f.CreatedAt),
		Person:  vendors.Ladder{customer.ID, customer.Phone},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelWeb,
			Contact: customer,
			Account: account(&f.record, r),
			Form: &event.Form{
				ID:          r.Text("form.id", f.ResourceID, f.ID),
				URL:         r.Text("form.url", f.FormURL, f.URL),
				SubmittedAt: r.Time("form.submitted_at", f.SubmittedAt),
				FirstForm:   r.Bool("form.first_form", f.FirstForm),
				Fields:      r.Pairs("form.fields", f.FormData),
			},
			LeadStatus:  r.Text("lead_status", f.LeadStatus),
			Attribution: attribution(&f.marketing, r),
		},
	}
}

func voiceAssistAnswered(v *voiceAssist, r *vendors.Reader) vendors.Draft {
	callID := r.Text("call.id", v.CallID)
	caller := contact(&v.record, r, v.CustomerPhoneNumber)
	return vendors.Draft{
		ID:      vendors.Natural(v.CallID),
		Subject: vendors.Subject{Kind: "call", ID: callID},
		Time:    r.Time("time", v.Timestamp),
		Person:  vendors.Ladder{caller.ID, caller.Phone},
		Read:    r,
		Data: event.Data{
			Channel: event.ChannelPhone,
			Contact: caller,
			Agent:   agentOf(&v.record, r),
			Account: account(&v.record, r),
			Call: &event.Call{
				ID:        callID,
				OurNumber: r.Phone("call.our_number", v.TrackingNumber),
			},
		},
	}
}

// other converts what calls, texts and forms have in common, of a payload that is of no known
// native event. The prefix of the id tells what kind of thing the payload is about.
func other(in *vendors.Input) vendors.Draft {
	o, r := payload.Bind[struct {
		record
		ConversationID payload.Value `json:"conversation_id"`
		ThreadID       payload.Value `json:"thread_resource_id"`
	}](in.Payload), in.Read()
	customer := contact(&o.record, r, o.CustomerPhoneNumber)
	resourceID := id(&o.record)
	kinds := map[string]string{"CAL": "call", "SCI": "message", "MSG": "message", "FRM": "form"}
	var subject vendors.Subject
	if len(resourceID) > 3 && kinds[resourceID[:3]] != "" {
		subject = vendors.Subject{Kind: kinds[resourceID[:3]], ID: resourceID}
	}
	return vendors.Draft{
		ID:      vendors.Content(),
		Subject: subject,
		Person:  vendors.Ladder{customer.ID, customer.Phone, r.Text("partitionkey", o.ConversationID, o.ThreadID)},
		Read:    r,
		Data: event.Data{
			Contact: customer,
			Agent:   agentOf(&o.record, r),
			Account: account(&o.record, r),
		},
	}
}

// rid returns the id of a call, text or form: resource_id, which came in 2022, else id.
func rid(o *record) payload.Value {
	for _, v := range []payload.Value{o.ResourceID, o.ID} {
		if _, ok := v.Scalar(); ok && !v.Absent() {
			return v
		}
	}
	return payload.Value{}
}

func id(o *record) string {
	text, _ := rid(o).Scalar()
	return text
}

func contact(o *record, r *vendors.Reader, number payload.Value) event.Contact {
	phone, asSent := r.ContactPhone(number)
	return event.Contact{
		ID:          r.Text("contact.id", o.PersonResourceID),
		Name:        r.Text("contact.name", o.CustomerName),
		Phone:       phone,
		PhoneAsSent: asSent,
		Location: event.Location{
			City:    r.Text("contact.location.city", o.CustomerCity),
			Region:  r.Text("contact.location.region", o.CustomerState),
			Country: r.Text("contact.location.country", o.CustomerCountry),
		},
	}
}

func account(o *record, r *vendors.Reader) event.Account {
	return event.Account{
		ID:       r.Text("account.id", o.CompanyResourceID, o.CompanyID),
		Name:     r.Text("account.name", o.CompanyName),
		TimeZone: r.Text("account.time_zone", o.CompanyTimeZone),
	}
}

// agentOf converts our side's person, whom calls name by an e-mail address, and texts by a
// name or an object.
func agentOf(o *record, r *vendors.Reader) event.Agent {
	if o.Agent.Kind() != payload.Object {
		return event.Agent{Name: r.Text("agent.name", o.Agent), Email: r.Email("agent.email", o.AgentEmail)}
	}
	a := vendors.Object[agent](r, "agent", o.Agent)
	return event.Agent{
		ID:    r.Text("agent.id", a.ID),
		Name:  r.Text("agent.name", a.Name),
		Email: r.Email("agent.email", a.Email, o.AgentEmail),
	}
}

func media(r *vendors.Reader, v payload.Value) []event.Media {
	urls := r.Texts("message.media", v)
	converted := make([]event.Media, len(urls))
	for i, url := range urls {
		converted[i].URL = url
	}
	return converted
}

func attribution(m *marketing, r *vendors.Reader) *event.Attribution {
	return &event.Attribution{
		Source:         r.Text("attribution.source", m.Source),
		Medium:         r.Text("attribution.medium", m.Medium),
		Campaign:       r.Text("attribution.campaign", m.Campaign),
		Keywords:       r.Text("attribution.keywords", m.Keywords),
		LandingPageURL: r.Text("attribution.landing_page_url", m.LandingPageURL, m.Landing),
		ReferrerURL:    r.Text("attribution.referrer_url", m.ReferringURL, m.ReferrerURL, m.Referrer),
		UTMSource:      r.Text("attribution.utm_source", m.UTMSource),
		UTMMedium:      r.Text("attribution.utm_medium", m.UTMMedium),
		UTMCampaign:    r.Text("attribution.utm_campaign", m.UTMCampaign),
		UTMTerm:        r.Text("attribution.utm_term", m.UTMTerm),
		UTMContent:     r.Text("attribution.utm_content", m.UTMContent),
		GCLID:          r.Text("attribution.gclid", m.GCLID),
		FBCLID:         r.Text("attribution.fbclid", m.FBCLID),
		MSCLKID:        r.Text("attribution.msclkid", m.MSCLKID),
		Device:         r.Text("attribution.device", m.DeviceType),
		SessionID:      r.Text("attribution.session_id", m.SessionUUID),
		Milestones:     milestones(r, m.Milestones),
	}
}

func milestones(r *vendors.Reader, v payload.Value) []event.Milestone {
	var converted []event.Milestone
	for name, object := range r.Objects("attribution.milestones", v) {
		m := payload.Bind[milestone](object)
		converted = append(converted, event.Milestone{
			Name:           name,
			EventAt:        r.Time("attribution.milestones.event_at", m.EventDate),
			Source:         r.Text("attribution.milestones.source", m.Source),
			Medium:         r.Text("attribution.milestones.medium", m.Medium),
			Campaign:       r.Text("attribution.milestones.campaign", m.Campaign),
			Keywords:       r.Text("attribution.milestones.keywords", m.Keywords),
			LandingPageURL: r.Text("attribution.milestones.landing_page_url", m.Landing),
			ReferrerURL:    r.Text("attribution.milestones.referrer_url", m.Referrer),
		})
	}
	return converted
}

// changes reads the names of the fields that were modified, and translates them to the
// names of event.Data. The vendor does not say whether an element is a name or an object
// that has a name, so both are read.
func changes(r *vendors.Reader, v payload.Value) []string {
	r.Note("changes", v)
	var converted []string
	seen := map[string]bool{}
	add := func(element payload.Value) {
		change := changed(r.Text("changes", element.Get("name"), element.Get("field"), element))
		if change != "" && !seen[change] {
			seen[change] = true
			converted = append(converted, change)
		}
	}
	if v.Kind() != payload.Array {
		add(v)
	}
	for element := range v.Elements() {
		add(element)
	}
	return converted
}

func changed(wire string) string {
	switch wire {
	case "transcription_text":
		return "transcription"
	case "call_summary":
		return "summary"
	case "recording_duration":
		return "recording_duration_seconds"
	case "auto_score", "manual_score":
		return "score"
	}
	return wire
}
