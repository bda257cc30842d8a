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

// A delivery report is a batch: messages, and statuses that list the numbers they
// hold for. Only the number joins the two. Each message becomes an event, and so
// does each number of a status that no message has. The raw of an event is a
// slice: a report of that message or number alone, which decodes to just that
// event. What fits none of this rides in one event of its own.
//
// All of it is linear in the report. Slices repeat what several events share, so
// a report that would grow beyond bounds is not sliced.

// native data structures

type report struct {
	TotalMessages payload.Value `json:"total_messages"`
	Statuses      payload.Value `json:"statuses"`
	Messages      payload.Value `json:"messages"`
}

type status struct {
	Code       payload.Value `json:"code"` // a string; only "100", delivered, is documented
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
	if err := s.take(in); err != nil {
		return err
	}
	if len(s.joined)+len(s.orphans) == 0 || s.size > 8*len(in.Payload.Text())+2<<10*s.events {
		return emit(other(in))
	}
	slice := func(statuses *listings, messages string) string {
		if s.events == 1 {
			return "" // it is the report itself
		}
		return s.slice(statuses, messages)
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
	if !s.left() {
		return nil
	}
	return emit(vendors.Draft{Raw: s.leftover()})
}

func convertMessage(in *vendors.Input, element payload.Value, of *listings) vendors.Draft {
	m, r := payload.Bind[message](element), in.Read()
	v := of.verdict(r)
	id := r.Text("message.id", m.ID)
	phone, to := recipient(r, m.PhoneNumber)
	return vendors.Draft{
		Type:    v.eventType,
		ID:      vendors.Natural(m.ID, m.PhoneNumber, v.code),
		Subject: vendors.Subject{Kind: "message", ID: id},
		Person:  phone,
		Read:    r,
		Data: event.Data{
			Channel:   event.ChannelSMS,
			Direction: event.Outbound,
			Contact:   event.Contact{Phone: phone},
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

// convertOrphan converts what a report says of a number that no message has.
func convertOrphan(in *vendors.Input, o *listings) vendors.Draft {
	r := in.Read()
	v := o.verdict(r)
	phone, to := recipient(r, o.all[0].recipients[0])
	return vendors.Draft{
		Type:   v.eventType,
		ID:     vendors.Content(),
		Person: phone,
		Read:   r,
		Data: event.Data{
			Channel:   event.ChannelSMS,
			Direction: event.Outbound,
			Contact:   event.Contact{Phone: phone},
			Message: event.Message{
				To:               to,
				StatusCode:       r.Text("message.status_code", v.status.Code),
				StatusText:       r.Text("message.status_text", v.status.Status),
				StatusCandidates: v.candidates,
			},
		},
	}
}

// recipient reads whom a message is to: the contact's phone, or a short code.
func recipient(r *vendors.Reader, v payload.Value) (phone, to string) {
	if phone = r.Phone("contact.phone", v); phone != "" {
		return phone, phone
	}
	return "", r.PhoneOrShortCode("message.to", v)
}

// verdict is what the statuses of a number come to.
type verdict struct {
	eventType  string
	status     status        // the one that holds, or none
	code       payload.Value // for the id: the status's code, or the candidates
	candidates []string
}

func (l *listings) verdict(r *vendors.Reader) verdict {
	if l == nil {
		return verdict{eventType: event.MessageReported}
	}
	var v verdict
	several := false
	for i := range l.all {
		s := l.all[i].status
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
		if code := l.all[i].status.code; code != "" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	return verdict{eventType: event.MessageReported, code: payload.Strings(codes), candidates: codes}
}

// outcome trusts the booleans: of the codes only one is documented.
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
		return event.MessageDelivered
	}
	return event.MessageReported
}

// slicing

// slicer is a report taken apart.
type slicer struct {
	report
	extras string // the members that no slice needs: they ride in the first
	total  string // the member total_messages

	joined       []*listings // of each message, nil where no status lists its number
	orphans      []*listings // of each number and code that no message has
	leftStatuses leftovers
	leftMessages leftovers

	events int    // that the slices give
	size   int    // of all slices, at most
	text   []byte // of the slice that was built last
}

// leftovers are the elements of an array that cannot be joined, or the value that
// stands in the place of the array.
type leftovers struct {
	instead  string // the text of that value
	elements []byte // the texts of the elements, each with a comma behind it
}

// listings is what a report says of one number: every status that lists it.
type listings struct {
	all     []listing
	size    int  // of their text
	matched bool // a message has the number
}

// listing is a status and the recipients in it that are one number, as sent.
type listing struct {
	status     *listedStatus
	recipients []payload.Value
}

type listedStatus struct {
	status
	code           string // "100" and 100 are the same
	codeID         int    // of equal codes: these may be long, and are compared for each number
	before, behind string // the status's text around its recipients
}

func newSlicer(in *vendors.Input) *slicer {
	s := &slicer{report: vendors.Bind[report](in)}
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

// take joins messages and statuses by the numbers.
func (s *slicer) take(in *vendors.Input) error {
	codeIDs := map[string]int{}
	numbers := map[string]*listings{}
	var order []*listings
	for element := range s.leftStatuses.elementsOf(s.Statuses) {
		listed, recipients := listedStatusOf(element)
		if recipients.Kind() != payload.Array || recipients.Absent() {
			s.leftStatuses.add(element.Text())
			continue
		}
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
			of := numbers[number]
			if of == nil {
				of = &listings{}
				numbers[number] = of
				order = append(order, of)
				if len(order) > in.MaxEvents { // each number is an event at least
					return in.TooMany()
				}
			}
			of.add(listed, recipient)
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
		of := numbers[numberOf(element.Get("phone_number"))]
		s.joined = append(s.joined, of)
		s.count(1, len(element.Text()))
		if of != nil {
			of.matched = true
			s.size += of.size
		}
	}
	for _, of := range order {
		if !of.matched {
			codes := of.byCode()
			s.orphans = append(s.orphans, codes...)
			s.count(len(codes), of.size)
		}
	}
	if s.left() {
		s.count(1, s.leftStatuses.size()+s.leftMessages.size())
	}
	if s.events > in.MaxEvents {
		return in.TooMany()
	}
	return nil
}

// count counts slices of that size together, beside what each of them repeats.
func (s *slicer) count(events, size int) {
	s.events += events
	s.size += events*(len(`{,"statuses":[],"messages":[]}`)+len(s.total)) + size
}

func isMessage(element payload.Value) bool {
	return element.Kind() == payload.Object && !element.Absent()
}

// messages yields the messages that are joined.
func (s *slicer) messages() iter.Seq[payload.Value] {
	return func(yield func(payload.Value) bool) {
		for element := range s.Messages.Elements() {
			if isMessage(element) && !yield(element) {
				return
			}
		}
	}
}

func listedStatusOf(element payload.Value) (listed *listedStatus, recipients payload.Value) {
	s := payload.Bind[status](element)
	code := ""
	if !s.Code.Absent() {
		var ok bool
		if code, ok = s.Code.Scalar(); !ok {
			code = s.Code.Text()
		}
	}
	const mark = "\x00" // which no JSON holds
	text := element.Rewrite(func(_ string, member payload.Value) string {
		if member == s.Recipients {
			return mark
		}
		return member.Text()
	})
	before, behind, _ := strings.Cut(text, mark)
	return &listedStatus{status: s, code: code, before: before, behind: behind}, s.Recipients
}

// numberOf returns what joins a message to its statuses: a report writes one
// number with and without its country code.
func numberOf(v payload.Value) string {
	if v.Kind() != payload.String && v.Kind() != payload.Number {
		return ""
	}
	text, _ := v.Scalar()
	if phone, ok := event.ParsePhone(text, true); ok {
		return phone
	}
	return text
}

// add adds a recipient to the listing of the status, the last one if there is one.
func (l *listings) add(listed *listedStatus, recipient payload.Value) {
	if n := len(l.all); n == 0 || l.all[n-1].status != listed {
		l.all = append(l.all, listing{status: listed})
		l.size += len(listed.before) + len(listed.behind) + len("[],")
	}
	last := &l.all[len(l.all)-1]
	last.recipients = append(last.recipients, recipient)
	l.size += len(recipient.Text()) + len(",")
}

// byCode returns the listings of each code, in the order of the report.
func (l *listings) byCode() []*listings {
	if len(l.all) == 1 {
		return []*listings{l}
	}
	var order []*listings
	codes := map[int]*listings{}
	for _, listing := range l.all {
		of := codes[listing.status.codeID]
		if of == nil {
			of = &listings{}
			codes[listing.status.codeID] = of
			order = append(order, of)
		}
		of.all = append(of.all, listing)
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

// elementsOf yields the elements of an array. What stands in place of an array is
// left over, unless it says nothing.
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

func (s *slicer) left() bool { return s.leftStatuses.any() || s.leftMessages.any() }

func (s *slicer) slice(of *listings, messages string) string {
	s.begin()
	s.text = append(s.text, `"statuses":[`...)
	if of != nil {
		for i := range of.all {
			if i > 0 {
				s.text = append(s.text, ',')
			}
			s.text = of.all[i].append(s.text)
		}
	}
	s.text = append(append(append(s.text, `],"messages":[`...), messages...), ']', '}')
	return string(s.text)
}

func (s *slicer) leftover() string {
	s.begin()
	s.text = s.leftStatuses.append(append(s.text, `"statuses":`...))
	s.text = s.leftMessages.append(append(s.text, `,"messages":`...))
	return string(append(s.text, '}'))
}

// begin begins a report. The first one takes the extras.
func (s *slicer) begin() {
	s.text = append(s.text[:0], '{')
	for _, member := range []string{s.extras, s.total} {
		if member != "" {
			s.text = append(append(s.text, member...), ',')
		}
	}
	s.extras = ""
}
