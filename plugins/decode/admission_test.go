package decode_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/decode"
)

// Large bodies wait for each other, small ones for none, and a body that waits while the
// process stops is neither decoded nor a dead letter.
func TestLargeBodiesWait(t *testing.T) {
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.AddProcessorYAML("label: decode\ncallrail_decode: { event: post_call }"))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	defer func() { require.NoError(t, stop(context.WithoutCancel(t.Context()))) }()
	process := func(ctx context.Context, msg *service.Message) (out service.MessageBatch, err error) {
		require.NoError(t, resources.AccessProcessor(t.Context(), "decode", func(p *service.ResourceProcessor) {
			out, err = p.Process(ctx, msg)
		}))
		return out, err
	}
	body := func(size int) string {
		const begin, end = `{"resource_id":"`, `"}`
		return begin + strings.Repeat("x", size-len(begin)-len(end)) + end
	}

	require.NoError(t, decode.Admission.Acquire(t.Context(), decode.LargeBodies)) // as the decoding of another does
	out, err := process(t.Context(), message(body(decode.SmallBody)))
	require.NoError(t, err)
	require.NoError(t, out[0].GetError(), "a small body waits for none")
	stopping, stopNow := context.WithCancel(t.Context())
	stopNow()
	large := message(body(decode.SmallBody + 1))
	out, err = process(stopping, large)
	require.NoError(t, err)
	require.ErrorIs(t, out[0].GetError(), context.Canceled)
	require.Empty(t, metadata(t, out[0]), "it is no dead letter: the engine settles nothing once its context has ended")
	decode.Admission.Release(decode.LargeBodies)

	for _, text := range []string{body(decode.SmallBody + 1), body(decode.LargeBodies), body(2 * decode.LargeBodies), strings.Repeat("x", decode.LargeBodies)} {
		_, err := process(t.Context(), message(text))
		require.NoError(t, err)
		require.True(t, decode.Admission.TryAcquire(decode.LargeBodies), "what was taken is given back")
		decode.Admission.Release(decode.LargeBodies)
	}
}
