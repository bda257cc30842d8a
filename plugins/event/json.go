package event

import "github.com/hookswitch/hookswitch/plugins/payload"

// AppendJSON appends the event's JSON, without what is absent, empty objects
// included. Its keys are those of the json tags, in the order of the fields.
func (e *Event) AppendJSON(b []byte) []byte {
	w := writer{b}
	whole := w.begin()
	w.plain(`,"specversion":"`, e.SpecVersion)
	w.plain(`,"id":"`, e.ID)
	w.plain(`,"idbasis":"`, string(e.IDBasis))
	w.plain(`,"source":"`, e.Source)
	w.plain(`,"type":"`, e.Type)
	w.str(`,"subject":`, e.Subject)
	w.plain(`,"time":"`, e.Time)
	w.plain(`,"datacontenttype":"`, e.DataContentType)
	w.plain(`,"dataschema":"`, e.DataSchema)
	w.plain(`,"vendor":"`, e.Vendor)
	w.str(`,"vendorevent":`, e.VendorEvent)
	w.plain(`,"eventbasis":"`, string(e.EventBasis))
	w.plain(`,"recordedtime":"`, e.RecordedTime)
	w.str(`,"deliveryid":`, e.DeliveryID)
	w.str(`,"partitionkey":`, e.PartitionKey)
	w.data(&e.Data)
	w.end(whole, '{', '}')
	return w.b
}

func (w *writer) data(d *Data) {
	defer w.end(w.object(`,"data":`), '{', '}')
	w.str(`,"channel":`, string(d.Channel))
	w.str(`,"direction":`, string(d.Direction))
	w.contact(&d.Contact)
	w.agent(&d.Agent)
	w.named(`,"account":`, &d.Account)
	w.named(`,"campaign":`, &d.Campaign)
	w.call(d.Call)
	w.message(&d.Message)
	w.email(d.Email)
	w.conversation(d.Conversation)
	w.subscription(d.Subscription)
	w.form(d.Form)
	if len(d.Survey) > 0 {
		w.survey(d.Survey)
	}
	w.failure(d.Failure)
	w.str(`,"lead_status":`, d.LeadStatus)
	w.strs(`,"changes":`, d.Changes)
	w.attribution(d.Attribution)
	if len(d.Issues) > 0 {
		w.issues(d.Issues)
	}
	w.text(`,"raw":`, string(d.Raw))
}

func (w *writer) survey(answers []Answer) {
	defer w.end(w.array(`,"survey":`), '[', ']')
	for i := range answers {
		w.answer(&answers[i])
	}
}

func (w *writer) issues(issues []Issue) {
	defer w.end(w.array(`,"issues":`), '[', ']')
	for _, i := range issues {
		issue := w.element()
		w.str(`,"field":`, i.Field)
		w.str(`,"reason":`, string(i.Reason))
		w.end(issue, '{', '}')
	}
}

func (w *writer) contact(c *Contact) {
	defer w.end(w.object(`,"contact":`), '{', '}')
	w.str(`,"id":`, c.ID)
	w.str(`,"external_id":`, c.ExternalID)
	w.str(`,"name":`, c.Name)
	w.str(`,"first_name":`, c.FirstName)
	w.str(`,"last_name":`, c.LastName)
	w.str(`,"phone":`, c.Phone)
	w.str(`,"email":`, c.Email)
	w.str(`,"title":`, c.Title)
	w.str(`,"company":`, c.Company)
	w.location(&c.Location)
	organisations := w.array(`,"organisations":`)
	for i := range c.Organisations {
		w.organisation(w.element(), &c.Organisations[i])
	}
	w.end(organisations, '[', ']')
	w.str(`,"status":`, c.Status)
	w.str(`,"unsubscribed_at":`, c.UnsubscribedAt)
	w.text(`,"bounces":`, string(c.Bounces))
	w.str(`,"interest":`, c.Interest)
	w.bool(`,"appointment":`, c.Appointment)
	w.pairs(`,"custom":`, c.Custom)
}

func (w *writer) location(l *Location) {
	defer w.end(w.object(`,"location":`), '{', '}')
	w.str(`,"city":`, l.City)
	w.str(`,"region":`, l.Region)
	w.str(`,"postal_code":`, l.PostalCode)
	w.str(`,"country":`, l.Country)
}

func (w *writer) organisation(begun mark, o *Organisation) {
	defer w.end(begun, '{', '}')
	w.str(`,"id":`, o.ID)
	w.str(`,"external_id":`, o.ExternalID)
	w.str(`,"name":`, o.Name)
	w.str(`,"type":`, o.Type)
}

func (w *writer) agent(a *Agent) {
	defer w.end(w.object(`,"agent":`), '{', '}')
	w.str(`,"id":`, a.ID)
	w.str(`,"name":`, a.Name)
	w.str(`,"email":`, a.Email)
}

func (w *writer) named(key string, n *Named) {
	defer w.end(w.object(key), '{', '}')
	w.str(`,"id":`, n.ID)
	w.str(`,"name":`, n.Name)
}

func (w *writer) call(c *Call) {
	if c == nil {
		return
	}
	defer w.end(w.object(`,"call":`), '{', '}')
	w.str(`,"id":`, c.ID)
	w.str(`,"started_at":`, c.StartedAt)
	w.text(`,"duration_seconds":`, string(c.DurationSeconds))
	w.bool(`,"answered":`, c.Answered)
	w.bool(`,"voicemail":`, c.Voicemail)
	w.str(`,"disposition":`, c.Disposition)
	w.str(`,"our_number":`, c.OurNumber)
	w.str(`,"destination_number":`, c.DestinationNumber)
	w.bool(`,"first_call":`, c.FirstCall)
	w.text(`,"prior_calls":`, string(c.PriorCalls))
	w.text(`,"total_calls":`, string(c.TotalCalls))
	w.str(`,"recording_url":`, c.RecordingURL)
	w.text(`,"recording_duration_seconds":`, string(c.RecordingDurationSeconds))
	w.str(`,"transcription":`, c.Transcription)
	w.str(`,"summary":`, c.Summary)
	w.strs(`,"tags":`, c.Tags)
	w.str(`,"note":`, c.Note)
	w.str(`,"value":`, c.Value)
	w.str(`,"score":`, c.Score)
	w.bool(`,"spam":`, c.Spam)
}

func (w *writer) message(m *Message) {
	defer w.end(w.object(`,"message":`), '{', '}')
	w.str(`,"id":`, m.ID)
	w.str(`,"from":`, m.From)
	w.str(`,"to":`, m.To)
	w.str(`,"text":`, m.Text)
	w.str(`,"content_type":`, m.ContentType)
	media := w.array(`,"media":`)
	for _, m := range m.Media {
		medium := w.element()
		w.str(`,"url":`, m.URL)
		w.str(`,"type":`, m.Type)
		w.end(medium, '{', '}')
	}
	w.end(media, '[', ']')
	w.str(`,"sent_at":`, m.SentAt)
	w.str(`,"reply_to_id":`, m.ReplyToID)
	w.str(`,"conversation_id":`, m.ConversationID)
	w.str(`,"status_code":`, m.StatusCode)
	w.str(`,"status_text":`, m.StatusText)
	w.strs(`,"status_candidates":`, m.StatusCandidates)
}

func (w *writer) email(e *Email) {
	if e == nil {
		return
	}
	defer w.end(w.object(`,"email":`), '{', '}')
	w.str(`,"id":`, e.ID)
	w.str(`,"subject":`, e.Subject)
	w.str(`,"body":`, e.Body)
	w.str(`,"sent_at":`, e.SentAt)
}

func (w *writer) conversation(c *Conversation) {
	if c == nil {
		return
	}
	defer w.end(w.object(`,"conversation":`), '{', '}')
	w.str(`,"id":`, c.ID)
	w.str(`,"subject":`, c.Subject)
	w.str(`,"status":`, c.Status)
	w.str(`,"created_at":`, c.CreatedAt)
	w.str(`,"last_message_at":`, c.LastMessageAt)
}

func (w *writer) subscription(s *Subscription) {
	if s == nil {
		return
	}
	defer w.end(w.object(`,"subscription":`), '{', '}')
	w.str(`,"id":`, s.ID)
	w.str(`,"channel":`, s.Channel)
	w.str(`,"topic":`, s.Topic)
	w.str(`,"scope":`, s.Scope)
	w.organisation(w.object(`,"organisation":`), &s.Organisation)
	w.bool(`,"subscribed":`, s.Subscribed)
}

func (w *writer) form(f *Form) {
	if f == nil {
		return
	}
	defer w.end(w.object(`,"form":`), '{', '}')
	w.str(`,"id":`, f.ID)
	w.str(`,"url":`, f.URL)
	w.str(`,"submitted_at":`, f.SubmittedAt)
	w.bool(`,"first_form":`, f.FirstForm)
	w.pairs(`,"fields":`, f.Fields)
}

func (w *writer) answer(a *Answer) {
	defer w.end(w.element(), '{', '}')
	w.str(`,"id":`, a.ID)
	w.str(`,"question_id":`, a.QuestionID)
	w.str(`,"question":`, a.Question)
	w.str(`,"answer_id":`, a.AnswerID)
	w.str(`,"answer":`, a.Answer)
	w.str(`,"answered_at":`, a.AnsweredAt)
}

func (w *writer) failure(f *Failure) {
	if f == nil {
		return
	}
	defer w.end(w.object(`,"failure":`), '{', '}')
	w.str(`,"code":`, f.Code)
	w.str(`,"message":`, f.Message)
	w.str(`,"description":`, f.Description)
}

func (w *writer) attribution(a *Attribution) {
	if a == nil {
		return
	}
	defer w.end(w.object(`,"attribution":`), '{', '}')
	w.str(`,"source":`, a.Source)
	w.str(`,"medium":`, a.Medium)
	w.str(`,"campaign":`, a.Campaign)
	w.str(`,"keywords":`, a.Keywords)
	w.str(`,"landing_page_url":`, a.LandingPageURL)
	w.str(`,"referrer_url":`, a.ReferrerURL)
	w.str(`,"utm_source":`, a.UTMSource)
	w.str(`,"utm_medium":`, a.UTMMedium)
	w.str(`,"utm_campaign":`, a.UTMCampaign)
	w.str(`,"utm_term":`, a.UTMTerm)
	w.str(`,"utm_content":`, a.UTMContent)
	w.str(`,"gclid":`, a.GCLID)
	w.str(`,"session_id":`, a.SessionID)
	milestones := w.array(`,"milestones":`)
	for i := range a.Milestones {
		w.milestone(&a.Milestones[i])
	}
	w.end(milestones, '[', ']')
}

func (w *writer) milestone(m *Milestone) {
	defer w.end(w.element(), '{', '}')
	w.str(`,"name":`, m.Name)
	w.str(`,"event_at":`, m.EventAt)
	w.str(`,"source":`, m.Source)
	w.str(`,"medium":`, m.Medium)
	w.str(`,"campaign":`, m.Campaign)
	w.str(`,"keywords":`, m.Keywords)
	w.str(`,"landing_page_url":`, m.LandingPageURL)
	w.str(`,"referrer_url":`, m.ReferrerURL)
}

// writer appends JSON. Every key literal begins with a comma; when an object or
// array ends, its bracket takes the place of the first one. Strings have to be
// valid UTF-8, as all that is read of a payload is.
type writer struct{ b []byte }

// mark is where an object or array begins, its key included, and where its
// content does.
type mark struct{ begin, content int }

func (w *writer) begin() mark { return mark{len(w.b), len(w.b)} }

func (w *writer) object(key string) mark {
	begin := len(w.b)
	w.b = append(w.b, key...)
	return mark{begin, len(w.b)}
}

func (w *writer) array(key string) mark { return w.object(key) }

// element begins an object of an array.
func (w *writer) element() mark { return w.object(",") }

// end ends what began at m, or takes it back if it is empty.
func (w *writer) end(m mark, open, closing byte) {
	if len(w.b) == m.content {
		w.b = w.b[:m.begin]
		return
	}
	w.b[m.content] = open
	w.b = append(w.b, closing)
}

func (w *writer) str(key, value string) {
	if value != "" {
		w.b = payload.AppendString(append(w.b, key...), value)
	}
}

// plain writes a string that holds nothing to be escaped, because we made it. The
// key goes on to the opening quote.
func (w *writer) plain(key, value string) {
	if value != "" {
		w.b = append(append(append(w.b, key...), value...), '"')
	}
}

// text writes a value that is JSON already.
func (w *writer) text(key, value string) {
	if value != "" {
		w.b = append(append(w.b, key...), value...)
	}
}

func (w *writer) bool(key string, value Bool) {
	switch value {
	case True:
		w.text(key, "true")
	case False:
		w.text(key, "false")
	}
}

func (w *writer) strs(key string, values []string) {
	if len(values) == 0 {
		return
	}
	m := w.array(key)
	for _, value := range values {
		w.b = payload.AppendString(append(w.b, ','), value)
	}
	w.end(m, '[', ']')
}

// pairs writes names and values even where they are empty: that a customer's
// field is there is what is known of it.
func (w *writer) pairs(key string, pairs []Pair) {
	if len(pairs) == 0 {
		return
	}
	m := w.array(key)
	for _, pair := range pairs {
		w.b = payload.AppendString(append(w.b, `,{"name":`...), pair.Name)
		w.b = append(payload.AppendString(append(w.b, `,"value":`...), pair.Value), '}')
	}
	w.end(m, '[', ']')
}
