// Package event is the unified event: one thing that happened, in one form for
// all vendors. An event is a CloudEvents 1.0 event in structured JSON; its
// vocabulary is frozen within a major version, in which only optional fields are
// added and every enum stays open.
//
// The struct fields are the one place of the vocabulary. The JSON, all schemas and the
// dictionary in the documentation are made from them, by their names, their types and these
// tags:
//
//	json  the name
//	doc   what the field says, in whole sentences
//	unit  the unit of a number
//	pii   none, personal (it identifies or describes a person) or content (what people said or wrote)
//
// A type that has a method Values has a list of values; the list may grow.
//
// A field that the vendor did not send is absent. false and 0 are facts and are written.
// Ids are strings. Units stand in names. Money and scores are decimal strings, as sent.
// Times are RFC 3339 in UTC, phone numbers E.164.
package event

// SpecVersion is the version of CloudEvents that events are written in.
const SpecVersion = "1.0"

// ContentType is the media type of an event's JSON. It has no charset, because the
// CloudEvents SDK of JavaScript compares it as a string.
const ContentType = "application/cloudevents+json"

// Event is the envelope. The subject, the native event, the id of the delivery, the
// partition key and the data may hold text of others; all other attributes hold only text
// that we make.
type Event struct {
	SpecVersion     string  `json:"specversion" doc:"The version of CloudEvents, 1.0." pii:"none"`
	ID              string  `json:"id" doc:"32 hex digits. The same delivery sent again gives the same id." pii:"none"`
	IDBasis         IDBasis `json:"idbasis" doc:"What an equal id means: with natural the same occurrence, with content only equal content." pii:"none"`
	Source          string  `json:"source" doc:"/vendor, or /vendor/account where the configuration sets an account." pii:"none"`
	Type            string  `json:"type" doc:"A type of the catalogue, else a vendor-scoped type." pii:"none"`
	Subject         string  `json:"subject,omitempty" doc:"The kind of thing that the event is about, a slash, and the id that the vendor gives the thing." pii:"personal"`
	Time            Time    `json:"time,omitempty" doc:"The vendor's time of the occurrence." pii:"none"`
	DataContentType string  `json:"datacontenttype" doc:"application/json." pii:"none"`
	DataSchema      string  `json:"dataschema" doc:"The URN of the schema of data." pii:"none"`
	Vendor          string  `json:"vendor" doc:"The name of the vendor." pii:"none"`
	VendorEvent     string  `json:"vendorevent,omitempty" doc:"The vendor's own name for what happened." pii:"none"`
	EventBasis      Basis   `json:"eventbasis,omitempty" doc:"How the native event is known: the route or the configuration declares it, the payload names it, or the shape of the payload tells it." pii:"none"`
	RecordedTime    Time    `json:"recordedtime,omitempty" doc:"When the delivery was received." pii:"none"`
	DeliveryID      string  `json:"deliveryid,omitempty" doc:"The id of the delivery that brought the event, which may bring several." pii:"none"`
	PartitionKey    string  `json:"partitionkey" doc:"The same for all events of a person within a vendor. It may hold a phone number." pii:"personal"`
	Data            Data    `json:"data" doc:"What happened."`
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

// Values returns the bases of an id.
func (IDBasis) Values() []string { return list(IDNatural, IDContent) }

// Basis says how the native event is known.
type Basis string

// The bases of a native event: the route or the configuration declares the native event,
// the payload names it, or it was guessed from the shape of the payload.
const (
	BasisDeclared Basis = "declared"
	BasisPayload  Basis = "payload"
	BasisShape    Basis = "shape"
)

// Values returns the bases of a native event.
func (Basis) Values() []string { return list(BasisDeclared, BasisPayload, BasisShape) }

// list returns the values of an enum as strings.
func list[T ~string](values ...T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}

// Data is what happened. Every field is optional. Fields that few events have are
// pointers.
type Data struct {
	Channel      Channel       `json:"channel,omitempty" doc:"The medium that carried what happened." pii:"none"`
	Direction    Direction     `json:"direction,omitempty" doc:"The direction as the vendor's customer sees it: inbound comes from the contact." pii:"none"`
	Contact      Contact       `json:"contact,omitzero" doc:"The outside party: the caller of an inbound call, the callee of an outbound one."`
	Agent        Agent         `json:"agent,omitzero" doc:"The person who acts for the vendor's customer."`
	Account      Account       `json:"account,omitzero" doc:"The vendor's account."`
	Campaign     Campaign      `json:"campaign,omitzero" doc:"The vendor's campaign. A marketing campaign stands in attribution."`
	Call         *Call         `json:"call,omitempty" doc:"The phone call."`
	Message      Message       `json:"message,omitzero" doc:"The text, WhatsApp message, chat message or the like."`
	Email        *Email        `json:"email,omitempty" doc:"The e-mail."`
	Conversation *Conversation `json:"conversation,omitempty" doc:"The thread of messages."`
	Subscription *Subscription `json:"subscription,omitempty" doc:"What the contact is subscribed to, or is no longer."`
	Form         *Form         `json:"form,omitempty" doc:"The submitted form."`
	Survey       []Answer      `json:"survey,omitempty" doc:"The answers to the questions of a survey."`
	LeadStatus   string        `json:"lead_status,omitempty" doc:"Whether the contact is a lead, in the words of the vendor." pii:"personal"`
	Client       *Client       `json:"client,omitempty" doc:"The program that the contact has used, such as the browser that followed a link."`
	Reference    string        `json:"reference,omitempty" doc:"The text that our side gave the vendor along with the call or message, and gets back with each event about it." pii:"none"`
	Changes      []string      `json:"changes,omitempty" doc:"The names of the fields of this dictionary that have changed; names that are no such field stand as sent. A field that is named here and is absent is now empty." pii:"none"`
	Attribution  *Attribution  `json:"attribution,omitempty" doc:"The marketing that brought the contact."`
	Issues       []Issue       `json:"issues,omitempty" doc:"What was amiss with the payload, each with the field and the reason."`
	Raw          Raw           `json:"raw,omitempty" doc:"The smallest payload, in the vendor's own form, that gives just this event." pii:"content"`
}

// Raw is the JSON text of the smallest payload, in the vendor's own form, that gives just
// this event.
type Raw string

// Time is a time in RFC 3339 in UTC, with the fraction of the second as sent.
type Time string

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

// Values returns the channels.
func (Channel) Values() []string {
	return list(ChannelPhone, ChannelSMS, ChannelWhatsApp, ChannelText, ChannelEmail, ChannelChat, ChannelWeb, ChannelSocial, ChannelOther)
}

// Direction is the direction as the vendor's customer sees it: an inbound call or message
// comes from the contact.
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// Values returns the directions.
func (Direction) Values() []string { return list(Inbound, Outbound) }

// NotAnswered returns the outcome of a call in the direction that nobody has answered, or "" if
// the direction is not known.
func (d Direction) NotAnswered() Outcome {
	switch d {
	case Inbound:
		return Missed
	case Outbound:
		return Unanswered
	}
	return ""
}

// Contact is always the outside party: the caller of an inbound call, the callee
// of an outbound one.
type Contact struct {
	ID             string         `json:"id,omitempty" doc:"The vendor's id of the contact." pii:"personal"`
	ExternalID     string         `json:"external_id,omitempty" doc:"The id that the vendor's customer gave the contact in a system of its own." pii:"personal"`
	Name           string         `json:"name,omitempty" doc:"The whole name; first and last name joined where the vendor sends no whole one." pii:"personal"`
	FirstName      string         `json:"first_name,omitempty" doc:"The first name." pii:"personal"`
	LastName       string         `json:"last_name,omitempty" doc:"The last name." pii:"personal"`
	Phone          string         `json:"phone,omitempty" doc:"The phone number in E.164." pii:"personal"`
	PhoneAsSent    string         `json:"phone_as_sent,omitempty" doc:"What stands in the place of a phone number and is none, such as Anonymous. It identifies nobody." pii:"personal"`
	Email          string         `json:"email,omitempty" doc:"The e-mail address, in the case that it was sent in." pii:"personal"`
	Title          string         `json:"title,omitempty" doc:"The title or position in a company." pii:"personal"`
	Company        string         `json:"company,omitempty" doc:"The name of the company." pii:"personal"`
	Location       Location       `json:"location,omitzero" doc:"Where the contact is."`
	Organizations  []Organization `json:"organizations,omitempty" doc:"The organizations that the contact belongs to."`
	Status         string         `json:"status,omitempty" doc:"The new status of the contact, in the words of the vendor." pii:"personal"`
	UnsubscribedAt Time           `json:"unsubscribed_at,omitempty" doc:"When the contact unsubscribed." pii:"personal"`
	Bounces        Number         `json:"bounces,omitempty" doc:"How many messages to the contact have bounced." pii:"personal"`
	Interest       string         `json:"interest,omitempty" doc:"The interest that the contact shows, in the words of the vendor." pii:"personal"`
	Appointment    Bool           `json:"appointment,omitempty" doc:"Whether the contact has an appointment." pii:"personal"`
	Custom         []Pair         `json:"custom,omitempty" doc:"The fields that the vendor's customer has added to contacts."`
}

// Location is where a contact is. Its parts are as sent.
type Location struct {
	City       string `json:"city,omitempty" doc:"The city." pii:"personal"`
	Region     string `json:"region,omitempty" doc:"The state, province or region." pii:"personal"`
	PostalCode string `json:"postal_code,omitempty" doc:"The postal code." pii:"personal"`
	Country    string `json:"country,omitempty" doc:"The country, as a name or a code." pii:"personal"`
}

// Organization is an organization that a contact belongs to or unsubscribes from.
type Organization struct {
	ID         string `json:"id,omitempty" doc:"The vendor's id of the organization." pii:"none"`
	ExternalID string `json:"external_id,omitempty" doc:"The id that the vendor's customer gave the organization in a system of its own." pii:"none"`
	Name       string `json:"name,omitempty" doc:"The name of the organization." pii:"none"`
	Type       string `json:"type,omitempty" doc:"The kind of organization, in the words of the vendor." pii:"none"`
}

// Pair is a member of an open map. Its value is a string: the JSON text if the vendor sent
// an array or object.
type Pair struct {
	Name  string `json:"name" doc:"The name that the vendor or its customer gave the field." pii:"personal"`
	Value string `json:"value" doc:"The value as text; the JSON text of an array or object." pii:"personal"`
}

// Agent is who acts for the vendor's customer.
type Agent struct {
	ID    string `json:"id,omitempty" doc:"The vendor's id of the agent." pii:"personal"`
	Name  string `json:"name,omitempty" doc:"The name of the agent." pii:"personal"`
	Email string `json:"email,omitempty" doc:"The e-mail address or mailbox of the agent." pii:"personal"`
}

// Account is the account with the vendor.
type Account struct {
	ID       string `json:"id,omitempty" doc:"The vendor's id of the account." pii:"none"`
	Name     string `json:"name,omitempty" doc:"The name of the account." pii:"none"`
	TimeZone string `json:"time_zone,omitempty" doc:"The time zone of the account, in the words of the vendor." pii:"none"`
}

// Campaign is the vendor's campaign.
type Campaign struct {
	ID   string `json:"id,omitempty" doc:"The vendor's id of the campaign." pii:"none"`
	Name string `json:"name,omitempty" doc:"The name of the campaign." pii:"none"`
}

// Call is a phone call.
type Call struct {
	ID                       string   `json:"id,omitempty" doc:"The vendor's id of the call." pii:"none"`
	ParentID                 string   `json:"parent_id,omitempty" doc:"The vendor's id of the call that has brought this call about." pii:"none"`
	SessionID                string   `json:"session_id,omitempty" doc:"The vendor's id that all legs of the call share." pii:"none"`
	StartedAt                Time     `json:"started_at,omitempty" doc:"When the call began." pii:"none"`
	AnsweredAt               Time     `json:"answered_at,omitempty" doc:"When the call was answered." pii:"none"`
	EndedAt                  Time     `json:"ended_at,omitempty" doc:"When the call ended." pii:"none"`
	DurationSeconds          Number   `json:"duration_seconds,omitempty" doc:"How long the call was." unit:"s" pii:"none"`
	Answered                 Bool     `json:"answered,omitempty" doc:"Whether a person or machine of ours, or the callee of an outbound call, answered." pii:"none"`
	Voicemail                Bool     `json:"voicemail,omitempty" doc:"Whether the call ended in a voicemail." pii:"none"`
	Outcome                  Outcome  `json:"outcome,omitempty" doc:"How the call ended, in one word for all vendors: missed is inbound, unanswered outbound." pii:"none"`
	Disposition              string   `json:"disposition,omitempty" doc:"How the call ended, in the words of the vendor." pii:"none"`
	OurNumber                string   `json:"our_number,omitempty" doc:"The number on our side, in E.164: the number that was called, or was called from." pii:"none"`
	TrackerID                string   `json:"tracker_id,omitempty" doc:"The vendor's id of the tracking number." pii:"none"`
	TrackerName              string   `json:"tracker_name,omitempty" doc:"The name of the tracking number." pii:"none"`
	URL                      string   `json:"url,omitempty" doc:"The vendor's page on the call." pii:"none"`
	DestinationNumber        string   `json:"destination_number,omitempty" doc:"The number that the call was routed to, in E.164." pii:"none"`
	FirstCall                Bool     `json:"first_call,omitempty" doc:"Whether it is the first call of the contact." pii:"none"`
	PriorCalls               Number   `json:"prior_calls,omitempty" doc:"How many calls the contact had before." pii:"none"`
	TotalCalls               Number   `json:"total_calls,omitempty" doc:"How many calls the contact has had." pii:"none"`
	RecordingURL             string   `json:"recording_url,omitempty" doc:"The recording of the call." pii:"content"`
	RecordingDurationSeconds Number   `json:"recording_duration_seconds,omitempty" doc:"How long the recording is." unit:"s" pii:"none"`
	Transcription            string   `json:"transcription,omitempty" doc:"What was said in the call." pii:"content"`
	Summary                  string   `json:"summary,omitempty" doc:"A summary of what was said in the call." pii:"content"`
	Tags                     []string `json:"tags,omitempty" doc:"The tags of the call." pii:"none"`
	Note                     string   `json:"note,omitempty" doc:"The note on the call." pii:"content"`
	Value                    string   `json:"value,omitempty" doc:"The money that the call is worth, as a decimal." pii:"none"`
	Score                    string   `json:"score,omitempty" doc:"The score of the call, as a decimal." pii:"none"`
	Spam                     Bool     `json:"spam,omitempty" doc:"Whether the call is spam." pii:"none"`
	KeywordsSpotted          []string `json:"keywords_spotted,omitempty" doc:"The keywords that were heard in the call." pii:"content"`
	Highlights               []string `json:"highlights,omitempty" doc:"The passages of the call that the vendor points out." pii:"content"`
}

// Outcome says how a call ended, in one word for all vendors.
type Outcome string

// The outcomes. A call that nobody answered is missed if it is inbound, and unanswered if it
// is outbound.
const (
	Answered   Outcome = "answered"
	Voicemail  Outcome = "voicemail"
	Abandoned  Outcome = "abandoned"
	Missed     Outcome = "missed"
	Unanswered Outcome = "unanswered"
)

// Values returns the outcomes.
func (Outcome) Values() []string { return list(Answered, Voicemail, Abandoned, Missed, Unanswered) }

// Message is a text, a WhatsApp message or the like. From and To are phone numbers, short
// codes or, on our side, the name that is shown as the sender of texts.
type Message struct {
	ID               string   `json:"id,omitempty" doc:"The vendor's id of the message." pii:"none"`
	From             string   `json:"from,omitempty" doc:"The sender: a phone number in E.164, a short code, or the name that a text shows instead." pii:"personal"`
	To               string   `json:"to,omitempty" doc:"The recipient: a phone number in E.164, a short code, or the name of our side that a text shows instead." pii:"personal"`
	Text             string   `json:"text,omitempty" doc:"What was written." pii:"content"`
	ContentType      string   `json:"content_type,omitempty" doc:"The kind of content, in the words of the vendor." pii:"none"`
	Media            []Media  `json:"media,omitempty" doc:"The attachments."`
	SentAt           Time     `json:"sent_at,omitempty" doc:"When the message was sent." pii:"none"`
	ReplyToID        string   `json:"reply_to_id,omitempty" doc:"The id of the message that this message answers." pii:"none"`
	ConversationID   string   `json:"conversation_id,omitempty" doc:"The vendor's id of the thread of messages." pii:"none"`
	StatusCode       string   `json:"status_code,omitempty" doc:"The code of what became of the message, in the words of the vendor." pii:"none"`
	StatusText       string   `json:"status_text,omitempty" doc:"What became of the message, in the words of the vendor." pii:"none"`
	StatusDetail     string   `json:"status_detail,omitempty" doc:"Why this became of the message, in the words of the vendor." pii:"none"`
	Place            *Place   `json:"place,omitempty" doc:"The place that the sender has shared."`
	ChoiceID         string   `json:"choice_id,omitempty" doc:"The id that our side gave the button or list row that the contact has chosen. Text has its title." pii:"none"`
	Segments         Number   `json:"segments,omitempty" doc:"How many texts of the network the message takes." pii:"none"`
	Cost             *Cost    `json:"cost,omitempty" doc:"What the vendor charges for the message."`
	StatusCandidates []string `json:"status_candidates,omitempty" doc:"The sorted codes, where more than one may be the code of this message." pii:"none"`
}

// Media is an attachment of a message.
type Media struct {
	ID   string `json:"id,omitempty" doc:"The vendor's id of the attachment, where it gives no URL." pii:"none"`
	URL  string `json:"url,omitempty" doc:"Where the attachment is." pii:"content"`
	Type string `json:"type,omitempty" doc:"A media type, or one of image, video, document and audio." pii:"none"`
	Name string `json:"name,omitempty" doc:"The name of the file." pii:"content"`
}

// Place is a place that somebody has shared in a message.
type Place struct {
	Latitude  Number `json:"latitude,omitempty" doc:"The latitude; north is positive." unit:"deg" pii:"personal"`
	Longitude Number `json:"longitude,omitempty" doc:"The longitude; east is positive." unit:"deg" pii:"personal"`
	Name      string `json:"name,omitempty" doc:"The name of the place." pii:"personal"`
	Address   string `json:"address,omitempty" doc:"The address of the place." pii:"personal"`
	URL       string `json:"url,omitempty" doc:"A page on the place." pii:"personal"`
}

// Cost is what a vendor charges.
type Cost struct {
	Amount   string `json:"amount,omitempty" doc:"The money, as a decimal." pii:"none"`
	Currency string `json:"currency,omitempty" doc:"The currency, by its code of three letters." pii:"none"`
}

// Email is an e-mail. All events of one e-mail to one recipient have the same ID.
type Email struct {
	ID           string       `json:"id,omitempty" doc:"The vendor's id of the e-mail, the same in all events about it." pii:"none"`
	MessageID    string       `json:"message_id,omitempty" doc:"The header field Message-ID of the e-mail, without angle brackets." pii:"none"`
	From         string       `json:"from,omitempty" doc:"The address of the sender." pii:"personal"`
	To           string       `json:"to,omitempty" doc:"The address of the recipient." pii:"personal"`
	Subject      string       `json:"subject,omitempty" doc:"The subject line." pii:"content"`
	Body         string       `json:"body,omitempty" doc:"What was written, as plain text where there is some, else as HTML." pii:"content"`
	Attachments  []Attachment `json:"attachments,omitempty" doc:"The attachments."`
	SentAt       Time         `json:"sent_at,omitempty" doc:"When the e-mail was sent." pii:"none"`
	ReplyToID    string       `json:"reply_to_id,omitempty" doc:"The Message-ID of the e-mail that this e-mail answers, without angle brackets." pii:"none"`
	LinkURL      string       `json:"link_url,omitempty" doc:"The link that was followed." pii:"content"`
	Failure      Failure      `json:"failure,omitempty" doc:"Whether the address takes no e-mail (permanent), or another e-mail or attempt may arrive (temporary)." pii:"none"`
	StatusCode   string       `json:"status_code,omitempty" doc:"The code of what became of the e-mail, such as that of SMTP." pii:"none"`
	StatusText   string       `json:"status_text,omitempty" doc:"What became of the e-mail, in the words of the vendor." pii:"none"`
	StatusDetail string       `json:"status_detail,omitempty" doc:"Why this became of the e-mail, in the words of the vendor or of the recipient's server." pii:"personal"`
	Tags         []string     `json:"tags,omitempty" doc:"The tags or categories that our side gave the e-mail." pii:"none"`
	Metadata     []Pair       `json:"metadata,omitempty" doc:"The names and values that our side gave the e-mail."`
}

// Attachment is a file that came along with an e-mail.
type Attachment struct {
	URL  string `json:"url,omitempty" doc:"Where the file is." pii:"content"`
	Type string `json:"type,omitempty" doc:"The media type." pii:"none"`
	Name string `json:"name,omitempty" doc:"The name of the file." pii:"content"`
}

// Failure says what the failure of an e-mail means for the next one to the same address.
type Failure string

// The kinds of failures.
const (
	Permanent Failure = "permanent"
	Temporary Failure = "temporary"
)

// Values returns the kinds of failures.
func (Failure) Values() []string { return list(Permanent, Temporary) }

// Client is the program that a contact has used.
type Client struct {
	IPAddress string `json:"ip_address,omitempty" doc:"The IP address, which may be that of a proxy." pii:"personal"`
	UserAgent string `json:"user_agent,omitempty" doc:"The header field User-Agent." pii:"personal"`
	Name      string `json:"name,omitempty" doc:"The name of the program." pii:"personal"`
	OS        string `json:"os,omitempty" doc:"The operating system." pii:"personal"`
	Device    string `json:"device,omitempty" doc:"The kind of device, in the words of the vendor." pii:"personal"`
	Automatic Bool   `json:"automatic,omitempty" doc:"Whether the vendor takes it for a program that acts without a person, such as a privacy proxy that opens e-mails." pii:"none"`
}

// Conversation is a thread of messages.
type Conversation struct {
	ID            string `json:"id,omitempty" doc:"The vendor's id of the conversation." pii:"none"`
	Subject       string `json:"subject,omitempty" doc:"The subject of the conversation." pii:"content"`
	Status        string `json:"status,omitempty" doc:"The status of the conversation, in the words of the vendor." pii:"none"`
	CreatedAt     Time   `json:"created_at,omitempty" doc:"When the conversation began." pii:"none"`
	LastMessageAt Time   `json:"last_message_at,omitempty" doc:"When the last message of the conversation was sent." pii:"none"`
}

// Subscription is what a contact is subscribed to or not.
type Subscription struct {
	ID           string       `json:"id,omitempty" doc:"The vendor's id of the subscription." pii:"none"`
	Channel      Channel      `json:"channel,omitempty" doc:"The medium of the subscription." pii:"none"`
	Topic        string       `json:"topic,omitempty" doc:"What the contact is subscribed to or has left, in the words of the vendor." pii:"none"`
	Organization Organization `json:"organization,omitzero" doc:"The organization that the contact is subscribed to or has left."`
	Subscribed   Bool         `json:"subscribed,omitempty" doc:"Whether the contact is subscribed now." pii:"none"`
}

// Form is a submitted form.
type Form struct {
	ID          string `json:"id,omitempty" doc:"The vendor's id of the submission." pii:"none"`
	URL         string `json:"url,omitempty" doc:"The page that the form stands on." pii:"personal"`
	SubmittedAt Time   `json:"submitted_at,omitempty" doc:"When the form was submitted." pii:"none"`
	FirstForm   Bool   `json:"first_form,omitempty" doc:"Whether it is the first form of the contact." pii:"none"`
	Fields      []Pair `json:"fields,omitempty" doc:"What was filled in."`
}

// Answer is the answer to a question of a survey.
type Answer struct {
	ID         string `json:"id,omitempty" doc:"The vendor's id of the answer that was given." pii:"none"`
	QuestionID string `json:"question_id,omitempty" doc:"The vendor's id of the question." pii:"none"`
	Question   string `json:"question,omitempty" doc:"The question." pii:"none"`
	AnswerID   string `json:"answer_id,omitempty" doc:"The vendor's id of the answer that was chosen." pii:"none"`
	Answer     string `json:"answer,omitempty" doc:"The answer." pii:"content"`
	AnsweredAt Time   `json:"answered_at,omitempty" doc:"When the question was answered." pii:"none"`
}

// Attribution is the marketing that brought a contact.
type Attribution struct {
	Source         string      `json:"source,omitempty" doc:"The source, such as google." pii:"none"`
	Medium         string      `json:"medium,omitempty" doc:"The medium, such as cpc." pii:"none"`
	Campaign       string      `json:"campaign,omitempty" doc:"The marketing campaign." pii:"none"`
	Keywords       string      `json:"keywords,omitempty" doc:"The keywords that were searched for." pii:"none"`
	LandingPageURL string      `json:"landing_page_url,omitempty" doc:"The page that the contact came to first." pii:"personal"`
	ReferrerURL    string      `json:"referrer_url,omitempty" doc:"The page that the contact came from." pii:"personal"`
	UTMSource      string      `json:"utm_source,omitempty" doc:"The parameter utm_source of the landing page." pii:"none"`
	UTMMedium      string      `json:"utm_medium,omitempty" doc:"The parameter utm_medium of the landing page." pii:"none"`
	UTMCampaign    string      `json:"utm_campaign,omitempty" doc:"The parameter utm_campaign of the landing page." pii:"none"`
	UTMTerm        string      `json:"utm_term,omitempty" doc:"The parameter utm_term of the landing page." pii:"none"`
	UTMContent     string      `json:"utm_content,omitempty" doc:"The parameter utm_content of the landing page." pii:"none"`
	GCLID          string      `json:"gclid,omitempty" doc:"The click id of Google." pii:"personal"`
	FBCLID         string      `json:"fbclid,omitempty" doc:"The click id of Facebook." pii:"personal"`
	MSCLKID        string      `json:"msclkid,omitempty" doc:"The click id of Microsoft." pii:"personal"`
	CTWACLID       string      `json:"ctwa_clid,omitempty" doc:"The click id of Meta's ads that open a chat in WhatsApp." pii:"personal"`
	AdID           string      `json:"ad_id,omitempty" doc:"The id of the ad or post that the contact came from, as the network of the ad gives it." pii:"none"`
	Device         string      `json:"device,omitempty" doc:"The kind of device, in the words of the vendor." pii:"none"`
	SessionID      string      `json:"session_id,omitempty" doc:"The vendor's id of the contact's visit to the website." pii:"personal"`
	Milestones     []Milestone `json:"milestones,omitempty" doc:"The touches of the contact with the marketing."`
}

// Milestone is a contact's touch with the marketing.
type Milestone struct {
	Name           string `json:"name,omitempty" doc:"The name of the milestone, such as first_touch." pii:"none"`
	EventAt        Time   `json:"event_at,omitempty" doc:"When it was reached." pii:"none"`
	Source         string `json:"source,omitempty" doc:"The source, such as google." pii:"none"`
	Medium         string `json:"medium,omitempty" doc:"The medium, such as cpc." pii:"none"`
	Campaign       string `json:"campaign,omitempty" doc:"The marketing campaign." pii:"none"`
	Keywords       string `json:"keywords,omitempty" doc:"The keywords that were searched for." pii:"none"`
	LandingPageURL string `json:"landing_page_url,omitempty" doc:"The page that the contact came to first." pii:"personal"`
	ReferrerURL    string `json:"referrer_url,omitempty" doc:"The page that the contact came from." pii:"personal"`
}

// Issue says that a field of the event could not be read from the payload, and why. Raw
// has what the vendor sent.
type Issue struct {
	Field  string `json:"field" doc:"A path of data such as call.duration_seconds, or an attribute of the event." pii:"none"`
	Reason Reason `json:"reason" doc:"Why: the value is no time, phone number and so on; contradiction says that the payload is of another native event than was declared, unknown_event that the vendor's list has no such native event, and not_interoperable that text of the payload was mended." pii:"none"`
}

// Reason says what was amiss with a field.
type Reason string

// The reasons.
const (
	NotATime         Reason = "not_a_time"
	NotAPhone        Reason = "not_a_phone"
	NotANumber       Reason = "not_a_number"
	NotABoolean      Reason = "not_a_boolean"
	NotInList        Reason = "not_in_list" // the list of values does not have the value
	WrongType        Reason = "wrong_type"
	Contradiction    Reason = "contradiction"     // the route declares another native event than the payload is of
	UnknownEvent     Reason = "unknown_event"     // the vendor's list has no such native event
	NotInteroperable Reason = "not_interoperable" // not every reader could have read the payload as sent, so its text was mended
)

// Values returns the reasons.
func (Reason) Values() []string {
	return list(NotATime, NotAPhone, NotANumber, NotABoolean, NotInList, WrongType, Contradiction, UnknownEvent, NotInteroperable)
}
