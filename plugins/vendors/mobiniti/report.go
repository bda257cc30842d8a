package mobiniti

import (
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

func deliveryReport(in *vendors.Input, emit func(vendors.Draft)) {
	s := newSlicer(in.Payload)
	events := s.events()
	if len(s.messages)+len(s.orphans) == 0 || s.size() > 8*len(in.Payload.Text())+2<<10*events {
		emit(other(in))
		return
	}
	first := true
	emitSlice := func(draft vendors.Draft, statuses, messages string) {
		if events > 1 { // else it is the report itself
			draft.Raw = s.report(first, statuses, messages)
		}
		first = false
		emit(draft)
	}
	for _, m := range s.messages {
		emitSlice(convertMessage(in, &m), m.listings.text(), "["+m.value.Text()+"]")
	}
	for _, o := range s.orphans {
		emitSlice(convertOrphan(in, o), o.text(), "[]")
	}
	if s.left() {
		emitSlice(other(in), s.leftStatuses.text(), s.leftMessages.text())
	}
}

func convertMessage(in *vendors.Input, listed *listedMessage) vendors.Draft {
	m, r := listed.message, in.Read()
	v := listed.listings.verdict(r)
	id := r.Text("message.id", m.ID)
	phone := r.Phone("contact.phone", m.PhoneNumber)
	return vendors.Draft{
		Type:    v.eventType,
		ID:      vendors.Natural(m.ID, m.PhoneNumber, v.code),
		Subject: vendors.Subject("message", id),
		Person:  phone,
		Read:    r,
		Data: event.Data{
			Channel:   event.SMS,
			Direction: event.Outbound,
			Contact:   &event.Contact{Phone: phone},
			Message: &event.Message{
				ID:               id,
				From:             r.PhoneOrShortCode("message.from", m.From),
				To:               r.PhoneOrShortCode("message.to", m.PhoneNumber),
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
	phone := r.Phone("contact.phone", o.recipient())
	return vendors.Draft{
		Type:   v.eventType,
		ID:     vendors.Content(),
		Person: phone,
		Read:   r,
		Data: event.Data{
			Channel:   event.SMS,
			Direction: event.Outbound,
			Contact:   &event.Contact{Phone: phone},
			Message: &event.Message{
				To:               r.PhoneOrShortCode("message.to", o.recipient()),
				StatusCode:       r.Text("message.status_code", v.status.Code),
				StatusText:       r.Text("message.status_text", v.status.Status),
				StatusCandidates: v.candidates,
			},
		},
	}
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
	var codes []string
	several := false
	for _, listing := range l.all {
		s := listing.status
		eventType := outcome(r, s)
		if len(codes) == 0 {
			v = verdict{eventType: eventType, status: s.status, code: s.Code}
		} else if s.code != codes[0] || eventType != v.eventType {
			several = true
		}
		codes = append(codes, s.code)
	}
	if !several {
		return v
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
	extras       string // the members that no slice needs: they ride in the first
	total        string // the member total_messages
	messages     []listedMessage
	orphans      []*listings
	leftStatuses left
	leftMessages left
}

// left is what cannot be joined of an array, or what stands in its place.
type left struct {
	instead  string
	elements []string
}

type listedMessage struct {
	message
	value    payload.Value
	listings *listings // nil if no status lists the number
}

// listings is what a report says of one number: every status that lists it.
type listings struct {
	all     []*listing
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
	before, behind string // the status's text around its recipients
}

func newSlicer(p payload.Value) *slicer {
	r := payload.Bind[report](p)
	s := &slicer{}
	s.extras = members(p.Rewrite(func(_ string, member payload.Value) string {
		if member == r.Statuses || member == r.Messages || member == r.TotalMessages {
			return ""
		}
		return member.Text()
	}))
	if r.TotalMessages.Kind() != payload.Missing {
		s.total = `"total_messages":` + r.TotalMessages.Text()
	}

	numbers := map[string]*listings{}
	var order []*listings
	for element := range s.leftStatuses.elementsOf(r.Statuses) {
		listed, recipients := listedStatusOf(element)
		if recipients.Kind() != payload.Array || recipients.Absent() {
			s.leftStatuses.add(element.Text())
			continue
		}
		bad := &listing{status: listed}
		of := map[string]*listing{}
		for recipient := range recipients.Elements() {
			number := numberOf(recipient)
			if number == "" {
				bad.recipients = append(bad.recipients, recipient)
				continue
			}
			if of[number] == nil {
				of[number] = &listing{status: listed}
				if numbers[number] == nil {
					numbers[number] = &listings{}
					order = append(order, numbers[number])
				}
				numbers[number].all = append(numbers[number].all, of[number])
			}
			of[number].recipients = append(of[number].recipients, recipient)
		}
		if len(bad.recipients) > 0 {
			s.leftStatuses.add(string(bad.append(nil)))
		}
	}
	for element := range s.leftMessages.elementsOf(r.Messages) {
		if element.Kind() != payload.Object {
			s.leftMessages.add(element.Text())
			continue
		}
		m := payload.Bind[message](element)
		of := numbers[numberOf(m.PhoneNumber)]
		if of != nil {
			of.matched = true
		}
		s.messages = append(s.messages, listedMessage{m, element, of})
	}
	for _, of := range order {
		if !of.matched {
			s.orphans = append(s.orphans, of.byCode()...)
		}
	}
	return s
}

func listedStatusOf(element payload.Value) (listed *listedStatus, recipients payload.Value) {
	s := payload.Bind[status](element)
	code, ok := s.Code.Scalar()
	if !ok {
		code = s.Code.Text()
	}
	const mark = "\x00" // which no JSON holds
	text := element.Rewrite(func(_ string, member payload.Value) string {
		if member == s.Recipients {
			return mark
		}
		return member.Text()
	})
	before, behind, _ := strings.Cut(text, mark)
	return &listedStatus{s, code, before, behind}, s.Recipients
}

// numberOf returns what joins a message to its statuses: a report writes one
// number with and without its country code.
func numberOf(v payload.Value) string {
	if v.Kind() != payload.String && v.Kind() != payload.Number {
		return ""
	}
	if phone, ok := phoneOf(v); ok {
		return phone
	}
	text, _ := v.Scalar()
	return text
}

// byCode returns the listings of each code, in the order of the report.
func (l *listings) byCode() []*listings {
	if len(l.all) == 1 {
		return []*listings{l}
	}
	var order []*listings
	codes := map[string]*listings{}
	for _, listing := range l.all {
		code := listing.status.code
		if codes[code] == nil {
			codes[code] = &listings{}
			order = append(order, codes[code])
		}
		codes[code].all = append(codes[code].all, listing)
	}
	return order
}

func (l *listings) recipient() payload.Value { return l.all[0].recipients[0] }

func (l *listings) text() string {
	b := []byte{'['}
	if l != nil {
		for i, listing := range l.all {
			if i > 0 {
				b = append(b, ',')
			}
			b = listing.append(b)
		}
	}
	return string(append(b, ']'))
}

func (l *listings) size() (n int) {
	if l == nil {
		return 0
	}
	for _, listing := range l.all {
		n += len(listing.status.before) + len(listing.status.behind) + 3
		for _, recipient := range listing.recipients {
			n += len(recipient.Text()) + 1
		}
	}
	return n
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
// left over, but for null.
func (l *left) elementsOf(v payload.Value) iter.Seq[payload.Value] {
	if kind := v.Kind(); kind != payload.Array && kind != payload.Missing && kind != payload.Null {
		l.instead = v.Text()
	}
	return v.Elements()
}

func (l *left) add(text string) { l.elements = append(l.elements, text) }

func (l *left) any() bool { return l.instead != "" || len(l.elements) > 0 }

func (l *left) text() string {
	if l.instead != "" {
		return l.instead
	}
	return "[" + strings.Join(l.elements, ",") + "]"
}

func (s *slicer) left() bool { return s.leftStatuses.any() || s.leftMessages.any() }

func (s *slicer) events() int {
	n := len(s.messages) + len(s.orphans)
	if s.left() {
		n++
	}
	return n
}

// size is how many bytes the slices of messages and orphans have, at most. That
// of a number is reckoned once, whatever the number of its messages.
func (s *slicer) size() int {
	n := len(s.extras)
	frame := len(`{,"statuses":[],"messages":[]}`) + len(s.total)
	sizes := map[*listings]int{}
	for _, m := range s.messages {
		size, ok := sizes[m.listings]
		if !ok {
			size = m.listings.size()
			sizes[m.listings] = size
		}
		n += frame + size + len(m.value.Text())
	}
	for _, o := range s.orphans {
		n += frame + o.size()
	}
	return n
}

func (s *slicer) report(first bool, statuses, messages string) string {
	parts := []string{s.total, `"statuses":` + statuses, `"messages":` + messages}
	if first {
		parts = slices.Insert(parts, 0, s.extras)
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return "{" + strings.Join(parts, ",") + "}"
}

// members returns the text of an object without its braces.
func members(object string) string { return object[1 : len(object)-1] }
