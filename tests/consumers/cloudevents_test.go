package consumers_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// sdks are the programs that read events with an SDK of CloudEvents that is not of Go.
var sdks = map[string]func(t *testing.T, mode string) *exec.Cmd{
	"python": func(t *testing.T, mode string) *exec.Cmd {
		t.Helper()
		return exec.CommandContext(t.Context(), services.Python(t, "cloudevents==2.2.0"), filepath.Join("testdata", "cloudevents_reader.py"), mode)
	},
	"javascript": func(t *testing.T, mode string) *exec.Cmd {
		t.Helper()
		modules := services.Node(t, "cloudevents@10.0.0")
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "cloudevents_reader.js"), mode)
		cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
		return cmd
	},
}

// TestHTTP posts the events of http.yaml to servers that read them with an SDK.
func TestHTTP(t *testing.T) {
	samples := services.Samples(t)
	forward := func(t *testing.T, url string) {
		t.Helper()
		h := services.Start(t, "http.yaml", "HOOKSWITCH_HTTP_URL="+url)
		h.Deliver(t, samples...)
		h.Drained(t)
	}

	t.Run("go", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		var read []string
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			text := written(cehttp.NewEventFromHTTPRequest(req))
			mu.Lock()
			defer mu.Unlock()
			read = append(read, text)
		}))
		t.Cleanup(s.Close)
		forward(t, s.URL)
		mu.Lock()
		defer mu.Unlock()
		requireRead(t, samples, read)
	})

	for name, sdk := range sdks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := sdk(t, "http")
			cmd.Stderr = os.Stderr
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewReader(stdout)
			url, err := lines.ReadString('\n')
			require.NoError(t, err)

			read := make(chan []string)
			go func() {
				var all []string
				for line, err := lines.ReadString('\n'); err == nil; line, err = lines.ReadString('\n') {
					all = append(all, line)
				}
				read <- all
			}()
			forward(t, strings.TrimSpace(url))
			require.NoError(t, stdin.Close())
			all := <-read
			require.NoError(t, cmd.Wait())
			requireRead(t, samples, all)
		})
	}
}

// record is a record of Kafka as the SDKs take it.
type record struct {
	Headers map[string]string `json:"headers"`
	Key     string            `json:"key"`
	Value   string            `json:"value"`
}

// TestKafka reads the records of kafka.yaml.
func TestKafka(t *testing.T) {
	k := services.StartKafka(t)
	samples := services.Samples(t)
	topic := k.Topic(t, 3)
	h := services.Start(t, "kafka.yaml",
		"HOOKSWITCH_KAFKA_BROKERS="+k.Brokers,
		"HOOKSWITCH_KAFKA_TOPIC="+topic,
		"HOOKSWITCH_KAFKA_DEAD_LETTER_TOPIC="+k.Topic(t, 1))
	h.Deliver(t, samples...)
	h.Drained(t)
	var records []record
	for _, r := range k.Records(t, topic) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		require.Equal(t, map[string]string{"content-type": "application/cloudevents+json"}, headers)
		records = append(records, record{headers, string(r.Key), string(r.Value)})
	}

	t.Run("go", func(t *testing.T) {
		var read []string
		for _, r := range records {
			headers := map[string][]byte{}
			for name, value := range r.Headers {
				headers[name] = []byte(value)
			}
			message := kafka_sarama.NewMessage([]byte(r.Value), r.Headers["content-type"], headers)
			read = append(read, written(binding.ToEvent(t.Context(), message)))
		}
		requireRead(t, samples, read)
	})

	for name, sdk := range sdks {
		t.Run(name, func(t *testing.T) {
			cmd := sdk(t, "kafka")
			var input strings.Builder
			enc := json.NewEncoder(&input)
			for _, r := range records {
				require.NoError(t, enc.Encode(r))
			}
			cmd.Stdin, cmd.Stderr = strings.NewReader(input.String()), os.Stderr
			out, err := cmd.Output()
			require.NoError(t, err)
			requireRead(t, samples, strings.Split(strings.TrimSpace(string(out)), "\n"))
		})
	}
}

// written returns what the SDK of Go has read, or {"error"}, as the other programs do.
func written(e *event.Event, err error) string {
	if err == nil {
		err = e.Validate()
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(e)
	}
	if err != nil {
		text, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return string(text)
}
