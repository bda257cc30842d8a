// Package kafka_test runs the configs that write to Apache Kafka, against a real
// broker.
package kafka_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookswitch/hookswitch/tests/services"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "github.com/hookswitch/hookswitch/plugins"
)

func TestMain(m *testing.M) { os.Exit(services.Run(m)) }

// topics are those of one test.
type topics struct{ raw, events, deadLetters string }

func makeTopics(t *testing.T, k *services.Kafka) topics {
	t.Helper()
	return topics{k.Topic(t, 3), k.Topic(t, 3), k.Topic(t, 1)}
}

func start(t *testing.T, k *services.Kafka, config string, names topics, env ...string) *services.Hookswitch {
	t.Helper()
	return services.Start(t, config, append(env,
		"HOOKSWITCH_KAFKA_BROKERS="+k.Brokers,
		"HOOKSWITCH_KAFKA_RAW_TOPIC="+names.raw,
		"HOOKSWITCH_KAFKA_TOPIC="+names.events,
		"HOOKSWITCH_KAFKA_DEAD_LETTER_TOPIC="+names.deadLetters,
		"HOOKSWITCH_KAFKA_GROUP="+names.raw,
	)...)
}

// deliver posts samples, and waits until the broker has them.
func deliver(t *testing.T, h *services.Hookswitch, samples ...services.Sample) {
	t.Helper()
	h.Deliver(t, samples...)
	h.Drained(t)
}

func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

func values(records []*kgo.Record) (v []string) {
	for _, r := range records {
		v = append(v, string(r.Value))
	}
	return v
}

// requireEvents expects of the records that they are the events of the samples,
// with their keys and the one header, and one person's in one partition.
func requireEvents(t *testing.T, samples []services.Sample, records []*kgo.Record, events []string) {
	t.Helper()
	services.RequireEvents(t, samples, events)
	keys := map[string]string{}
	for _, s := range samples {
		for _, e := range s.Events {
			keys[e.ID] = e.Key
		}
	}
	partitions := map[string]int32{}
	used := map[int32]bool{}
	for _, r := range records {
		var e struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal(r.Value, &e))
		require.Equal(t, keys[e.ID], string(r.Key))
		require.Equal(t, map[string]string{"content-type": "application/cloudevents+json"}, headers(r))
		if p, ok := partitions[string(r.Key)]; ok {
			require.Equal(t, p, r.Partition)
		}
		partitions[string(r.Key)] = r.Partition
		used[r.Partition] = true
	}
	require.Len(t, used, 3, "all partitions are used")
}

func requireDeadLetters(t *testing.T, k *services.Kafka, samples []services.Sample, topic string) {
	t.Helper()
	records := k.Records(t, topic)
	services.RequireDeadLetters(t, samples, values(records))
	for _, r := range records {
		require.Empty(t, r.Headers)
		require.Empty(t, r.Key)
	}
}

func TestEvents(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	samples := services.Samples(t)
	deliver(t, start(t, k, "kafka.yaml", names), samples...)
	records := k.Records(t, names.events)
	requireEvents(t, samples, records, services.Unstamped(t, values(records)))
	requireDeadLetters(t, k, samples, names.deadLetters)
}

func TestReport(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	deliver(t, start(t, k, "kafka.yaml", names), services.SampleOf(t, "mobiniti/testdata/delivery_report/messages_10000.json.gz"))
	counts := map[string]int{}
	for _, r := range k.Records(t, names.events) {
		var e struct {
			Type string `json:"type"`
		}
		require.NoError(t, json.Unmarshal(r.Value, &e))
		counts[e.Type]++
	}
	require.Equal(t, map[string]int{"message.delivered": 9000, "message.failed": 900, "message.bounced": 100}, counts)
	require.Empty(t, k.Records(t, names.deadLetters))
}

const (
	maxBody       = 8 << 20  // limits.body of kafka.yaml
	maxEventBytes = 24 << 20 // max_event_bytes of the decoders
)

// largestBody returns a delivery of as many bytes as the door lets in.
func largestBody() []byte {
	const begin, end = `{"resource_id":"CAL1","custom":"`, `"}`
	return []byte(begin + strings.Repeat("x", maxBody-len(begin)-len(end)) + end)
}

// quotes returns a form whose event has that many bytes and a few more: each
// quotation mark of the text is four of them, escaped in the text and in raw.
func quotes(eventBytes int) []byte {
	return []byte("resource_id=MSG1&content=" + strings.Repeat(`"`, eventBytes/4))
}

// readmeTopics makes topics with what the pages give kafka-topics.sh, and
// returns their names.
func readmeTopics(t *testing.T, k *services.Kafka) (created []string) {
	t.Helper()
	readme, err := os.ReadFile("../../configs/README.md")
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^kafka-topics.sh --bootstrap-server \S+ --create --topic (\S+) --partitions (\d+) --config ([a-z.]+)=(\d+)$`).FindAllStringSubmatch(string(readme), -1)
	require.Len(t, commands, strings.Count(string(readme), "\nkafka-topics.sh "))
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers))
	require.NoError(t, err)
	defer client.Close()
	for _, c := range commands {
		partitions, err := strconv.ParseInt(c[2], 10, 32)
		require.NoError(t, err)
		resp, err := kadm.NewClient(client).CreateTopic(t.Context(), int32(partitions), 1, map[string]*string{c[3]: &c[4]}, c[1])
		require.NoError(t, err)
		require.NoError(t, resp.Err)
		created = append(created, c[1])
	}
	return created
}

// TestLargest posts the largest bodies that the door lets in, and the largest event
// there can be, to the topics that configs/README.md makes, and reads them back.
func TestLargest(t *testing.T) {
	t.Parallel()
	k := services.NewBroker(t)
	k.Start(t)
	names := readmeTopics(t, k)
	require.Len(t, names, 3)
	h := services.Start(t, "kafka.yaml", "HOOKSWITCH_KAFKA_BROKERS="+k.Brokers)
	post := func(event, contentType string, body []byte, want int) {
		t.Helper()
		status, err := h.Post("callrail", event, contentType, body)
		require.NoError(t, err)
		require.Equal(t, want, status)
		h.Drained(t)
	}
	const form = "application/x-www-form-urlencoded"

	body := largestBody()
	post("post_call", "application/json", body, http.StatusOK)
	records := k.Records(t, names[0])
	require.Len(t, records, 1)
	require.True(t, bytes.Contains(records[0].Value, body), "the body is in raw as it came")

	post("text_message_received", form, quotes(maxEventBytes-4_000), http.StatusOK)
	sizes := map[bool]int{}
	for _, r := range k.Records(t, names[0]) {
		sizes[len(r.Value) > maxEventBytes-4_000]++
	}
	require.Equal(t, map[bool]int{false: 1, true: 1}, sizes)
	require.Empty(t, k.Records(t, names[1]))

	// What is larger still, and what is no event, is a dead letter.
	undecodable := map[string][]byte{"event_too_large": quotes(maxEventBytes), "malformed": body[:maxBody-1]}
	for _, body := range undecodable {
		post("text_message_received", form, body, http.StatusOK)
	}
	letters := map[string][]byte{}
	for _, r := range k.Records(t, names[1]) {
		letter := services.DeadLetter(t, string(r.Value))
		letters[string(letter.Reason)] = letter.Body
	}
	require.Len(t, letters, len(undecodable))
	for reason, body := range undecodable {
		require.True(t, bytes.Equal(body, letters[reason]), reason)
	}

	// What the door does not let in is nowhere.
	post("post_call", "application/json", append(body, ' '), http.StatusRequestEntityTooLarge)
	require.Len(t, k.Records(t, names[0]), 2)
	require.Len(t, k.Records(t, names[1]), len(undecodable))
}

// TestWorker decodes behind Kafka: what comes out is what kafka.yaml gives. Both
// workers share the topic before there is a delivery: one that joins later takes
// partitions whose last offsets are not committed yet, and decodes them again.
func TestWorker(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	a := start(t, k, "worker.yaml", names)
	start(t, k, "worker.yaml", names)
	k.AwaitGroup(t, names.raw, 2)
	samples := services.Samples(t)
	deliver(t, start(t, k, "raw.yaml", names), samples...)

	type raw struct {
		headers map[string]string
		body    string
	}
	var want, got []raw
	events, letters := 0, 0
	for _, s := range samples {
		w := raw{map[string]string{"webhook_vendor": s.Vendor}, string(s.Body)}
		if s.Event != "" {
			w.headers["webhook_event"] = s.Event
		}
		if s.ContentType != "" {
			w.headers["webhook_content_type"] = s.ContentType
		}
		want = append(want, w)
		events += len(s.Events)
		if s.Reason != "" {
			letters++
		}
	}
	used := map[int32]bool{}
	for _, r := range k.Records(t, names.raw) {
		h := headers(r)
		require.Equal(t, h["webhook_vendor"]+"/", string(r.Key), "the vendor and its account")
		require.NotEmpty(t, h["webhook_delivery_id"])
		require.Contains(t, h["webhook_route"], "/"+h["webhook_vendor"])
		for _, stamp := range []string{"webhook_delivery_id", "webhook_received_at", "webhook_route"} {
			delete(h, stamp)
		}
		got = append(got, raw{h, string(r.Value)})
		used[r.Partition] = true
	}
	require.ElementsMatch(t, want, got)

	written := func() bool {
		return len(k.Records(t, names.events)) >= events && len(k.Records(t, names.deadLetters)) >= letters
	}
	services.Eventually(t, written, "all is decoded")
	records := k.Records(t, names.events)
	requireEvents(t, samples, records, services.Unstamped(t, values(records)))
	requireDeadLetters(t, k, samples, names.deadLetters)

	// What was committed is not decoded again, by whoever takes over.
	a.Stop()
	more := services.SampleOf(t, "callrail/testdata/post_call/answered.json")
	deliver(t, start(t, k, "raw.yaml", names), more)
	services.Eventually(t, func() bool { return len(k.Records(t, names.events)) >= events+1 }, "the last delivery is decoded")
	require.Len(t, k.Records(t, names.events), events+1)
}

// TestWorkerGivesTheSame decodes what raw.yaml has written by worker.yaml, and at once
// from the record's headers and value: the events are the same, byte for byte, with the
// account, the time and the id that the door has given each delivery.
func TestWorkerGivesTheSame(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	samples := services.Samples(t)
	deliver(t, start(t, k, ofAccount(t, "north"), names), samples...)

	var want []string
	for _, r := range k.Records(t, names.raw) {
		sent := headers(r)
		for _, event := range decode(t, sent, r.Value) {
			var e struct{ Source, RecordedTime, DeliveryID string }
			require.NoError(t, json.Unmarshal([]byte(event), &e))
			require.Equal(t, "/"+sent["webhook_vendor"]+"/north", e.Source)
			require.Equal(t, sent["webhook_received_at"], e.RecordedTime)
			require.Equal(t, sent["webhook_delivery_id"], e.DeliveryID)
			want = append(want, event)
		}
	}
	require.Len(t, services.Unstamped(t, want), len(want), "every event has what the door stamps")
	require.Greater(t, len(want), len(samples)/2)

	start(t, k, "worker.yaml", names)
	services.Eventually(t, func() bool { return len(k.Records(t, names.events)) >= len(want) }, "all is decoded")
	got := values(k.Records(t, names.events))
	slices.Sort(want)
	slices.Sort(got)
	require.Empty(t, cmp.Diff(want, got))
}

// ofAccount writes raw.yaml with routes of one account, and returns its path.
func ofAccount(t *testing.T, account string) string {
	t.Helper()
	config, err := os.ReadFile("../../configs/raw.yaml")
	require.NoError(t, err)
	const vendors = "    vendors: \"${HOOKSWITCH_VENDORS:}\"\n    unverified: ${HOOKSWITCH_UNVERIFIED:false}\n"
	require.Contains(t, string(config), vendors)
	route := "      - { path: %q, account: " + account + ", verify: { none: true } }\n"
	routes := "    routes:\n" + fmt.Sprintf(route, "/{vendor}/{event}") + fmt.Sprintf(route, "/{vendor}")
	path := filepath.Join(t.TempDir(), "raw.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(config), vendors, routes, 1)), 0o600))
	return path
}

// decode returns the events of a delivery, none if it is undecodable.
func decode(t *testing.T, metadata map[string]string, body []byte) (events []string) {
	t.Helper()
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.AddProcessorYAML("label: decode\nwebhook_decode: {}"))
	resources, stop, err := builder.Build()
	require.NoError(t, err)
	defer func() { require.NoError(t, stop(context.WithoutCancel(t.Context()))) }()
	msg := service.NewMessage(body)
	for key, value := range metadata {
		msg.MetaSetMut(key, value)
	}
	var batch service.MessageBatch
	require.NoError(t, resources.AccessProcessor(t.Context(), "decode", func(p *service.ResourceProcessor) {
		batch, err = p.Process(t.Context(), msg)
	}))
	require.NoError(t, err)
	for _, m := range batch {
		if m.GetError() == nil {
			text, err := m.AsBytes()
			require.NoError(t, err)
			events = append(events, string(text))
		}
	}
	return events
}

// TestWorkerCoding has a body that does not inflate: its dead letter says so, also
// behind Kafka.
func TestWorkerCoding(t *testing.T) {
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	start(t, k, "worker.yaml", names)
	h := start(t, k, "raw.yaml", names)
	body := []byte("no gzip")
	status, err := h.Send("/callrail/post_call", http.Header{"Content-Encoding": {"gzip"}}, body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	services.Eventually(t, func() bool { return len(k.Records(t, names.deadLetters)) > 0 }, "the delivery is a dead letter")
	letter := services.DeadLetter(t, string(k.Records(t, names.deadLetters)[0].Value))
	require.Equal(t, "gzip", letter.ContentEncoding)
	require.Equal(t, body, letter.Body)
}

// TestWorkerKilled has two workers of one group, and kills one of them in the middle
// of the load: the other one loses nothing.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	k := services.StartKafka(t)
	names := makeTopics(t, k)
	door := start(t, k, "raw.yaml", names)
	workers := []*services.Hookswitch{start(t, k, "worker.yaml", names), start(t, k, "worker.yaml", names)}

	var next, last, refused atomic.Int64
	var senders sync.WaitGroup
	last.Store(math.MaxInt64)
	for range 16 {
		senders.Go(func() {
			for i := next.Add(1); i <= last.Load(); i = next.Add(1) {
				if status, err := door.Post("callrail", "post_call", "application/json", call(int(i))); err != nil || status != http.StatusOK {
					refused.Add(1)
				}
			}
		})
	}
	services.Eventually(t, func() bool {
		return workers[0].Metric(t, "input_received") > 0 && workers[1].Metric(t, "input_received") > 0
	}, "both workers have a share")
	workers[0].Kill()
	deliveries := next.Load() + 2000 // as many come in when the worker is gone
	last.Store(deliveries)
	senders.Wait()
	require.Zero(t, refused.Load())
	services.Eventually(t, func() bool { return int64(len(subjects(t, k, names.events))) == deliveries }, "all is decoded")
	require.Empty(t, k.Records(t, names.deadLetters))
}

func call(i int) []byte { return fmt.Appendf(nil, `{"resource_id":"CAL%d"}`, i) }

// subjects returns how often the topic has each subject.
func subjects(t *testing.T, k *services.Kafka, topic string) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, r := range k.Records(t, topic) {
		var e struct {
			Subject string `json:"subject"`
		}
		require.NoError(t, json.Unmarshal(r.Value, &e))
		n[e.Subject]++
	}
	return n
}

// TestBrokerDownAtStart has no broker at first: senders are answered from the disk,
// and when the broker is there, it gets what they sent.
func TestBrokerDownAtStart(t *testing.T) {
	t.Parallel()
	k := services.NewBroker(t)
	k.Start(t)
	names := makeTopics(t, k)
	k.Stop()

	h, raw := start(t, k, "kafka.yaml", names), start(t, k, "raw.yaml", names)
	worker := start(t, k, "worker.yaml", names)
	for i, h := range []*services.Hookswitch{h, raw} {
		status, err := h.Post("callrail", "post_call", "application/json", call(i+1))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	k.Start(t)
	services.Eventually(t, func() bool {
		got := subjects(t, k, names.events)
		return got["call/CAL1"] > 0 && got["call/CAL2"] > 0
	}, "both are delivered")
	worker.Stop()
	require.Empty(t, k.Records(t, names.deadLetters))
}

// TestBrokerStops freezes and kills the broker while deliveries come in: no sender
// notices, all that was answered 200 is in the topic in the end, and an outage is no
// dead letter.
func TestBrokerStops(t *testing.T) {
	t.Parallel()
	for _, config := range []string{"kafka.yaml", "raw.yaml"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			k := services.NewBroker(t)
			k.Start(t)
			names := makeTopics(t, k)
			h := start(t, k, config, names)

			var (
				next, stop atomic.Int64
				mu         sync.Mutex
				ledger     = map[string]bool{} // what was answered 200
				other      []string            // answers that no sender may get
				senders    sync.WaitGroup
			)
			for range 16 {
				senders.Go(func() {
					for stop.Load() == 0 {
						i := int(next.Add(1))
						status, err := h.Post("callrail", "post_call", "application/json", call(i))
						mu.Lock()
						if err == nil && status == http.StatusOK {
							ledger[fmt.Sprintf("CAL%d", i)] = true
						} else {
							other = append(other, fmt.Sprint(status, err))
						}
						mu.Unlock()
					}
				})
			}
			defer senders.Wait()
			defer stop.Store(1)
			grows := func() {
				t.Helper()
				size := func() int {
					mu.Lock()
					defer mu.Unlock()
					return len(ledger)
				}
				before := size()
				services.Eventually(t, func() bool { return size() > before+100 }, "deliveries are taken")
			}
			grows()
			k.Freeze(t)
			time.Sleep(2 * time.Second) // with deliveries under way
			k.Thaw(t)
			grows()
			k.Kill()
			grows()
			k.Start(t)
			grows()
			stop.Store(1)
			senders.Wait()
			h.Drained(t)

			require.Empty(t, other)
			topic := names.events
			if config == "raw.yaml" {
				topic = names.raw
			}
			got := map[string]bool{}
			for _, r := range k.Records(t, topic) {
				var v struct {
					ResourceID string `json:"resource_id"`
					Data       struct {
						Call struct {
							ID string `json:"id"`
						} `json:"call"`
					} `json:"data"`
				}
				require.NoError(t, json.Unmarshal(r.Value, &v))
				got[v.ResourceID+v.Data.Call.ID] = true
			}
			for id := range ledger {
				require.True(t, got[id], "%s was answered 200 and is not in the topic", id)
			}
			require.Empty(t, k.Records(t, names.deadLetters))
		})
	}
}
