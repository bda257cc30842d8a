package tests

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/promises"
)

// growths are the texts that grow in the place of a value. A text is of the bytes that are
// wanted, or a little longer. Own are the elements or members of the value, or the value
// itself if it has none.
var growths = []struct {
	name string
	text func(own []string, bytes int) string
}{
	{"characters", func(_ []string, bytes int) string { return `"` + strings.Repeat("x", bytes) + `"` }},
	{"escapes", func(_ []string, bytes int) string { return `"` + strings.Repeat(`\"`, bytes/2) + `"` }},
	{"lone surrogates", func(_ []string, bytes int) string { return `"` + strings.Repeat(`\ud83d`, bytes/6) + `"` }},
	{"digits", func(_ []string, bytes int) string { return strings.Repeat("1", bytes) }},
	{"zeros", func(_ []string, bytes int) string { return "[" + strings.Repeat("0,", bytes/2) + "0]" }},
	{"nested arrays", func(_ []string, bytes int) string {
		deep := strings.Repeat("[", 80) + strings.Repeat("]", 80)
		return "[" + strings.Repeat(deep+",", bytes/160) + deep + "]"
	}},
	{"equal elements", func(own []string, bytes int) string {
		return "[" + fill(bytes, func(i int) string { return own[i%len(own)] }) + "]"
	}},
	{"elements", func(own []string, bytes int) string {
		return "[" + fill(bytes, func(i int) string { return numbered(own[i%len(own)], i) }) + "]"
	}},
	{"members", func(own []string, bytes int) string {
		return "{" + fill(bytes, func(i int) string { return fmt.Sprintf(`"n%d":`, i) + numbered(own[i%len(own)], i) }) + "}"
	}},
	{"members of one name", func(own []string, bytes int) string {
		return "{" + fill(bytes, func(i int) string { return `"":` + own[i%len(own)] }) + "}"
	}},
	{"escaped names", func(_ []string, bytes int) string {
		return "{" + fill(bytes, func(i int) string { return fmt.Sprintf(`"\u006e%d":0`, i) }) + "}"
	}},
}

// fill joins texts until they have the bytes.
func fill(bytes int, text func(i int) string) string {
	var b strings.Builder
	for i := 0; b.Len() < bytes; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text(i))
	}
	return b.String()
}

// numbered writes a number over the last digits of each long row of digits, so that the
// phone numbers and ids in each element are different ones.
func numbered(text string, i int) string {
	b := []byte(text)
	for end, begin := 0, 0; end <= len(b); end++ {
		if end < len(b) && '0' <= b[end] && b[end] <= '9' {
			continue
		}
		if end-begin >= 7 {
			copy(b[end-5:end], fmt.Sprintf("%05d", i%1e5))
		}
		begin = end + 1
	}
	return string(b)
}

// grown is a body of which one part can have any number of bytes.
type grown struct {
	name        string
	vendor      *vendors.Vendor
	event       string
	contentType string
	body        func(bytes int) string
}

// allGrown lets every value of every sample grow, an object by more members, too, and forms
// by more parts. It takes each place of a native event's payload once.
func allGrown(t testing.TB) (all []grown) {
	t.Helper()
	taken := map[string]bool{}
	for _, s := range allSamples(t) {
		if s.packed() || len(s.delivery.Body) > 32<<10 {
			continue
		}
		events, err := decode(s.vendor, &s.delivery)
		if err != nil {
			continue
		}
		document, err := s.vendor.Payload(&s.delivery)
		require.NoError(t, err)
		text := document.Text()
		for _, path := range append(paths(nil, parse(t, []byte(text)).Data()), nil) {
			place := s.vendor.Name + "/" + events[0].VendorEvent + ": " + pattern(path)
			if len(path) > 10 || taken[place] {
				continue
			}
			taken[place] = true
			g := grown{vendor: s.vendor, event: s.delivery.Event}
			if document.Kind() == payload.Array && len(path) < 2 {
				if len(path) == 0 {
					g.name = place + " has more elements"
					own := ownOf(t, text)
					g.body = func(bytes int) string {
						return "[" + fill(bytes, func(i int) string { return numbered(own[i%len(own)], i) }) + "]"
					}
					all = append(all, g)
				}
				continue // an element that is no object is refused
			}
			if len(path) == 0 {
				g.name = place + " has more members"
				g.body = func(bytes int) string {
					return strings.TrimSuffix(text, "}") + "," + fill(bytes, func(i int) string { return fmt.Sprintf(`"n%d":%d`, i, i) }) + "}"
				}
				all = append(all, g)
				continue
			}
			before, value, behind := around(t, text, path)
			own := ownOf(t, value)
			for _, growth := range growths {
				g.name = place + " is " + growth.name
				g.body = func(bytes int) string { return before + growth.text(own, bytes) + behind }
				all = append(all, g)
			}
		}
	}
	for _, v := range vendors.All() {
		for _, native := range v.Events[:1] { // forms become JSON before anything looks at the native event
			for part, text := range map[string]func(i int) string{
				"values": func(int) string { return "value=1" },
				"names":  func(i int) string { return "n" + strconv.Itoa(i) + "=%22" },
				"nested": func(i int) string { return "n[a][b][" + strconv.Itoa(i) + "]=1" },
			} {
				all = append(all, grown{v.Name + "/" + native.Name + ": a form has more " + part, v, native.Name, "application/x-www-form-urlencoded", func(bytes int) string {
					return strings.ReplaceAll(fill(bytes, text), ",", "&")
				}})
			}
		}
	}
	return all
}

// pattern is a path with [] for the places in arrays.
func pattern(path []string) string {
	var b strings.Builder
	for _, name := range path {
		if _, err := strconv.Atoi(name); err == nil {
			name = "[]"
		}
		b.WriteString("." + name)
	}
	return b.String()
}

// around splits a JSON text at the value with the path.
func around(t testing.TB, text string, path []string) (before, value, behind string) {
	t.Helper()
	c := parse(t, []byte(text))
	value = c.Search(path...).String()
	_, err := c.Set("<here>", path...)
	require.NoError(t, err)
	before, behind, found := strings.Cut(c.String(), `"\u003chere\u003e"`)
	require.True(t, found, "%v", path)
	return before, value, behind
}

// ownOf returns the texts of the elements or members of a value, or the value.
func ownOf(t testing.TB, value string) (own []string) {
	t.Helper()
	v := parse(t, []byte(value))
	for _, child := range v.Children() {
		own = append(own, child.String())
	}
	if own == nil {
		own = []string{value}
	}
	slices.Sort(own) // the members of an object have no order
	return own
}

// work is what a decoding takes and gives.
type work struct {
	events    int // how many
	given     int // bytes of their JSON
	allocated int // bytes
}

// decode decodes the body, and writes the events as the engine's processor does. It returns
// an error if the delivery cannot become events.
func (g *grown) decode(body []byte) (w work, err error) {
	d := &delivery.Delivery{Vendor: g.vendor.Name, Event: g.event, ContentType: g.contentType, Body: body}
	document, err := g.vendor.Payload(d)
	defer document.Release()
	if err != nil {
		return w, err
	}
	var text []byte
	err = g.vendor.Decode(d, document, promises.MaxEvents, func(e event.Event) error {
		text = e.AppendJSON(slices.Grow(text[:0], len(e.Data.Raw)+2<<10))
		w.events++
		w.given += len(text)
		return nil
	})
	return w, err
}

// measured returns the work of decoding the body.
func (g *grown) measured(body []byte) (work, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w, err := g.decode(body)
	runtime.ReadMemStats(&after)
	w.allocated = int(after.TotalAlloc - before.TotalAlloc)
	return w, err
}

// requireLinear expects the events to have together at most 16 times the bytes of the body
// and 4 KiB an event, and the decoding to allocate, garbage included, at most 40 times the
// bytes of the body and the events.
func (g *grown) requireLinear(t *testing.T, body []byte) work {
	t.Helper()
	w, err := g.measured(body)
	require.NoError(t, err, g.name)
	if w.given > 16*len(body)+4<<10*w.events || w.allocated > 40*(len(body)+w.given) {
		t.Errorf("%s: a body of %d bytes takes %+v", g.name, len(body), w)
	}
	return w
}

// TestGrowth lets each part of a body have more and more bytes, whatever the part is: the
// memory that the decoding takes, and the events, grow no faster than the body. The parts of
// each vendor that take the most memory for their bytes then get a mebibyte.
func TestGrowth(t *testing.T) {
	const nastiest = 8
	taken := map[*vendors.Vendor][]measuredGrowth{}
	for _, g := range allGrown(t) {
		var w work
		for _, bytes := range []int{200, 2_000, 20_000} {
			w = g.requireLinear(t, []byte(g.body(bytes)))
		}
		taken[g.vendor] = append(taken[g.vendor], measuredGrowth{g, w.allocated})
	}
	for v, all := range taken {
		slices.SortFunc(all, func(a, b measuredGrowth) int { return cmp.Compare(b.cost, a.cost) })
		for _, g := range all[:nastiest] {
			body := g.largest(t)
			w := g.requireLinear(t, body)
			t.Logf("%s: %d KiB allocate %.1f MiB, %d events: %s", v.Name, len(body)>>10, float64(w.allocated)/mebibyte, w.events, g.name)
		}
	}
}

// measuredGrowth is a part that grows, and what a decoding of the part costs.
type measuredGrowth struct {
	grown
	cost int
}

const mebibyte = 1 << 20

// largest returns a body of a mebibyte, or the largest body below that is not refused
// because it gives too many events or has too many parts.
func (g *grown) largest(t testing.TB) []byte {
	t.Helper()
	if body := []byte(g.body(mebibyte)); !g.refused(body) {
		return body
	}
	bytes := sort.Search(mebibyte>>10, func(n int) bool {
		return g.refused([]byte(g.body((n + 1) << 10)))
	}) << 10
	return []byte(g.body(bytes))
}

func (g *grown) refused(body []byte) bool {
	_, err := g.decode(body)
	return err != nil
}

// BenchmarkGrowth decodes bodies of each vendor in which one part has 200 bytes, 2 kB and
// 20 kB, every tenth part in turn, and then a mebibyte of the part that takes the most time for
// its bytes. The ns/byte of a vendor are to stay as they are, or to become less.
func BenchmarkGrowth(b *testing.B) {
	all := allGrown(b)
	for _, v := range vendors.All() {
		ofVendor := slices.DeleteFunc(slices.Clone(all), func(g grown) bool { return g.vendor != v })
		for _, bytes := range []int{200, 2_000, 20_000} {
			b.Run(fmt.Sprintf("%s/%d", v.Name, bytes), func(b *testing.B) {
				var some []grown
				var bodies [][]byte
				size := 0
				for i := 0; i < len(ofVendor); i += 10 {
					body := []byte(ofVendor[i].body(bytes))
					some, bodies = append(some, ofVendor[i]), append(bodies, body)
					size += len(body)
				}
				for b.Loop() {
					for i := range some {
						_, err := some[i].decode(bodies[i])
						require.NoError(b, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/byte")
			})
		}
		b.Run(v.Name+"/nastiest", func(b *testing.B) {
			g := nastiest(b, ofVendor)
			b.Log(g.name)
			body := g.largest(b)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				_, err := g.decode(body)
				require.NoError(b, err)
			}
		})
	}
}

// nastiest returns the part that takes the most time for its bytes.
func nastiest(b *testing.B, all []grown) grown {
	b.Helper()
	var worst measuredGrowth
	for _, g := range all {
		body := []byte(g.body(20_000))
		least := math.MaxInt
		for range 3 {
			begin := time.Now()
			_, err := g.decode(body)
			require.NoError(b, err)
			least = min(least, int(time.Since(begin)))
		}
		if least > worst.cost {
			worst = measuredGrowth{g, least}
		}
	}
	return worst.grown
}
