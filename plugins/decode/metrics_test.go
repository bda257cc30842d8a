package decode_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// recorder is a metrics exporter that keeps our counters.
type recorder struct {
	mu     sync.Mutex
	counts map[string]int64 // by the name and the values of our labels
}

var recorded = &recorder{counts: map[string]int64{}}

func init() {
	err := service.RegisterMetricsExporter("recorded", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) {
		return recorded, nil
	})
	if err != nil {
		panic(err)
	}
}

func (r *recorder) NewCounterCtor(name string, keys ...string) service.MetricsExporterCounterCtor {
	return func(values ...string) service.MetricsExporterCounter {
		words := []string{name}
		for i, key := range keys {
			if key != "label" && key != "path" { // the engine's own
				words = append(words, key+"="+values[i])
			}
		}
		return &count{r, strings.Join(words, " ")}
	}
}

func (r *recorder) NewTimerCtor(string, ...string) service.MetricsExporterTimerCtor {
	return func(...string) service.MetricsExporterTimer { return ignored{} }
}

func (r *recorder) NewGaugeCtor(string, ...string) service.MetricsExporterGaugeCtor {
	return func(...string) service.MetricsExporterGauge { return ignored{} }
}

func (r *recorder) Close(context.Context) error { return nil }

type count struct {
	of   *recorder
	name string
}

func (c *count) Incr(n int64) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.counts[c.name] += n
}

type ignored struct{}

func (ignored) Timing(int64) {}
func (ignored) Set(int64)    {}

// TestCounts expects what a processor has decoded, and what it could not, in the
// engine's metrics once it is closed.
func TestCounts(t *testing.T) {
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	require.NoError(t, builder.AddProcessorYAML("label: decode\nwebhook_decode: { max_event_bytes: 100_000 }"))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for _, m := range []struct{ vendor, event, body string }{
				{"callrail", "post_call", `{"resource_id":"CAL1","duration":"long","start_time":"x"}`},
				{"callrail", "post_call", `{"resource_id":"CAL1","start_time":[]}`},
				{"callrail", "tell/../me", `{"resource_id":"CAL1"}`},
				{"mobiniti", "delivery_report", `{"statuses":[7],"messages":[{"id":1},{"id":2,"phone_number":true}]}`},
				{"callrail", "post_call", `no JSON`},
				{"callrail", "post_call", `{"resource_id":"` + strings.Repeat("x", 100_000) + `"}`},
				{"nobody/../x", "post_call", `{}`},
			} {
				msg := message(m.body, "webhook_vendor", m.vendor, "webhook_event", m.event)
				_ = resources.AccessProcessor(t.Context(), "decode", func(p *service.ResourceProcessor) {
					_, _ = p.Process(t.Context(), msg)
				})
			}
		})
	}
	senders.Wait()
	require.NoError(t, stop(context.WithoutCancel(t.Context())))

	recorded.mu.Lock()
	defer recorded.mu.Unlock()
	ours := map[string]int64{}
	for name, n := range recorded.counts {
		if strings.HasPrefix(name, "webhook_") {
			ours[name] = n
		}
	}
	require.Equal(t, map[string]int64{
		"webhook_events vendor=callrail schema=call.completed":         8,
		"webhook_events vendor=callrail schema=vendor":                 4,
		"webhook_events vendor=mobiniti schema=message.status_unknown": 8,
		"webhook_events vendor=mobiniti schema=vendor":                 4,
		"webhook_issues vendor=callrail reason=not_a_number":           4,
		"webhook_issues vendor=callrail reason=not_a_time":             4,
		"webhook_issues vendor=callrail reason=unknown_event":          4,
		"webhook_issues vendor=mobiniti reason=not_a_phone":            4,
		"webhook_undecodable vendor=callrail reason=malformed":         4,
		"webhook_undecodable vendor=callrail reason=event_too_large":   4,
		"webhook_undecodable vendor=unknown reason=misconfigured":      4,
	}, ours)
}
