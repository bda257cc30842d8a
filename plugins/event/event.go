// Package event is the unified event: one thing that happened, in one form for
// all vendors. An event is a CloudEvents 1.0 event in structured JSON; its
// vocabulary is frozen within a major version, in which only optional fields are
// added and every enum stays open.
//
// A field that the vendor did not send is absent. false and 0 are facts and are written.
// Ids are strings. Units stand in names. Money and scores are decimal strings, as sent.
// Times are RFC 3339 in UTC, phone numbers E.164.
package event

// SpecVersion is the version of CloudEvents that events are written in.
const SpecVersion = "1.0"

// ContentType is the media type of an event's JSON.
const ContentType = "application/cloudevents+json; charset=UTF-8"

// Event is the envelope. The subject, the native event, the id of the delivery, the
// partition key and the data may hold text of others; all other attributes hold only text
// that we make.
type Event struct {
	SpecVersion     string  `json:"specversion"`
	ID              string  `json:"id"`                     // 32 hex digits, the same for the same delivery sent again
	IDBasis         IDBasis `json:"idbasis"`                // what an equal id means
	Source          string  `json:"source"`                 // /vendor or /vendor/account
	Type            string  `json:"type"`                   // a type of the catalogue, or a vendor-scoped one
	Subject         string  `json:"subject,omitempty"`      // <kind>/<the vendor's id>
	Time            string  `json:"time,omitempty"`         // the vendor's timestamp of the occurrence
	DataContentType string  `json:"datacontenttype"`        // application/json
	DataSchema      string  `json:"dataschema"`             // the URN of the schema of data
	Vendor          string  `json:"vendor"`                 // the name of the vendor
	VendorEvent     string  `json:"vendorevent,omitempty"`  // the native event
	EventBasis      Basis   `json:"eventbasis,omitempty"`   // how the native event is known
	RecordedTime    string  `json:"recordedtime,omitempty"` // when the delivery was received
	DeliveryID      string  `json:"deliveryid,omitempty"`   // the id of the delivery that brought the event
	PartitionKey    string  `json:"partitionkey"`           // the same for all events of a person within a vendor
	Data            Data    `json:"data"`
}

// IDBasis says what an equal id means.
type IDBasis string

// The bases of an id. With IDNatural an equal id is the same occurrence. With IDContent an
// equal id is equal content, as nothing more can be known: consumers may only de-duplicate
// such events within the time in which the vendor sends again, and never an unsubscribe.
const (
	IDNatural IDBasis = "natural"
	IDContent IDBasis = "content"
)

// Basis says how the native event is known.
type Basis string

// The bases of a native event: the route or the configuration declares the native event,
// the payload names it, or it was guessed from the shape of the payload.
const (
	BasisDeclared Basis = "declared"
	BasisPayload  Basis = "payload"
	BasisShape    Basis = "shape"
)

// Data is what happened. Every field is optional. Fields that few events have are
// pointers.
type Data struct {
	Channel      Channel       `json:"channel,omitempty"`
	Direction    Direction     `json:"direction,omitempty"`
	Contact      Contact       `json:"contact,omitzero"` // the outside party
	Agent        Agent         `json:"agent,omitzero"`
	Account      Named         `json:"account,omitzero"`  // the vendor's account
	Campaign     Named         `json:"campaign,omitzero"` // the vendor's campaign, not a marketing campaign
	Call         *Call         `json:"call,omitempty"`
	Message      Message       `json:"message,omitzero"`
	Email        *Email        `json:"email,omitempty"`
	Conversation *Conversation `json:"conversation,omitempty"`
	Subscription *Subscription `json:"subscription,omitempty"`
	Form         *Form         `json:"form,omitempty"`
	Survey       []Answer      `json:"survey,omitempty"`
	Failure      *Failure      `json:"failure,omitempty"`
	LeadStatus   string        `json:"lead_status,omitempty"`
	Changes      []string      `json:"changes,omitempty"` // names of fields in Data where there is such a field, else names as sent
	Attribution  *Attribution  `json:"attribution,omitempty"`
	Issues       []Issue       `json:"issues,omitempty"`
	Raw          Raw           `json:"raw"`
}

// Raw is the JSON text of the smallest payload, in the vendor's own form, that gives just
// this event.
type Raw string

// Channel is the medium of an event.
type Channel string

// The channels. ChannelText is SMS or WhatsApp where the vendor does not say which.
const (
	ChannelPhone    Channel = "phone"
	ChannelSMS      Channel = "sms"
	ChannelWhatsApp Channel = "whatsapp"
	ChannelText     Channel = "text"
	ChannelEmail    Channel = "email"
	ChannelChat     Channel = "chat"
	ChannelWeb      Channel = "web"
	ChannelSocial   Channel = "social"
	ChannelOther    Channel = "other"
)

// Direction is the direction as the vendor's customer sees it: an inbound call or message
// comes from the contact.
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// Contact is always the outside party: the caller of an inbound call, the callee
// of an outbound one.
type Contact struct {
	ID             string         `json:"id,omitempty"`
	ExternalID     string         `json:"external_id,omitempty"`
	Name           string         `json:"name,omitempty"`
	FirstName      string         `json:"first_name,omitempty"`
	LastName       string         `json:"last_name,omitempty"`
	Phone          string         `json:"phone,omitempty"`
	Email          string         `json:"email,omitempty"`
	Title          string         `json:"title,omitempty"`
	Company        string         `json:"company,omitempty"`
	Location       Location       `json:"location,omitzero"`
	Organisations  []Organisation `json:"organisations,omitempty"`
	Status         string         `json:"status,omitempty"`
	UnsubscribedAt string         `json:"unsubscribed_at,omitempty"`
	Bounces        Number         `json:"bounces,omitempty"`
	Interest       string         `json:"interest,omitempty"`
	Appointment    Bool           `json:"appointment,omitempty"`
	Custom         []Pair         `json:"custom,omitempty"`
}

// Location is where a contact is.
type Location struct {
	City       string `json:"city,omitempty"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"`
}

// Organisation is an organisation that a contact belongs to or unsubscribes from.
type Organisation struct {
	ID         string `json:"id,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Name       string `json:"name,omitempty"`
	Type       string `json:"type,omitempty"`
}

// Pair is a member of an open map. Its value is a string: the JSON text if the vendor sent
// an array or object.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Agent is who acts for the vendor's customer.
type Agent struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// Named is something that has an id and a name.
type Named struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Call is a phone call.
type Call struct {
	ID                       string   `json:"id,omitempty"`
	StartedAt                string   `json:"started_at,omitempty"`
	DurationSeconds          Number   `json:"duration_seconds,omitempty"`
	Answered                 Bool     `json:"answered,omitempty"`
	Voicemail                Bool     `json:"voicemail,omitempty"`
	Disposition              string   `json:"disposition,omitempty"` // the vendor's word
	OurNumber                string   `json:"our_number,omitempty"`
	DestinationNumber        string   `json:"destination_number,omitempty"`
	FirstCall                Bool     `json:"first_call,omitempty"`
	PriorCalls               Number   `json:"prior_calls,omitempty"`
	TotalCalls               Number   `json:"total_calls,omitempty"`
	RecordingURL             string   `json:"recording_url,omitempty"`
	RecordingDurationSeconds Number   `json:"recording_duration_seconds,omitempty"`
	Transcription            string   `json:"transcription,omitempty"`
	Summary                  string   `json:"summary,omitempty"`
	Tags                     []string `json:"tags,omitempty"`
	Note                     string   `json:"note,omitempty"`
	Value                    string   `json:"value,omitempty"`
	Score                    string   `json:"score,omitempty"`
	Spam                     Bool     `json:"spam,omitempty"`
}

// Message is a text, a WhatsApp message or the like. From and To are phone numbers or
// short codes.
type Message struct {
	ID               string   `json:"id,omitempty"`
	From             string   `json:"from,omitempty"`
	To               string   `json:"to,omitempty"`
	Text             string   `json:"text,omitempty"`
	ContentType      string   `json:"content_type,omitempty"`
	Media            []Media  `json:"media,omitempty"`
	SentAt           string   `json:"sent_at,omitempty"`
	ReplyToID        string   `json:"reply_to_id,omitempty"`
	ConversationID   string   `json:"conversation_id,omitempty"`
	StatusCode       string   `json:"status_code,omitempty"`
	StatusText       string   `json:"status_text,omitempty"`
	StatusCandidates []string `json:"status_candidates,omitempty"` // sorted codes, where more than one may be the code of this message
}

// Media is an attachment of a message.
type Media struct {
	URL  string `json:"url,omitempty"`
	Type string `json:"type,omitempty"` // a media type, or one of image, video, document and audio
}

// Email is an e-mail.
type Email struct {
	ID      string `json:"id,omitempty"`
	Subject string `json:"subject,omitempty"`
	Body    string `json:"body,omitempty"`
	SentAt  string `json:"sent_at,omitempty"`
}

// Conversation is a thread of messages.
type Conversation struct {
	ID            string `json:"id,omitempty"`
	Subject       string `json:"subject,omitempty"`
	Status        string `json:"status,omitempty"`
	CreatedAt     string `json:"created_at,omitempty"`
	LastMessageAt string `json:"last_message_at,omitempty"`
}

// Subscription is what a contact is subscribed to or not.
type Subscription struct {
	ID           string       `json:"id,omitempty"`
	Channel      string       `json:"channel,omitempty"`
	Topic        string       `json:"topic,omitempty"`
	Scope        string       `json:"scope,omitempty"`
	Organisation Organisation `json:"organisation,omitzero"`
	Subscribed   Bool         `json:"subscribed,omitempty"`
}

// Form is a submitted form.
type Form struct {
	ID          string `json:"id,omitempty"`
	URL         string `json:"url,omitempty"`
	SubmittedAt string `json:"submitted_at,omitempty"`
	FirstForm   Bool   `json:"first_form,omitempty"`
	Fields      []Pair `json:"fields,omitempty"`
}

// Answer is the answer to a question of a survey.
type Answer struct {
	ID         string `json:"id,omitempty"`
	QuestionID string `json:"question_id,omitempty"`
	Question   string `json:"question,omitempty"`
	AnswerID   string `json:"answer_id,omitempty"`
	Answer     string `json:"answer,omitempty"`
	AnsweredAt string `json:"answered_at,omitempty"`
}

// Failure is why a message was rejected.
type Failure struct {
	Code        string `json:"code,omitempty"`
	Message     string `json:"message,omitempty"`
	Description string `json:"description,omitempty"`
}

// Attribution is the marketing that brought a contact.
type Attribution struct {
	Source         string      `json:"source,omitempty"`
	Medium         string      `json:"medium,omitempty"`
	Campaign       string      `json:"campaign,omitempty"`
	Keywords       string      `json:"keywords,omitempty"`
	LandingPageURL string      `json:"landing_page_url,omitempty"`
	ReferrerURL    string      `json:"referrer_url,omitempty"`
	UTMSource      string      `json:"utm_source,omitempty"`
	UTMMedium      string      `json:"utm_medium,omitempty"`
	UTMCampaign    string      `json:"utm_campaign,omitempty"`
	UTMTerm        string      `json:"utm_term,omitempty"`
	UTMContent     string      `json:"utm_content,omitempty"`
	GCLID          string      `json:"gclid,omitempty"`
	SessionID      string      `json:"session_id,omitempty"`
	Milestones     []Milestone `json:"milestones,omitempty"`
}

// Milestone is a contact's touch with the marketing.
type Milestone struct {
	Name           string `json:"name,omitempty"`
	EventAt        string `json:"event_at,omitempty"`
	Source         string `json:"source,omitempty"`
	Medium         string `json:"medium,omitempty"`
	Campaign       string `json:"campaign,omitempty"`
	Keywords       string `json:"keywords,omitempty"`
	LandingPageURL string `json:"landing_page_url,omitempty"`
	ReferrerURL    string `json:"referrer_url,omitempty"`
}

// Issue says that a field of the event could not be read from the payload, and why. Raw
// has what the vendor sent.
type Issue struct {
	Field  string `json:"field"` // a path of Data, as in call.duration_seconds, or an attribute of Event
	Reason Reason `json:"reason"`
}

// Reason says why a field could not be read.
type Reason string

// The reasons.
const (
	NotATime      Reason = "not_a_time"
	NotAPhone     Reason = "not_a_phone"
	NotANumber    Reason = "not_a_number"
	NotABoolean   Reason = "not_a_boolean"
	WrongType     Reason = "wrong_type"
	Contradiction Reason = "contradiction" // the route declares another native event than the payload is of

	NotInteroperable Reason = "not_interoperable" // of raw: characters or repeated keys that not every reader of JSON takes were mended
)
