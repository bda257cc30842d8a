package services

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// MaxMessageBytes is what the topics of the shipped configs have to allow.
const MaxMessageBytes = "33554432"

//go:embed testdata/pom.xml
var pom []byte

// Kafka is an Apache Kafka cluster.
type Kafka struct {
	Brokers string

	dir     string // of a broker of our own
	process *process
}

var shared struct {
	sync.Mutex
	kafka *Kafka
	s3    *S3
}

// StartKafka returns the cluster that HOOKSWITCH_TEST_KAFKA names, else a broker
// that all tests of the package share.
func StartKafka(t testing.TB) *Kafka {
	t.Helper()
	if brokers := os.Getenv("HOOKSWITCH_TEST_KAFKA"); brokers != "" {
		return &Kafka{Brokers: brokers}
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.kafka == nil {
		k := newBroker(t, filepath.Join(scratch, "kafka"))
		k.Start(t)
		atEnd = append(atEnd, k.Stop)
		shared.kafka = k
	}
	return shared.kafka
}

// NewBroker returns a broker of the test's own, not started, that it may stop and
// kill.
func NewBroker(t testing.TB) *Kafka {
	t.Helper()
	k := newBroker(t, t.TempDir())
	t.Cleanup(k.Stop)
	return k
}

func newBroker(t testing.TB, dir string) *Kafka {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		Missing(t, "Apache Kafka needs Java 17", err)
	}
	if _, err := brokerClasses(); err != nil {
		Missing(t, "Apache Kafka has to be fetched", err)
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	k := &Kafka{Brokers: FreeAddress(t), dir: dir}
	controller := FreeAddress(t)
	require.NoError(t, os.WriteFile(k.path("server.properties"), []byte(strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + controller,
		"controller.listener.names=CONTROLLER",
		"listeners=PLAINTEXT://" + k.Brokers + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + k.Brokers,
		"log.dirs=" + k.path("data"),
		"auto.create.topics.enable=false",
		"group.initial.rebalance.delay.ms=0",
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"num.network.threads=2",
		"num.io.threads=4",
	}, "\n")), 0o644))
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	id[0] &= 0x7f // else the text may begin with -, which the tool takes for an option
	require.NoError(t, command(nil, "java", "-cp", k.classes(), "kafka.tools.StorageTool", "format",
		"-t", base64.RawURLEncoding.EncodeToString(id), "-c", k.path("server.properties")))
	return k
}

func (k *Kafka) path(name string) string { return filepath.Join(k.dir, name) }

func (k *Kafka) classes() string {
	lib, _ := brokerClasses()
	return filepath.Join(lib, "*")
}

// brokerClasses returns the folder of the broker's jars.
var brokerClasses = sync.OnceValues(func() (string, error) {
	return cache("kafka-4.4.0", func(path string) error {
		say("fetching Apache Kafka 4.4.0 with Maven, 43 MB")
		project := filepath.Join(scratch, "pom.xml")
		if err := os.WriteFile(project, pom, 0o644); err != nil {
			return fmt.Errorf("writing the pom: %w", err)
		}
		return command(nil, "mvn", "-q", "-B", "-f", project, "dependency:copy-dependencies", "-DoutputDirectory="+path)
	})
})

// Start starts the broker, for the first time or again.
func (k *Kafka) Start(t testing.TB) {
	t.Helper()
	say("starting Apache Kafka at %s", k.Brokers)
	cmd := exec.Command("java", "-Xmx512m", "-Dlog4j2.level=WARN", "-cp", k.classes(), "kafka.Kafka", k.path("server.properties"))
	cmd.Dir = k.dir
	var err error
	k.process, err = start(cmd, k.path("log"), k.path("log"))
	require.NoError(t, err)
	err = k.process.await(k.Brokers)
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var client *kgo.Client
		if client, err = kgo.NewClient(kgo.SeedBrokers(k.Brokers)); err == nil {
			defer client.Close()
			_, err = kadm.NewClient(client).ListTopics(ctx)
		}
	}
	require.NoError(t, err, tailOf(k.path("log")))
}

// Stop asks the broker to stop, and waits until it has.
func (k *Kafka) Stop() {
	if k.process != nil {
		_ = k.process.cmd.Process.Signal(syscall.SIGCONT)
		k.process.stop()
	}
}

// Kill leaves the broker no time for anything.
func (k *Kafka) Kill() {
	say("killing Apache Kafka at %s", k.Brokers)
	k.process.kill()
}

// Freeze has the broker answer nothing, its connections open, until Thaw.
func (k *Kafka) Freeze(t testing.TB) {
	t.Helper()
	say("freezing Apache Kafka at %s", k.Brokers)
	require.NoError(t, k.process.cmd.Process.Signal(syscall.SIGSTOP))
}

// Thaw has a frozen broker go on.
func (k *Kafka) Thaw(t testing.TB) {
	t.Helper()
	require.NoError(t, k.process.cmd.Process.Signal(syscall.SIGCONT))
}

func (k *Kafka) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Brokers), kgo.FetchMaxBytes(64<<20), kgo.FetchMaxPartitionBytes(40<<20))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// Topic makes a topic as the shipped configs need it and returns its name.
func (k *Kafka) Topic(t testing.TB, partitions int32) string {
	t.Helper()
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix)
	name := "hookswitch-test-" + hex.EncodeToString(suffix)
	limit := MaxMessageBytes
	resp, err := kadm.NewClient(k.client(t)).CreateTopic(t.Context(), partitions, 1, map[string]*string{"max.message.bytes": &limit}, name)
	require.NoError(t, err)
	require.NoError(t, resp.Err)
	return name
}

// AwaitGroup waits until a consumer group has so many members, each with a partition.
func (k *Kafka) AwaitGroup(t testing.TB, group string, members int) {
	t.Helper()
	admin := kadm.NewClient(k.client(t))
	Eventually(t, func() bool {
		described, err := admin.DescribeGroups(t.Context(), group)
		if err != nil || described[group].State != "Stable" || len(described[group].Members) != members {
			return false
		}
		return !slices.ContainsFunc(described[group].Members, func(m kadm.DescribedGroupMember) bool {
			assigned, ok := m.Assigned.AsConsumer()
			return !ok || len(assigned.Topics) == 0
		})
	}, "the group %s has %d members with partitions each", group, members)
}

// Records returns all that a topic holds, and maybe what comes in meanwhile.
func (k *Kafka) Records(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := kadm.NewClient(k.client(t)).ListEndOffsets(ctx, topic)
	require.NoError(t, err)
	require.NoError(t, ends.Error())
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })

	reader := k.client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var records []*kgo.Record
	for int64(len(records)) < want {
		fetches := reader.PollFetches(ctx)
		require.NoError(t, fetches.Err(), "%d of %d records", len(records), want)
		records = append(records, fetches.Records()...)
	}
	return records
}
