package mobiniti

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// A delivery report has an array of messages, and an array of statuses; each status lists
// the recipients that have the status. Only the phone number joins messages and statuses, by
// its digits. Each message becomes an event. Each number in a status that no message has
// becomes an event too. The raw of an event is a slice: a report of this message or number
// alone, which decodes to just this event. Elements that are none of these are put into one
// more event.
//
// Time and memory are linear in the report. A slice repeats what it shares with other
// slices. A report whose slices together would be too large is not sliced: it becomes one
// event.

// native data structures

type report struct {
	TotalMessages payload.Value `json:"total_messages"`
	Statuses      payload.Value `json:"statuses"`
	Messages      payload.Value `json:"messages"`
}

type status struct {
	Code       payload.Value `json:"code"` // a string; only "100" is documented, which means delivered
	Status     payload.Value `json:"status"`
	Recipients payload.Value `json:"recipients"`
	Success    payload.Value `json:"success"`
	Bounce     payload.Value `json:"bounce"`
}

type message struct {
	ID          payload.Value `json:"id"`
	From        payload.Value `json:"from"`
	Message     payload.Value `json:"message"`
	PhoneNumber payload.Value `json:"phone_number"`
}

// native data structure conversion

func deliveryReport(in *vendors.Input, emit func(vendors.Draft) error) error {
	s := newSlicer(in)
	if in.Reads(s.TotalMessages, s.Statuses, s.Messages); s.TotalMessages.Kind()+s.Statuses.Kind()+s.Messages.Kind() == payload.Missing {
		return emit(vendors.Draft{Read: in.Read()}) // it is no report, which Decode sees
	}
	if err := s.join(in); err != nil {
		return err
	}
	for _, list := range []payload.Value{s.Statuses, s.Messages} {
		if list.Absent() {
			in.Read().Note("type", list)
		}
	}
	if len(s.joined)+len(s.orphans) == 0 || s.size > vendors.SliceLimit(in.Payload, s.events) {
		return emit(whole(in))
	}
	slice := func(l *listings, messages string) string {
		if s.events == 1 {
			return "" // the slice is the whole report
		}
		return s.slice(l, messages)
	}
	i := 0
	for element := range s.messages() {
		draft := convertMessage(in, element, s.joined[i])
		draft.Raw = slice(s.joined[i], element.Text())
		if err := emit(draft); err != nil {
			return err
		}
		i++
	}
	for _, o := range s.orphans {
		draft := convertOrphan(in, o)
		draft.Raw = slice(o, "")
		if err := emit(draft); err != nil {
			return err
		}
	}
	if !s.hasLeftovers() {
		return nil
	}
	return emit(vendors.Draft{Raw: s.leftover(), Data: event.Data{Channel: event.ChannelSMS, Direction: event.Outbound}})
}

// whole converts a report that is not sliced.
func whole(in *vendors.Input) vendors.Draft {
	draft := other(in)
	draft.Data.Channel, draft.Data.Direction = event.ChannelSMS, event.Outbound
	return draft
}

func convertMessage(in *vendors.Input, element payload.Value, l *listings) vendors.Draft {
	m, r := payload.Bind[message](element), in.Read()
	v := l.verdict(r)
	id := r.Text("message.id", m.ID)
	contact, to := recipient(r, m.PhoneNumber)
	return vendors.Draft{
		Type:    v.eventType,
		ID:      vendors.Natural(m.ID, m.PhoneNumber, v.code),
		Subject: vendors.Subject{Kind: "message", ID: id},
		Person:  vendors.Ladder{contact.Phone},
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelSMS,
			Direction: event.Outbound,
			Contact:   contact,
			Message: event.Message{
				ID:               id,
				From:             r.PhoneOrShortCode("message.from", m.From),
				To:               to,
				Text:             r.Text("message.text", m.Message),
				StatusCode:       r.Text("message.status_code", v.status.Code),
				StatusText:       r.Text("message.status_text", v.status.Status),
				StatusCandidates: v.candidates,
			},
		},
	}
}

// convertOrphan converts what a report says about a number that no message has.
func convertOrphan(in *vendors.Input, o *listings) vendors.Draft {
	r := in.Read()
	v := o.verdict(r)
	contact, to := recipient(r, o.all[0].recipients[0])
	return vendors.Draft{
		Type:   v.eventType,
		ID:     vendors.Content(),
		Person: vendors.Ladder{contact.Phone},
		Read:   r,
		Data: event.Data{
			Channel:   event.ChannelSMS,
			Direction: event.Outbound,
			Contact:   contact,
			Message: event.Message{
				To:               to,
				StatusCode:       r.Text("message.status_code", v.status.Code),
				StatusText:       r.Text("message.status_text", v.status.Status),
				StatusCandidates: v.candidates,
			},
		},
	}
}

// recipient reads the number that a message is sent to, as the contact's and as the
// message's. A short code is only the message's.
func recipient(r *vendors.Reader, number payload.Value) (contact event.Contact, to string) {
	contact.Phone, contact.PhoneAsSent = r.ContactPhone(number)
	if contact.Phone != "" {
		r.Note("message.to", number)
		return contact, contact.Phone
	}
	return contact, r.PhoneOrShortCode("message.to", number)
}

// verdict is what all statuses of a number say together.
type verdict struct {
	eventType  string
	status     status        // the status of the number; empty if there are several, or none
	code       payload.Value // the part of the id: the code of the status, or all candidates
	candidates []string
}

func (l *listings) verdict(r *vendors.Reader) verdict {
	if l == nil {
		return verdict{eventType: event.MessageStatusUnknown}
	}
	var v verdict
	several := false
	for i := range l.all {
		s := l.all[i].status
		r.Note("type", l.all[i].recipients...)
		eventType := outcome(r, s)
		if i == 0 {
			v = verdict{eventType: eventType, status: s.status, code: s.Code}
		} else if s.codeID != l.all[0].status.codeID || eventType != v.eventType {
			several = true
		}
	}
	if !several {
		return v
	}
	var codes []string
	for i := range l.all {
		r.Note("message.status_candidates", l.all[i].status.Code)
		r.Note("message.status_text", l.all[i].status.Status) // which is not known
		if code := l.all[i].status.code; code != "" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	return verdict{eventType: event.MessageStatusUnknown, code: payload.Strings(codes), candidates: codes}
}

// outcome returns the type of the event by the booleans of a status, because only one of
// the codes is documented.
func outcome(r *vendors.Reader, s *listedStatus) string {
	success, bounce := r.Bool("type", s.Success), r.Bool("type", s.Bounce)
	switch {
	case bounce == event.True:
		return event.MessageBounced
	case success == event.True:
		return event.MessageDelivered
	case success == event.False:
		return event.MessageFailed
	case s.Success.Absent() && s.Bounce.Absent() && s.code == "100":
		r.Note("type", s.Code)
		return event.MessageDelivered
	}
	return event.MessageStatusUnknown
}

// slicing

// slicer is a report whose messages and statuses are joined, and builds the slices.
type slicer struct {
	report
	extras string // the unknown members of the report, which only the first slice repeats
	total  string // the member total_messages, which every slice repeats

	joined       []*listings // what the report says of each message's number; nil if no status lists the number
	orphans      []*listings // what the report says, under one code, of a number that no message has
	leftStatuses leftovers
	leftMessages leftovers

	events int    // how many events the slices give
	size   int    // how many bytes all slices have together, at most
	text   []byte // the buffer that slices are built in
}

// leftovers are the elements of an array that cannot be joined, or the value that
// stands in the place of the array.
type leftovers struct {
	instead  string // the text of that value
	elements []byte // the texts of the elements, each with a comma behind it
}

// listings is what a report says about one number: all statuses that list the number.
type listings struct {
	all     []listing
	size    int  // how many bytes the statuses take in a slice
	matched bool // whether a message has the number
}

// listing is a status, and those of its recipients that are one number, as sent.
type listing struct {
	status     *listedStatus
	recipients []payload.Value
}

type listedStatus struct {
	status
	code           string // as text, so that "100" and 100 are equal
	codeID         int    // is the same for equal codes: codes are compared for each number, and may be long
	before, behind string // the text of the status in front of its recipients, and behind them
}

func newSlicer(in *vendors.Input) *slicer {
	s := &slicer{report: payload.Bind[report](in.Payload)}
	others := in.Payload.Rewrite(func(_ string, member payload.Value) string {
		if member == s.Statuses || member == s.Messages || member == s.TotalMessages {
			return ""
		}
		return member.Text()
	})
	s.extras = others[1 : len(others)-1]
	if s.TotalMessages.Kind() != payload.Missing {
		s.total = `"total_messages":` + s.TotalMessages.Text()
	}
	return s
}

// join joins messages and statuses by the phone numbers. It returns an error if there are
// too many events.
func (s *slicer) join(in *vendors.Input) error {
	codeIDs := map[string]int{}
	numbers := map[string]*listings{}
	var order []*listings
	for element := range s.leftStatuses.elementsOf(s.Statuses) {
		recipients := element.Get("recipients")
		if recipients.Kind() != payload.Array || recipients.Absent() {
			s.leftStatuses.add(element.Text())
			continue
		}
		listed := listedStatusOf(element)
		id, known := codeIDs[listed.code]
		if !known {
			id = len(codeIDs)
			codeIDs[listed.code] = id
		}
		listed.codeID = id
		var bad []byte // the status with the recipients that are no numbers
		for recipient := range recipients.Elements() {
			number := numberOf(recipient)
			if number == "" {
				if bad == nil {
					bad = append([]byte(listed.before), '[')
				}
				bad = append(append(bad, recipient.Text()...), ',')
				continue
			}
			l := numbers[number]
			if l == nil {
				l = &listings{}
				numbers[number] = l
				order = append(order, l)
				if len(order) > in.MaxEvents { // each number gives at least one event
					return in.TooMany()
				}
			}
			l.add(listed, recipient)
		}
		if bad != nil {
			bad[len(bad)-1] = ']'
			s.leftStatuses.add(string(append(bad, listed.behind...)))
		}
	}

	s.size = len(s.extras) + len(",")
	for element := range s.leftMessages.elementsOf(s.Messages) {
		if !isMessage(element) {
			s.leftMessages.add(element.Text())
			continue
		}
		l := numbers[numberOf(element.Get("phone_number"))]
		s.joined = append(s.joined, l)
		s.count(1, len(element.Text()))
		if l != nil {
			l.matched = true
			s.size += l.size
		}
	}
	for _, l := range order {
		if !l.matched {
			codes := l.byCode()
			s.orphans = append(s.orphans, codes...)
			s.count(len(codes), l.size)
		}
	}
	if s.hasLeftovers() {
		s.count(1, s.leftStatuses.size()+s.leftMessages.size())
	}
	if s.events > in.MaxEvents {
		return in.TooMany()
	}
	return nil
}

// count adds slices to events and size. The given size is that of all these slices
// together, without what every slice repeats.
func (s *slicer) count(events, size int) {
	s.events += events
	s.size += events*(len(`{,"statuses":[],"messages":[]}`)+len(s.total)) + size
}

func isMessage(element payload.Value) bool {
	return element.Kind() == payload.Object && !element.Absent()
}

// messages yields the messages that become events.
func (s *slicer) messages() iter.Seq[payload.Value] {
	return func(yield func(payload.Value) bool) {
		for element := range s.Messages.Elements() {
			if isMessage(element) && !yield(element) {
				return
			}
		}
	}
}

func listedStatusOf(element payload.Value) *listedStatus {
	s := payload.Bind[status](element)
	code := ""
	if !s.Code.Absent() {
		var ok bool
		if code, ok = s.Code.Scalar(); !ok {
			code = s.Code.Text()
		}
	}
	const mark = "\x00" // no JSON holds this byte
	text := element.Rewrite(func(_ string, member payload.Value) string {
		if member == s.Recipients {
			return mark
		}
		return member.Text()
	})
	before, behind, _ := strings.Cut(text, mark)
	return &listedStatus{status: s, code: code, before: before, behind: behind}
}

// numberOf returns the digits of a phone number, because a report writes the same number
// with and without its country code: a leading 1 of eleven digits is left away. A string
// that is no phone number stays as sent. numberOf returns "" if the value is neither a string
// nor a number.
func numberOf(v payload.Value) string {
	if v.Kind() != payload.String && v.Kind() != payload.Number {
		return ""
	}
	text, _ := v.Scalar()
	digits := strings.Map(withoutPunctuation, text)
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return text
	}
	if len(digits) == 11 && digits[0] == '1' {
		return digits[1:]
	}
	return digits
}

func withoutPunctuation(r rune) rune {
	switch r {
	case '+', ' ', '(', ')', '.', '-':
		return -1
	}
	return r
}

// add adds a recipient of a status. Recipients of one status have to be added in a row.
func (l *listings) add(listed *listedStatus, recipient payload.Value) {
	if n := len(l.all); n == 0 || l.all[n-1].status != listed {
		l.all = append(l.all, listing{status: listed})
		l.size += len(listed.before) + len(listed.behind) + len("[],")
	}
	last := &l.all[len(l.all)-1]
	last.recipients = append(last.recipients, recipient)
	l.size += len(recipient.Text()) + len(",")
}

// byCode splits the listings by their codes, in the order of the report.
func (l *listings) byCode() []*listings {
	if len(l.all) == 1 {
		return []*listings{l}
	}
	var order []*listings
	codes := map[int]*listings{}
	for _, listing := range l.all {
		code := codes[listing.status.codeID]
		if code == nil {
			code = &listings{}
			codes[listing.status.codeID] = code
			order = append(order, code)
		}
		code.all = append(code.all, listing)
	}
	return order
}

func (l *listing) append(b []byte) []byte {
	b = append(append(b, l.status.before...), '[')
	for i, recipient := range l.recipients {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, recipient.Text()...)
	}
	return append(append(b, ']'), l.status.behind...)
}

// elementsOf yields the elements of an array. A value that is no array is left over as a
// whole, unless it is absent.
func (l *leftovers) elementsOf(v payload.Value) iter.Seq[payload.Value] {
	if v.Kind() != payload.Array && !v.Absent() {
		l.instead = v.Text()
	}
	return v.Elements()
}

func (l *leftovers) add(text string) { l.elements = append(append(l.elements, text...), ',') }

func (l *leftovers) any() bool { return l.size() > 0 }

func (l *leftovers) size() int { return len(l.instead) + len(l.elements) }

// append appends the value or the array of the elements.
func (l *leftovers) append(b []byte) []byte {
	if l.instead != "" {
		return append(b, l.instead...)
	}
	elements := bytes.TrimSuffix(l.elements, []byte(","))
	return append(append(append(b, '['), elements...), ']')
}

// hasLeftovers reports whether the report has parts that are in no slice.
func (s *slicer) hasLeftovers() bool { return s.leftStatuses.any() || s.leftMessages.any() }

// slice returns a report of the messages, which are texts, and of the statuses of one
// number.
func (s *slicer) slice(l *listings, messages string) string {
	s.begin()
	s.text = append(s.text, `"statuses":[`...)
	if l != nil {
		for i := range l.all {
			if i > 0 {
				s.text = append(s.text, ',')
			}
			s.text = l.all[i].append(s.text)
		}
	}
	s.text = append(append(append(s.text, `],"messages":[`...), messages...), ']', '}')
	return string(s.text)
}

// leftover returns a report of the parts that are in no other slice.
func (s *slicer) leftover() string {
	s.begin()
	s.text = s.leftStatuses.append(append(s.text, `"statuses":`...))
	s.text = s.leftMessages.append(append(s.text, `,"messages":`...))
	return string(append(s.text, '}'))
}

// begin begins the text of a slice.
func (s *slicer) begin() {
	s.text = append(s.text[:0], '{')
	for _, member := range []string{s.extras, s.total} {
		if member != "" {
			s.text = append(append(s.text, member...), ',')
		}
	}
	s.extras = ""
}
