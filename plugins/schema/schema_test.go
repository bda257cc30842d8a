package schema_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	common "github.com/redpanda-data/benthos/v4/public/schema"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins"
)

// processors returns a function that runs messages through the processors of a configuration,
// one after the other.
func processors(t testing.TB, yamls ...string) func(service.MessageBatch) service.MessageBatch {
	t.Helper()
	builder := service.NewResourceBuilder()
	for i, yaml := range yamls {
		require.NoError(t, builder.AddProcessorYAML("label: p"+string(rune('0'+i))+"\n"+yaml))
	}
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop(context.Background())) })
	return func(batch service.MessageBatch) service.MessageBatch {
		for i := range yamls {
			require.NoError(t, resources.AccessProcessor(t.Context(), "p"+string(rune('0'+i)), func(p *service.ResourceProcessor) {
				batches, err := p.ProcessBatch(t.Context(), batch)
				require.NoError(t, err)
				require.Len(t, batches, 1)
				batch = batches[0]
			}))
		}
		return batch
	}
}

// TestProcessor expects a schema that the engine takes, one value for all messages, that no
// reader can change.
func TestProcessor(t *testing.T) {
	batch := processors(t, "event_common_schema: {}")(service.MessageBatch{service.NewMessage(nil), service.NewMessage(nil)})
	value, ok := batch[0].MetaGetMut("event_common_schema")
	require.True(t, ok)
	c, err := common.ParseFromAny(value)
	require.NoError(t, err)
	require.Equal(t, common.Object, c.Type)
	require.Empty(t, cmp.Diff(c.ToAny(), value), "the metadata has the fingerprint by which encoders keep what they made from the schema")

	value.(map[string]any)["type"] = "STRING"
	value, ok = batch[1].MetaGetMut("event_common_schema")
	require.True(t, ok)
	require.Empty(t, cmp.Diff(c.ToAny(), value))
}
