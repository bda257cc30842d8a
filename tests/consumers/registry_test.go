package consumers_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// gate stands in front of a registry. It wants authentication, and may be closed.
type gate struct {
	registry http.Handler
	closed   atomic.Bool
}

func (g *gate) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if g.closed.Load() {
		panic(http.ErrAbortHandler) // as from a server that ends
	}
	if user, password, _ := req.BasicAuth(); user != "user" || password != "sesame" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.registry.ServeHTTP(w, req)
}

// TestRegistry has Confluent's client read the records of registry.yaml.
func TestRegistry(t *testing.T) {
	k := services.StartKafka(t)
	registry := services.Registry(t)
	python := services.Python(t, "confluent-kafka[avro,json]==2.16.1")
	at, err := url.Parse(registry)
	require.NoError(t, err)

	start := func(t *testing.T, g *gate, format, topic, deadLetters string) *services.Hookswitch {
		t.Helper()
		g.registry = httputil.NewSingleHostReverseProxy(at)
		s := httptest.NewServer(g)
		t.Cleanup(s.Close)
		return services.Start(t, "registry.yaml",
			"HOOKSWITCH_REGISTRY_URL="+s.URL, "HOOKSWITCH_REGISTRY_FORMAT="+format,
			"HOOKSWITCH_REGISTRY_AUTH=true", "HOOKSWITCH_REGISTRY_USER=user", "HOOKSWITCH_REGISTRY_PASSWORD=sesame",
			"HOOKSWITCH_KAFKA_BROKERS="+k.Brokers, "HOOKSWITCH_KAFKA_TOPIC="+topic, "HOOKSWITCH_KAFKA_DEAD_LETTER_TOPIC="+deadLetters)
	}
	values := func(t *testing.T, topic string) (all []string) {
		t.Helper()
		for _, r := range k.Records(t, topic) {
			all = append(all, string(r.Value))
		}
		return all
	}

	for _, format := range []string{"avro", "json_schema"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			samples := services.Samples(t)
			topic, deadLetters := k.Topic(t, 3), k.Topic(t, 1)
			h := start(t, &gate{}, format, topic, deadLetters)
			h.Deliver(t, samples...)
			h.Drained(t)
			services.RequireDeadLetters(t, samples, values(t, deadLetters))

			var stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "registry_reader.py"), k.Brokers, topic, registry, format)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, stderr.String())
			requireTable(t, samples, strings.Split(strings.TrimSpace(string(out)), "\n"))
		})
	}

	// The registry is away: events wait on disk, and what cannot be decoded is a dead letter
	// all the same.
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		var g gate
		g.closed.Store(true)
		topic, deadLetters := k.Topic(t, 1), k.Topic(t, 1)
		h := start(t, &g, "avro", topic, deadLetters)
		sample := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
		broken := sample
		broken.Body = []byte("no JSON")
		h.Deliver(t, sample)
		services.Eventually(t, func() bool { return h.Metric(t, "spool_redelivered") > 0 }, "the event is offered again")
		h.Deliver(t, broken)
		services.Eventually(t, func() bool { return len(values(t, deadLetters)) == 1 }, "the dead letter is written")
		services.Eventually(t, func() bool { return h.Metric(t, "spool_records") == 1 }, "the event alone waits")
		require.Empty(t, values(t, topic))
		require.Equal(t, "no JSON", string(services.DeadLetter(t, values(t, deadLetters)[0]).Body))

		g.closed.Store(false)
		h.Drained(t)
		require.Len(t, values(t, topic), 1)
		require.Len(t, values(t, deadLetters), 1)
	})
}
