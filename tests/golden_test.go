package tests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/event"
	"github.com/hookswitch/hookswitch/plugins/payload"
	"github.com/hookswitch/hookswitch/plugins/vendors"
	"github.com/hookswitch/hookswitch/tests/promises"
)

// golden is the ending of the file, beside a sample, that has what the sample has to give.
const golden = ".golden"

var update = flag.Bool("update", false, "write the goldens")

// process runs a message through a processor of the engine.
func process(t testing.TB, yaml string, msg *service.Message) service.MessageBatch {
	t.Helper()
	var out service.MessageBatch
	useProcessor(t, yaml, func(p *service.ResourceProcessor) {
		var err error
		out, err = p.Process(t.Context(), msg)
		require.NoError(t, err)
	})
	return out
}

func useProcessor(t testing.TB, yaml string, use func(*service.ResourceProcessor)) {
	t.Helper()
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.AddProcessorYAML("label: processor\n"+yaml))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	defer func() { require.NoError(t, stop(context.WithoutCancel(t.Context()))) }()
	require.NoError(t, resources.AccessProcessor(t.Context(), "processor", use))
}

// TestGolden runs every sample through its vendor's processor, and through
// webhook_decode, and compares bytes and metadata with its golden.
func TestGolden(t *testing.T) {
	for _, s := range allSamples(t) {
		t.Run(s.name(), func(t *testing.T) {
			body := bytes.Clone(s.delivery.Body)
			input := func() *service.Message {
				msg := service.NewMessage(body)
				msg.MetaSetMut("webhook_vendor", s.vendor.Name)
				msg.MetaSetMut("webhook_event", s.delivery.Event)
				msg.MetaSetMut("webhook_content_type", s.delivery.ContentType)
				return msg
			}
			got := process(t, s.vendor.Name+"_decode: {}", input())
			require.Equal(t, s.delivery.Body, body, "the body was changed")
			text := render(t, got)
			require.Empty(t, cmp.Diff(text, render(t, process(t, "webhook_decode: {}", input()))))
			if s.packed() {
				text = summary(t, got, text)
			}
			if *update {
				require.NoError(t, os.WriteFile(s.path+golden, []byte(text), 0o644))
			}
			want, err := os.ReadFile(s.path + golden)
			require.NoError(t, err, "a sample has a golden: go test ./tests -run TestGolden -update writes it")
			require.Empty(t, cmp.Diff(string(want), text), "go test ./tests -run TestGolden -update writes goldens; read what changed")
		})
	}
}

// TestGoldensHaveSamples finds goldens without a sample.
func TestGoldensHaveSamples(t *testing.T) {
	goldens, err := filepath.Glob(filepath.Join("..", "plugins", "vendors", "*", "testdata", "*", "*"+golden))
	require.NoError(t, err)
	for _, path := range goldens {
		require.FileExists(t, strings.TrimSuffix(path, golden))
	}
}

// TestEveryNativeEventHasSample expects a sample for every native event of a vendor and for
// every type that the native event may give, and no other types.
func TestEveryNativeEventHasSample(t *testing.T) {
	for _, v := range vendors.All() {
		given := map[string]map[string]bool{}
		for _, s := range samplesOf(t, v) {
			events, _ := decode(v, &s.delivery)
			for _, e := range events {
				if given[e.VendorEvent] == nil {
					given[e.VendorEvent] = map[string]bool{}
				}
				given[e.VendorEvent][e.Type] = true
			}
		}
		for _, native := range v.Events {
			for _, eventType := range native.Types {
				require.True(t, given[native.Name][eventType], "%s: expected a sample of %s that gives %s", v.Name, native.Name, eventType)
			}
			for eventType := range given[native.Name] {
				if eventType != v.Name+".unrecognized" {
					require.Contains(t, native.Types, eventType, "%s: %s", v.Name, native.Name)
				}
			}
		}
	}
}

// TestEmitEndsDecoding lets every event of every sample be refused in turn: the decoding ends
// there, with the error.
func TestEmitEndsDecoding(t *testing.T) {
	errRefused := errors.New("refused")
	for _, s := range allSamples(t) {
		events, err := decode(s.vendor, &s.delivery)
		if err != nil || s.packed() {
			continue
		}
		for refused := range events {
			document, err := s.vendor.Payload(&s.delivery)
			require.NoError(t, err)
			emitted := 0
			err = s.vendor.Decode(&s.delivery, document, promises.MaxEvents, func(event.Event) error {
				if emitted++; emitted > refused {
					return errRefused
				}
				return nil
			})
			require.ErrorIs(t, err, errRefused, s.name())
			require.Equal(t, refused+1, emitted, s.name())
			document.Release()
		}
	}
}

// TestSampleEvents expects every event of every sample to keep the promises.
func TestSampleEvents(t *testing.T) {
	raws := map[string]string{} // by source and id
	for _, s := range allSamples(t) {
		t.Run(s.name(), func(t *testing.T) {
			events, err := decode(s.vendor, &s.delivery)
			if err != nil {
				return // the golden has the error
			}
			requireEvents(t, s.vendor, &s.delivery)
			for _, e := range events {
				requireCloudEvent(t, e)

				// The same members in another order are the same occurrence.
				reordered := *e
				raw, err := payload.Parse(string(e.Data.Raw))
				require.NoError(t, err)
				reordered.Data.Raw = event.Raw(reverse(raw))
				require.Equal(t, e.ID, again(t, s.vendor, &reordered).ID, "the id depends on the order of keys")

				// Two occurrences have two ids, two samples of one occurrence have one.
				if other, ok := raws[e.Source+e.ID]; ok {
					require.True(t, other == raw.Canonical(), "two events have the id %s", e.ID)
				}
				raws[e.Source+e.ID] = raw.Canonical()
			}
		})
	}
}

func requireCloudEvent(t testing.TB, e *event.Event) {
	t.Helper()
	var c cloudevents.Event
	require.NoError(t, json.Unmarshal(e.AppendJSON(nil), &c))
	require.NoError(t, c.Validate())
	require.Equal(t, e.ID, c.ID())
	require.Equal(t, e.Type, c.Type())
	require.Equal(t, e.Subject, c.Subject())
	require.Equal(t, e.DataSchema, c.DataSchema())
	require.Equal(t, e.PartitionKey, c.Extensions()["partitionkey"])
	require.Equal(t, e.Time == "", c.Time().IsZero())
}

// reverse returns the text of a value in which the members of every object stand in reverse
// order.
func reverse(v payload.Value) string {
	var parts []string
	switch v.Kind() {
	case payload.Object:
		for name, member := range v.Members() {
			parts = append(parts, string(payload.AppendString(nil, name))+":"+reverse(member))
		}
		slices.Reverse(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case payload.Array:
		for element := range v.Elements() {
			parts = append(parts, reverse(element))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return v.Text()
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// render writes the messages that a processor has returned: for each message its metadata,
// then the event, or the error if the message is flagged.
func render(t testing.TB, batch service.MessageBatch) string {
	t.Helper()
	var out bytes.Buffer
	for _, msg := range batch {
		metadata := map[string]any{}
		require.NoError(t, msg.MetaWalkMut(func(key string, value any) error {
			metadata[key] = value
			return nil
		}))
		if msg.GetError() != nil {
			metadata["(flagged)"] = msg.GetError().Error()
		}
		text, err := marshal(metadata)
		require.NoError(t, err)
		require.NoError(t, json.Indent(&out, text, "", "  "))
		out.WriteByte('\n')
		body, err := msg.AsBytes()
		require.NoError(t, err)
		if msg.GetError() == nil {
			var compact bytes.Buffer
			require.NoError(t, json.Compact(&compact, body))
			require.Equal(t, compact.String(), string(body), "an event has no whitespace")
			require.NoError(t, json.Indent(&out, body, "", "  "))
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// summary writes what stands in a golden that would be too long to read.
func summary(t testing.TB, batch service.MessageBatch, text string) string {
	t.Helper()
	counts := map[string]int{}
	for _, msg := range batch {
		eventType, _ := msg.MetaGet("event_type")
		counts[eventType]++
	}
	sum := sha256.Sum256([]byte(text))
	out, err := json.MarshalIndent(map[string]any{"events": len(batch), "types": counts, "sha256": hex.EncodeToString(sum[:])}, "", "  ")
	require.NoError(t, err)
	return string(out) + "\n" + render(t, batch[:1]) + render(t, batch[len(batch)-1:])
}
