package memory_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins"
)

// TestDecodingTakes holds what is allocated to decode a body, events and all garbage
// included, to a multiple of the body, and what is kept afterwards to next to nothing.
func TestDecodingTakes(t *testing.T) {
	const (
		most = 50 // times the body
		kept = 4 << 20
	)
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.AddProcessorYAML("label: decode\nwebhook_decode: {}"))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	defer func() { require.NoError(t, stop(context.WithoutCancel(t.Context()))) }()
	for _, s := range shapes(t) {
		t.Run(s.name, func(t *testing.T) {
			vendor, event, _ := strings.Cut(strings.TrimPrefix(s.path, "/"), "/")
			decode := func() {
				msg := service.NewMessage([]byte(s.body))
				msg.MetaSetMut("webhook_vendor", vendor)
				msg.MetaSetMut("webhook_event", event)
				msg.MetaSetMut("webhook_content_type", s.contentType)
				require.NoError(t, resources.AccessProcessor(t.Context(), "decode", func(p *service.ResourceProcessor) {
					_, err := p.Process(t.Context(), msg)
					require.NoError(t, err)
				}))
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			decode()
			runtime.ReadMemStats(&after)
			times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(s.body))
			t.Logf("decoding allocates %.1f times the body", times)
			require.Less(t, times, float64(most))
			runtime.GC() // once: what pools keep is there until the second collection
			runtime.ReadMemStats(&after)
			require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(kept))
		})
	}
}
