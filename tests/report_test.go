package tests

import (
	"encoding/json"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestRandomReports decodes delivery reports of Mobiniti in which many messages and statuses
// have the same numbers. In each report stands a text of the greatest length with which the
// report is still sliced.
func TestRandomReports(t *testing.T) {
	mobiniti, _ := vendors.Get("mobiniti")
	random := rand.New(rand.NewPCG(1, 2))
	atBound := 0
	for range 100 {
		r := &randomReport{Rand: random, sound: random.IntN(2) == 0}
		report := r.report()
		deliver := func(length int) *delivery.Delivery {
			r.long = strings.Repeat("x", length)
			body, err := json.Marshal(report)
			require.NoError(t, err)
			return &delivery.Delivery{Vendor: "mobiniti", Event: "delivery_report", Body: body}
		}
		const most = 1 << 14
		tooLong := sort.Search(most, func(length int) bool {
			events, err := decode(mobiniti, deliver(length))
			require.NoError(t, err)
			return len(events) == 1 && events[0].Type == "mobiniti.delivery_report"
		})
		if 0 < tooLong && tooLong < most {
			atBound++
		}
		requireEvents(t, mobiniti, deliver(max(tooLong-1, 0)))
	}
	require.Greater(t, atBound, 25, "of 100 reports")
}

// randomReport makes reports of few numbers, in several spellings, under few codes.
type randomReport struct {
	*rand.Rand
	sound bool   // whether all messages and statuses can be joined
	long  string // a text that stands somewhere in the report
}

func (r *randomReport) report() any {
	report := map[string]any{"total_messages": 7, "statuses": r.some(40, r.status), "messages": r.some(30, r.message), "batch_id": "b-7"}
	report[r.oneOf("total_messages", "batch_id").(string)] = &r.long
	return report
}

func (r *randomReport) status() any {
	status := map[string]any{
		"code":       r.oneOf("100", 100, "200", "300", nil, "", []any{}, map[string]any{"a": 1}, strconv.Itoa(r.IntN(40)), strconv.Itoa(r.IntN(40))),
		"status":     "Not delivered.",
		"recipients": r.some(6, r.number),
		"success":    r.oneOf(true, false, "true", "x", nil),
		"bounce":     r.oneOf(true, false, "false", 7, nil),
	}
	if r.odd() {
		status[r.oneOf("code", "status", "total_messages").(string)] = &r.long
	}
	for _, name := range []string{"code", "success", "bounce"} {
		if r.odd() {
			delete(status, name)
		}
	}
	return r.mostly(status)
}

func (r *randomReport) message() any {
	return r.mostly(map[string]any{"id": r.oneOf(1, "m-2", nil), "phone_number": r.number(), "message": "Sale ends today"})
}

func (r *randomReport) number() any {
	if r.odd() {
		return r.oneOf("", nil, []any{}, true)
	}
	return r.oneOf("2125550143", "12125550143", 12125550143, "(212) 555-0143", "+12125550144", "1235550145", "11235550145", "64600", "nobody")
}

// mostly returns v, and at times another value instead.
func (r *randomReport) mostly(v any) any {
	if r.odd() {
		return r.oneOf(nil, "", "x", 7, []any{}, map[string]any{}, []any{map[string]any{"phone_number": 7}})
	}
	return v
}

func (r *randomReport) odd() bool { return !r.sound && r.IntN(12) == 0 }

func (r *randomReport) oneOf(values ...any) any { return values[r.IntN(len(values))] }

func (r *randomReport) some(most int, element func() any) any {
	elements := make([]any, 1+r.IntN(most))
	for i := range elements {
		elements[i] = element()
	}
	return elements
}

// A report of too many events is refused before an event is made.
func TestReportOfTooManyEvents(t *testing.T) {
	mobiniti, _ := vendors.Get("mobiniti")
	for name, body := range map[string]string{
		"messages":          `{"statuses":[],"messages":[{"id":1},{"id":2},{"id":3}]}`,
		"numbers":           `{"statuses":[{"code":"100","recipients":["2125550143","2125550144","2125550145"]}],"messages":[]}`,
		"codes":             `{"statuses":[{"code":"1","recipients":["2125550143"]},{"code":"2","recipients":["2125550143"]},{"code":"3","recipients":["2125550143"]}],"messages":[]}`,
		"what is left":      `{"statuses":[7],"messages":[{"id":1},{"id":2}]}`,
		"of either":         `{"statuses":[{"code":"100","recipients":["2125550143"]}],"messages":[{"id":1},{"id":2}]}`,
		"too much to slice": `{"total_messages":"` + strings.Repeat("x", 1<<14) + `","statuses":[],"messages":[{"id":1}` + strings.Repeat(`,{"id":2}`, 50) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			d := &delivery.Delivery{Vendor: "mobiniti", Event: "delivery_report", Body: []byte(body)}
			document, err := mobiniti.Payload(d)
			require.NoError(t, err)
			err = mobiniti.Decode(d, document, 2, func(e event.Event) error {
				require.Fail(t, "an event was made", "%s", e.Data.Raw)
				return nil
			})
			require.ErrorContains(t, err, "expected at most 2 events")
		})
	}
}
