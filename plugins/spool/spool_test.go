package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

func TestConfigIsRefused(t *testing.T) {
	for config, want := range map[string]string{
		`dir: ""`:                                 "reading field dir: expected a directory",
		`{ dir: d, max_size: much }`:              `reading field max_size: expected a size such as 64MiB, got "much"`,
		`{ dir: d, max_size: 15MiB }`:             "reading field max_size: expected 16 MiB or more",
		`{ dir: d, min_free: -1 }`:                `reading field min_free: expected a size such as 64MiB, got "-1"`,
		`{ dir: d, window: 64KiB }`:               "reading field window: expected 1 MiB or more",
		`{ dir: d, batch: { byte_size: 17MiB } }`: "reading field batch.byte_size: expected at most half of the window, which is 32 MiB",
		`{ dir: d, batch: { byte_size: 0 } }`:     "reading field batch.byte_size: expected at most half of the window, which is 32 MiB",
		`{ dir: d, batch: { count: -1 } }`:        "reading field batch.count: expected 0 or more, got -1",
		`{ dir: d, batch: { period: soon } }`:     `reading field batch.period: expected a time such as 60s, got "soon"`,
		`{ dir: d, park_after: 0 }`:               "reading field park_after: expected 1 or more, got 0",
	} {
		conf, err := spec().ParseYAML(config, nil)
		require.NoError(t, err, config)
		_, err = newConfig(conf)
		require.EqualError(t, err, want, config)
	}
}

func TestConfigDefaults(t *testing.T) {
	conf, err := spec().ParseYAML(`dir: d`, nil)
	require.NoError(t, err)
	c, err := newConfig(conf)
	require.NoError(t, err)
	require.Equal(t, limits{window: 32 << 20, count: 256, byteSize: 4 << 20, parkAfter: 8}, c.limits)
	require.Equal(t, store.Options{Dir: "d", MaxSize: 4 << 30, MinFree: 256 << 20}, c.store)
}

// TestWarns has one line a minute say that the spool is full, and that the output takes
// nothing.
func TestWarns(t *testing.T) {
	var logs bytes.Buffer
	o := newObserver(service.MockResources())
	o.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&logs, nil)))
	now := time.Now()
	lines := func(d time.Duration, full error, stalled time.Time) (n int) {
		logs.Reset()
		o.report(store.Stats{Records: 7}, full, now, stalled, now.Add(d))
		return strings.Count(logs.String(), "level=WARN")
	}
	require.Zero(t, lines(0, nil, time.Time{}))
	require.Equal(t, 1, lines(0, store.ErrFull, time.Time{}))
	require.Contains(t, logs.String(), "the spool is full")
	require.Zero(t, lines(warnEvery-time.Second, store.ErrFull, time.Time{}))
	require.Equal(t, 1, lines(warnEvery, store.ErrFull, time.Time{}))

	o.refused(errors.New("no route to host"))
	require.Zero(t, lines(0, nil, now), "it may come back at once")
	require.Equal(t, 1, lines(warnEvery, nil, now))
	require.Contains(t, logs.String(), "7 records wait, and the last refusal is: no route to host")
	require.Zero(t, lines(2*warnEvery-time.Second, nil, now))
	require.Equal(t, 1, lines(2*warnEvery, nil, now))
}

// A message is handed out as it was taken: bytes, and metadata as text.
func TestMessages(t *testing.T) {
	msg := service.NewMessage([]byte("\x00body\xff"))
	msg.MetaSetMut("text", "a\xffb")
	msg.MetaSetMut("number", 7)
	msg.SetError(errors.New("lost"))
	r, err := newRecord(msg)
	require.NoError(t, err)
	again := newMessages([]*store.Record{r})[0]
	body, err := again.AsBytes()
	require.NoError(t, err)
	require.Equal(t, "\x00body\xff", string(body))
	metadata := map[string]any{}
	require.NoError(t, again.MetaWalkMut(func(key string, value any) error {
		metadata[key] = value
		return nil
	}))
	require.Equal(t, map[string]any{"text": "a\xffb", "number": "7"}, metadata)
	require.NoError(t, again.GetError())
}
