package event

import "github.com/hookswitch/hookswitch/plugins/payload"

// AppendJSON appends the event's JSON. Fields that are absent, and objects without fields,
// are left out. The keys are those of the json tags, in the order of the fields.
func (e *Event) AppendJSON(b []byte) []byte {
	w, whole := writer(b).object("")
	w = w.plain(`,"specversion":"`, e.SpecVersion)
	w = w.plain(`,"id":"`, e.ID)
	w = w.plain(`,"idbasis":"`, string(e.IDBasis))
	w = w.plain(`,"source":"`, e.Source)
	w = w.plain(`,"type":"`, e.Type)
	w = w.str(`,"subject":`, e.Subject)
	w = w.plain(`,"time":"`, e.Time)
	w = w.plain(`,"datacontenttype":"`, e.DataContentType)
	w = w.plain(`,"dataschema":"`, e.DataSchema)
	w = w.plain(`,"vendor":"`, e.Vendor)
	w = w.str(`,"vendorevent":`, e.VendorEvent)
	w = w.plain(`,"eventbasis":"`, string(e.EventBasis))
	w = w.plain(`,"recordedtime":"`, e.RecordedTime)
	w = w.str(`,"deliveryid":`, e.DeliveryID)
	w = w.str(`,"partitionkey":`, e.PartitionKey)
	w = w.data(&e.Data)
	return w.end(whole, '{', '}')
}

func (w writer) data(d *Data) writer {
	w, whole := w.object(`,"data":`)
	w = w.str(`,"channel":`, string(d.Channel))
	w = w.str(`,"direction":`, string(d.Direction))
	w = w.contact(&d.Contact)
	w = w.agent(&d.Agent)
	w = w.named(`,"account":`, &d.Account)
	w = w.named(`,"campaign":`, &d.Campaign)
	w = w.call(d.Call)
	w = w.message(&d.Message)
	w = w.email(d.Email)
	w = w.conversation(d.Conversation)
	w = w.subscription(d.Subscription)
	w = w.form(d.Form)
	if len(d.Survey) > 0 {
		w = w.survey(d.Survey)
	}
	w = w.failure(d.Failure)
	w = w.str(`,"lead_status":`, d.LeadStatus)
	w = w.strs(`,"changes":`, d.Changes)
	w = w.attribution(d.Attribution)
	if len(d.Issues) > 0 {
		w = w.issues(d.Issues)
	}
	w = w.text(`,"raw":`, string(d.Raw))
	return w.end(whole, '{', '}')
}

func (w writer) survey(answers []Answer) writer {
	w, whole := w.array(`,"survey":`)
	for i := range answers {
		w = w.answer(&answers[i])
	}
	return w.end(whole, '[', ']')
}

func (w writer) issues(issues []Issue) writer {
	w, whole := w.array(`,"issues":`)
	for _, i := range issues {
		w = w.issue(i)
	}
	return w.end(whole, '[', ']')
}

func (w writer) issue(i Issue) writer {
	w, whole := w.element()
	w = w.str(`,"field":`, i.Field)
	w = w.str(`,"reason":`, string(i.Reason))
	return w.end(whole, '{', '}')
}

func (w writer) contact(c *Contact) writer {
	w, whole := w.object(`,"contact":`)
	w = w.str(`,"id":`, c.ID)
	w = w.str(`,"external_id":`, c.ExternalID)
	w = w.str(`,"name":`, c.Name)
	w = w.str(`,"first_name":`, c.FirstName)
	w = w.str(`,"last_name":`, c.LastName)
	w = w.str(`,"phone":`, c.Phone)
	w = w.str(`,"email":`, c.Email)
	w = w.str(`,"title":`, c.Title)
	w = w.str(`,"company":`, c.Company)
	w = w.location(&c.Location)
	w, organisations := w.array(`,"organisations":`)
	for i := range c.Organisations {
		w = w.organisation(",", &c.Organisations[i])
	}
	w = w.end(organisations, '[', ']')
	w = w.str(`,"status":`, c.Status)
	w = w.str(`,"unsubscribed_at":`, c.UnsubscribedAt)
	w = w.text(`,"bounces":`, string(c.Bounces))
	w = w.str(`,"interest":`, c.Interest)
	w = w.bool(`,"appointment":`, c.Appointment)
	w = w.pairs(`,"custom":`, c.Custom)
	return w.end(whole, '{', '}')
}

func (w writer) location(l *Location) writer {
	w, whole := w.object(`,"location":`)
	w = w.str(`,"city":`, l.City)
	w = w.str(`,"region":`, l.Region)
	w = w.str(`,"postal_code":`, l.PostalCode)
	w = w.str(`,"country":`, l.Country)
	return w.end(whole, '{', '}')
}

func (w writer) organisation(key string, o *Organisation) writer {
	w, whole := w.object(key)
	w = w.str(`,"id":`, o.ID)
	w = w.str(`,"external_id":`, o.ExternalID)
	w = w.str(`,"name":`, o.Name)
	w = w.str(`,"type":`, o.Type)
	return w.end(whole, '{', '}')
}

func (w writer) agent(a *Agent) writer {
	w, whole := w.object(`,"agent":`)
	w = w.str(`,"id":`, a.ID)
	w = w.str(`,"name":`, a.Name)
	w = w.str(`,"email":`, a.Email)
	return w.end(whole, '{', '}')
}

func (w writer) named(key string, n *Named) writer {
	w, whole := w.object(key)
	w = w.str(`,"id":`, n.ID)
	w = w.str(`,"name":`, n.Name)
	return w.end(whole, '{', '}')
}

func (w writer) call(c *Call) writer {
	if c == nil {
		return w
	}
	w, whole := w.object(`,"call":`)
	w = w.str(`,"id":`, c.ID)
	w = w.str(`,"started_at":`, c.StartedAt)
	w = w.text(`,"duration_seconds":`, string(c.DurationSeconds))
	w = w.bool(`,"answered":`, c.Answered)
	w = w.bool(`,"voicemail":`, c.Voicemail)
	w = w.str(`,"disposition":`, c.Disposition)
	w = w.str(`,"our_number":`, c.OurNumber)
	w = w.str(`,"destination_number":`, c.DestinationNumber)
	w = w.bool(`,"first_call":`, c.FirstCall)
	w = w.text(`,"prior_calls":`, string(c.PriorCalls))
	w = w.text(`,"total_calls":`, string(c.TotalCalls))
	w = w.str(`,"recording_url":`, c.RecordingURL)
	w = w.text(`,"recording_duration_seconds":`, string(c.RecordingDurationSeconds))
	w = w.str(`,"transcription":`, c.Transcription)
	w = w.str(`,"summary":`, c.Summary)
	w = w.strs(`,"tags":`, c.Tags)
	w = w.str(`,"note":`, c.Note)
	w = w.str(`,"value":`, c.Value)
	w = w.str(`,"score":`, c.Score)
	w = w.bool(`,"spam":`, c.Spam)
	return w.end(whole, '{', '}')
}

func (w writer) message(m *Message) writer {
	w, whole := w.object(`,"message":`)
	w = w.str(`,"id":`, m.ID)
	w = w.str(`,"from":`, m.From)
	w = w.str(`,"to":`, m.To)
	w = w.str(`,"text":`, m.Text)
	w = w.str(`,"content_type":`, m.ContentType)
	w, media := w.array(`,"media":`)
	for _, m := range m.Media {
		w = w.medium(m)
	}
	w = w.end(media, '[', ']')
	w = w.str(`,"sent_at":`, m.SentAt)
	w = w.str(`,"reply_to_id":`, m.ReplyToID)
	w = w.str(`,"conversation_id":`, m.ConversationID)
	w = w.str(`,"status_code":`, m.StatusCode)
	w = w.str(`,"status_text":`, m.StatusText)
	w = w.strs(`,"status_candidates":`, m.StatusCandidates)
	return w.end(whole, '{', '}')
}

func (w writer) medium(m Media) writer {
	w, whole := w.element()
	w = w.str(`,"url":`, m.URL)
	w = w.str(`,"type":`, m.Type)
	return w.end(whole, '{', '}')
}

func (w writer) email(e *Email) writer {
	if e == nil {
		return w
	}
	w, whole := w.object(`,"email":`)
	w = w.str(`,"id":`, e.ID)
	w = w.str(`,"subject":`, e.Subject)
	w = w.str(`,"body":`, e.Body)
	w = w.str(`,"sent_at":`, e.SentAt)
	return w.end(whole, '{', '}')
}

func (w writer) conversation(c *Conversation) writer {
	if c == nil {
		return w
	}
	w, whole := w.object(`,"conversation":`)
	w = w.str(`,"id":`, c.ID)
	w = w.str(`,"subject":`, c.Subject)
	w = w.str(`,"status":`, c.Status)
	w = w.str(`,"created_at":`, c.CreatedAt)
	w = w.str(`,"last_message_at":`, c.LastMessageAt)
	return w.end(whole, '{', '}')
}

func (w writer) subscription(s *Subscription) writer {
	if s == nil {
		return w
	}
	w, whole := w.object(`,"subscription":`)
	w = w.str(`,"id":`, s.ID)
	w = w.str(`,"channel":`, s.Channel)
	w = w.str(`,"topic":`, s.Topic)
	w = w.str(`,"scope":`, s.Scope)
	w = w.organisation(`,"organisation":`, &s.Organisation)
	w = w.bool(`,"subscribed":`, s.Subscribed)
	return w.end(whole, '{', '}')
}

func (w writer) form(f *Form) writer {
	if f == nil {
		return w
	}
	w, whole := w.object(`,"form":`)
	w = w.str(`,"id":`, f.ID)
	w = w.str(`,"url":`, f.URL)
	w = w.str(`,"submitted_at":`, f.SubmittedAt)
	w = w.bool(`,"first_form":`, f.FirstForm)
	w = w.pairs(`,"fields":`, f.Fields)
	return w.end(whole, '{', '}')
}

func (w writer) answer(a *Answer) writer {
	w, whole := w.element()
	w = w.str(`,"id":`, a.ID)
	w = w.str(`,"question_id":`, a.QuestionID)
	w = w.str(`,"question":`, a.Question)
	w = w.str(`,"answer_id":`, a.AnswerID)
	w = w.str(`,"answer":`, a.Answer)
	w = w.str(`,"answered_at":`, a.AnsweredAt)
	return w.end(whole, '{', '}')
}

func (w writer) failure(f *Failure) writer {
	if f == nil {
		return w
	}
	w, whole := w.object(`,"failure":`)
	w = w.str(`,"code":`, f.Code)
	w = w.str(`,"message":`, f.Message)
	w = w.str(`,"description":`, f.Description)
	return w.end(whole, '{', '}')
}

func (w writer) attribution(a *Attribution) writer {
	if a == nil {
		return w
	}
	w, whole := w.object(`,"attribution":`)
	w = w.str(`,"source":`, a.Source)
	w = w.str(`,"medium":`, a.Medium)
	w = w.str(`,"campaign":`, a.Campaign)
	w = w.str(`,"keywords":`, a.Keywords)
	w = w.str(`,"landing_page_url":`, a.LandingPageURL)
	w = w.str(`,"referrer_url":`, a.ReferrerURL)
	w = w.str(`,"utm_source":`, a.UTMSource)
	w = w.str(`,"utm_medium":`, a.UTMMedium)
	w = w.str(`,"utm_campaign":`, a.UTMCampaign)
	w = w.str(`,"utm_term":`, a.UTMTerm)
	w = w.str(`,"utm_content":`, a.UTMContent)
	w = w.str(`,"gclid":`, a.GCLID)
	w = w.str(`,"session_id":`, a.SessionID)
	w, milestones := w.array(`,"milestones":`)
	for i := range a.Milestones {
		w = w.milestone(&a.Milestones[i])
	}
	w = w.end(milestones, '[', ']')
	return w.end(whole, '{', '}')
}

func (w writer) milestone(m *Milestone) writer {
	w, whole := w.element()
	w = w.str(`,"name":`, m.Name)
	w = w.str(`,"event_at":`, m.EventAt)
	w = w.str(`,"source":`, m.Source)
	w = w.str(`,"medium":`, m.Medium)
	w = w.str(`,"campaign":`, m.Campaign)
	w = w.str(`,"keywords":`, m.Keywords)
	w = w.str(`,"landing_page_url":`, m.LandingPageURL)
	w = w.str(`,"referrer_url":`, m.ReferrerURL)
	return w.end(whole, '{', '}')
}

// writer is JSON text that methods append to. Every key begins with a comma; when an
// object or array ends, its opening bracket replaces the first comma in it. Strings have
// to be valid UTF-8, as everything is that was read from a payload.
//
// Methods take and return the writer by value. Behind a pointer every append would write
// a pointer that the garbage collector has to be told of.
type writer []byte

// mark is the place where an object or array begins, its key included, and the place where
// its content begins.
type mark struct{ begin, content int }

func (w writer) object(key string) (writer, mark) {
	begin := len(w)
	w = append(w, key...)
	return w, mark{begin, len(w)}
}

func (w writer) array(key string) (writer, mark) { return w.object(key) }

// element begins an object of an array.
func (w writer) element() (writer, mark) { return w.object(",") }

// end ends the object or array that began at m, or removes it if it is empty.
func (w writer) end(m mark, open, closing byte) writer {
	if len(w) == m.content {
		return w[:m.begin]
	}
	w[m.content] = open
	return append(w, closing)
}

func (w writer) str(key, value string) writer {
	if value != "" {
		w = payload.AppendString(append(w, key...), value)
	}
	return w
}

// plain writes a string that needs no escapes because we made it. The key has to end with
// the opening quote of the string.
func (w writer) plain(key, value string) writer {
	if value != "" {
		w = append(append(append(w, key...), value...), '"')
	}
	return w
}

// text writes a value that is JSON text already.
func (w writer) text(key, value string) writer {
	if value != "" {
		w = append(append(w, key...), value...)
	}
	return w
}

func (w writer) bool(key string, value Bool) writer {
	switch value {
	case True:
		return w.text(key, "true")
	case False:
		return w.text(key, "false")
	}
	return w
}

func (w writer) strs(key string, values []string) writer {
	if len(values) == 0 {
		return w
	}
	w, m := w.array(key)
	for _, value := range values {
		w = payload.AppendString(append(w, ','), value)
	}
	return w.end(m, '[', ']')
}

// pairs writes names and values even where these are empty, because it is a fact that a
// form or a custom field has such a name.
func (w writer) pairs(key string, pairs []Pair) writer {
	if len(pairs) == 0 {
		return w
	}
	w, m := w.array(key)
	for _, pair := range pairs {
		w = payload.AppendString(append(w, `,{"name":`...), pair.Name)
		w = append(payload.AppendString(append(w, `,"value":`...), pair.Value), '}')
	}
	return w.end(m, '[', ']')
}
