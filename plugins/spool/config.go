package spool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Keeps messages on disk until the output has them: a message is acknowledged when it is synced, and survives crashes, losses of power, full disks and outages of the output.").
		Description(description).
		Fields(
			service.NewStringField("dir").
				Description("The directory, for this stream of this process alone. It is made where it does not exist, for its owner only.").
				Example("./spool"),
			service.NewStringField("max_size").
				Description("What everything in the directory may take on disk, 16 MiB at least. When it is reached, messages are refused until the output has taken some.").
				Default("4GiB"),
			service.NewStringField("min_free").
				Description("What stays free of the file system. When less is free, messages are refused until there is more.").
				Default("256MiB"),
			service.NewObjectField("batch",
				service.NewIntField("count").
					Description("How many messages at most are handed out together; 0 for any number.").
					Default(256).LintRule(`root = if this < 0 { [ "field count: expected 0 or more" ] }`),
				service.NewStringField("byte_size").
					Description("How many bytes at most are handed out together, and never more than half of the window. A larger message is handed out alone.").
					Default("4MiB"),
				service.NewStringField("period").
					Description("How long messages are gathered on disk before they are handed out, unless count or byte_size is reached before. Empty: what waits is handed out at once.").
					Example("60s").Default(""),
			).Description("What is handed out together: outputs that write objects write one for each batch, so nothing has to gather messages behind the spool."),
			service.NewStringField("window").
				Description("How many bytes of messages are in memory: waiting, or handed out and not settled. What does not fit is read back from disk, in order.").
				Default("32MiB").Advanced(),
			service.NewIntField("park_after").
				Description("How often a message has to be refused alone, while the output takes others, until it is parked.").
				Default(8).LintRule(`root = if this < 1 { [ "field park_after: expected 1 or more" ] }`).Advanced(),
			service.NewBoolField("allow_volatile").
				Description("Whether the directory may be on a file system in memory, which the loss of power empties.").
				Default(false).Advanced(),
		).
		Example("Deliveries to Kafka, from the disk",
			"Senders are answered when their delivery is on disk, whether Kafka can be reached or not.", `
input:
  webhook:
    vendors: callrail

buffer:
  spool:
    dir: /var/lib/hookswitch/spool

pipeline:
  processors:
    - webhook_decode: {}

output:
  kafka_franz:
    seed_brokers: [ 127.0.0.1:9092 ]
    topic: hookswitch.events
    key: ${! @event_key }

shutdown_timeout: 10s
`)
}

const description = `
All who wait for the disk share one sync. Metadata are kept, as text; error flags are not. A message is handed out at least once: after a crash again, so consumers need an id that is the same again, as the events of ` + "`webhook_decode`" + ` have.

### When the output refuses

A batch is offered again whole, after 1 s, then after twice as long each time up to 1 min. When it is refused again while the output has taken others since, it is halved, and halved again, down to the message that is refused; where nothing at all passes, the oldest batch is halved once a minute, since every batch may have such a message. A message that was refused alone ` + "`park_after`" + ` times, while others were taken, is parked: kept, counted, and out of the way. Parked messages are offered again one by one every ten minutes and at each start. ` + "`hookswitch spool`" + ` lists, shows, unparks and drops them.

### Order

Messages are handed out in the order of their arrival. What was refused stands behind what was handed out meanwhile; several threads of the pipeline (` + "`pipeline.threads`" + `, by default as many as there are processors) and outputs with several requests in flight change places, too. Where the order has to hold, set the threads and max_in_flight to 1; a refused batch still loses its place.

### When the disk is full or fails

Messages are refused, so senders of the input ` + "`webhook`" + ` are told 503 and to send again, and its ` + "`/readyz`" + ` says 503. What waits still drains, and what it leaves makes room. A damaged file is set aside, what can be read is kept, and the log says how much cannot.

### Stopping

When the process is told to stop, nothing more is handed out; what is on disk waits for the next start. When the input ends by itself, all is handed out first, but for what is parked.

### Metrics

| metric | |
|---|---|
| ` + "`spool_bytes`, `spool_records`, `spool_parked`" + ` | what is on disk |
| ` + "`spool_oldest_seconds`" + ` | the age of the oldest message that is not parked |
| ` + "`spool_full`" + ` | 1 while nothing more is taken |
| ` + "`spool_redelivered`" + ` | messages that were offered again |
| ` + "`spool_commits`, `spool_sync`" + ` | commits, and what each took |
`

// config is a spool as configured.
type config struct {
	store  store.Options
	limits limits
}

// newConfig reads the configuration. An error names the field.
func newConfig(conf *service.ParsedConfig) (c config, err error) {
	p := parser{conf: conf}
	c.store.Dir = p.text("dir")
	c.store.MaxSize = p.bytes("max_size")
	c.store.MinFree = p.bytes("min_free")
	c.limits.window = p.bytes("window")
	c.limits.count = p.number("batch", "count")
	c.limits.byteSize = p.bytes("batch", "byte_size")
	c.limits.period = p.period("batch", "period")
	c.limits.parkAfter = p.number("park_after")
	if p.err == nil {
		c.store.AllowVolatile, p.err = conf.FieldBool("allow_volatile")
	}
	switch {
	case p.err != nil:
		return c, p.err
	case c.store.Dir == "":
		return c, errors.New("reading field dir: expected a directory")
	case c.store.MaxSize < store.MinSize:
		return c, errors.New("reading field max_size: expected 16 MiB or more")
	case c.limits.window < 1<<20:
		return c, errors.New("reading field window: expected 1 MiB or more")
	case c.limits.byteSize < 1 || c.limits.byteSize > c.limits.window/2:
		return c, fmt.Errorf("reading field batch.byte_size: expected at most half of the window, which is %s", humanize.IBytes(uint64(c.limits.window)))
	case c.limits.count < 0:
		return c, fmt.Errorf("reading field batch.count: expected 0 or more, got %d", c.limits.count)
	case c.limits.parkAfter < 1:
		return c, fmt.Errorf("reading field park_after: expected 1 or more, got %d", c.limits.parkAfter)
	}
	return c, nil
}

// parser reads fields, up to the first error.
type parser struct {
	conf *service.ParsedConfig
	err  error
}

func (p *parser) text(path ...string) (text string) {
	if p.err == nil {
		text, p.err = p.conf.FieldString(path...)
	}
	return text
}

func (p *parser) number(path ...string) (n int) {
	if p.err == nil {
		n, p.err = p.conf.FieldInt(path...)
	}
	return n
}

func (p *parser) bytes(path ...string) int64 {
	text := p.text(path...)
	if p.err != nil {
		return 0
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		p.err = fmt.Errorf("reading field %s: expected a size such as 64MiB, got %.40q", strings.Join(path, "."), text)
	}
	return int64(n)
}

func (p *parser) period(path ...string) (d time.Duration) {
	text := p.text(path...)
	if p.err != nil || text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.err = fmt.Errorf("reading field %s: expected a time such as 60s, got %.40q", strings.Join(path, "."), text)
	}
	return d
}
