package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/semaphore"

	"github.com/hookswitch/hookswitch/plugins/deadletter"
	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// replayCommand runs dead letters through a config once more.
func replayCommand() *cli.Command {
	var set edits
	reasons := make([]string, len(delivery.Reasons))
	for i, r := range delivery.Reasons {
		reasons[i] = string(r)
	}
	return &cli.Command{
		Name:      "replay",
		Usage:     "Run dead letters through the pipeline and output of a config once more",
		ArgsUsage: "CONFIG",
		Description: `Takes the deliveries that dead letters keep, in place of the config's input and
buffer, so that a process of the same config may go on meanwhile:

  hookswitch replay --from dead_letters.jsonl configs/quickstart.yaml
  hookswitch replay --from ./dead_letters --vendor callrail --since 24h --dry-run configs/s3.yaml
  zcat old.gz | hookswitch replay --from - --reason malformed --set id=7 configs/kafka.yaml

An event has the time and the ids that it would have had at first, so a replay can
be run twice. What cannot be decoded goes where the config sends dead letters, with
the same id; of records of one id the first is taken. Files are read as far as they
go at the start, so they may be those that the config writes to.

Records that the output refuses are tried again in smaller batches, down to the one
that it refuses on its own. It fails if a record could not be read or edited, was
refused, or is a dead letter again; it cannot tell where a config has neither the
processor dead_letter nor reject_errored, and the output takes what has failed.

With --set bodies are edited first. ` + editing,
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "from", Value: cli.NewStringSlice(cmp.Or(os.Getenv("HOOKSWITCH_DEAD_LETTERS"), "dead_letters.jsonl")), Usage: "a file of JSON lines, gzipped or not; a folder with such files, named *.jsonl*; - for stdin"},
			&cli.StringFlag{Name: "vendor", Usage: "only of this vendor: " + strings.Join(vendors.Names(), ", ")},
			&cli.StringFlag{Name: "reason", Usage: "only of this reason: " + strings.Join(reasons, ", ")},
			&cli.StringFlag{Name: "since", Usage: "only what was received since then: a time such as 2026-07-01T15:13:12Z, a day of UTC such as 2026-07-01, or that long ago, such as 24h"},
			&cli.BoolFlag{Name: "dry-run", Usage: "count the records and run nothing"},
			&cli.GenericFlag{Name: "set", Value: &set, Usage: editUsage},
		}, pipelineFlags()...),
		OnUsageError: flagsMisused,
		Action: func(c *cli.Context) error {
			p, err := pipelineOf(c)
			if err != nil {
				return err
			}
			wanted := filter{vendor: c.String("vendor"), reason: delivery.Reason(c.String("reason"))}
			if wanted.reason != "" && !slices.Contains(delivery.Reasons, wanted.reason) {
				return misused("reading flag reason: expected one of %s, got %q", strings.Join(reasons, ", "), wanted.reason)
			}
			if wanted.vendor != "" {
				if _, err := vendorOf(wanted.vendor); err != nil {
					return err
				}
			}
			if wanted.since, err = parseSince(c.String("since"), time.Now()); err != nil {
				return err
			}
			sources, err := openSources(c.StringSlice("from"))
			if err != nil {
				return err
			}
			r := newReplay(sources, wanted, set, c.App.ErrWriter)
			ctx, cancel := context.WithCancel(c.Context)
			defer cancel()
			go r.read(ctx)
			if c.Bool("dry-run") {
				return r.count(ctx)
			}
			return r.run(ctx, p)
		},
	}
}

func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, misused("reading flag since: expected a time such as 2026-07-01T15:13:12Z, a day such as 2026-07-01 or a duration such as 24h, got %q", text)
}

// filter tells the records that are wanted. An empty field wants all.
type filter struct {
	vendor string
	reason delivery.Reason
	since  time.Time
}

func (f filter) wants(l *delivery.DeadLetter) bool {
	return (f.vendor == "" || f.vendor == l.Vendor) &&
		(f.reason == "" || f.reason == l.Reason) &&
		(f.since.IsZero() || !l.Received().Before(f.since))
}

const (
	// The records of a batch, and their bytes. An output that writes objects makes one of
	// each batch, so batches are large.
	batchRecords = 1000
	batchBytes   = 2 << 20
	batchesAhead = 4        // batches that are read and parsed ahead
	window       = 32 << 20 // bytes of records that the pipeline has and has not acknowledged
	// An output that refuses so many records in a row, each on its own, takes none.
	refusals = 100
)

// letter is a record as it was read: a dead letter, or why there is none.
type letter struct {
	*delivery.DeadLetter
	where string
	err   error
}

// replay is an input that gives the deliveries of dead letters.
type replay struct {
	sources []source
	filter  filter
	edits   edits
	log     *log.Logger
	parsed  chan chan []letter // batches in the order of the files; each of them comes when it is parsed

	seen   map[[16]byte]struct{} // the ids of the records that were given
	window *semaphore.Weighted
	change chan struct{} // tells the reader that a batch was acknowledged or refused

	mu      sync.Mutex
	again   [][]letter // halves of batches that were refused
	pending int        // batches that the pipeline has
	ended   bool       // all has been read
	down    int        // records that were refused since one was taken
	counts  counts
}

// counts are of records.
type counts struct{ read, broken, filtered, repeated, taken, refused int }

func newReplay(sources []source, wanted filter, set edits, w io.Writer) *replay {
	return &replay{
		sources: sources, filter: wanted, edits: set, log: log.New(w, "replay: ", 0), parsed: make(chan chan []letter, batchesAhead),
		seen: map[[16]byte]struct{}{}, window: semaphore.NewWeighted(window), change: make(chan struct{}, 1),
	}
}

// read reads the files and has their records parsed, as many batches at once as there is
// room for ahead of the pipeline.
func (r *replay) read(ctx context.Context) {
	defer close(r.parsed)
	type numbered struct {
		number int
		line   string
	}
	for _, s := range r.sources {
		var (
			batch []numbered
			size  int
		)
		flush := func() bool {
			lines, done := batch, make(chan []letter, 1)
			batch, size = nil, 0
			select {
			case r.parsed <- done:
			case <-ctx.Done():
				return false
			}
			go func() {
				letters := make([]letter, len(lines))
				for i, l := range lines {
					letters[i] = r.parse(l.line)
					letters[i].where = fmt.Sprintf("%s:%d", s.path, l.number)
				}
				done <- letters
			}()
			return true
		}
		err := s.lines(func(number int, line string) bool {
			batch = append(batch, numbered{number, line})
			if size += len(line); size < batchBytes && len(batch) < batchRecords {
				return true
			}
			return flush()
		})
		if len(batch) > 0 && !flush() {
			return
		}
		if err != nil {
			done := make(chan []letter, 1)
			done <- []letter{{where: s.path, err: err}}
			select {
			case r.parsed <- done:
			case <-ctx.Done():
				return
			}
		}
	}
}

// parse reads a record and edits its body, if it is wanted.
func (r *replay) parse(line string) letter {
	l, err := delivery.ParseDeadLetter(line)
	if err == nil && r.filter.wants(l) {
		l.Body, err = r.edits.apply(l.Body, l.ContentType)
	}
	return letter{DeadLetter: l, err: err}
}

// next returns the next records that are to be replayed, none at the end.
func (r *replay) next(ctx context.Context) ([]letter, error) {
	for {
		var batch chan []letter
		select {
		case batch = <-r.parsed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if batch == nil {
			return nil, nil
		}
		var wanted []letter
		r.mu.Lock()
		for _, l := range <-batch {
			r.counts.read++
			switch {
			case l.err != nil:
				r.counts.broken++
				r.tell(r.counts.broken, "%s: %v", l.where, l.err)
			case !r.filter.wants(l.DeadLetter):
				r.counts.filtered++
			case r.repeated(l.ID):
				r.counts.repeated++
			default:
				wanted = append(wanted, l)
			}
		}
		r.mu.Unlock()
		if len(wanted) > 0 {
			return wanted, nil
		}
	}
}

// repeated reports whether a record of the id was there before. A record that fails again
// and again stands in a file as often, and would double the file with every replay.
func (r *replay) repeated(id string) bool {
	sum := sha256.Sum256([]byte(id))
	key := [16]byte(sum[:16])
	if _, ok := r.seen[key]; ok {
		return true
	}
	r.seen[key] = struct{}{}
	return false
}

// Connect implements service.BatchInput.
func (*replay) Connect(context.Context) error { return nil }

// Close implements service.BatchInput.
func (*replay) Close(context.Context) error { return nil }

// ReadBatch implements service.BatchInput.
func (r *replay) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		r.mu.Lock()
		var again []letter
		if len(r.again) > 0 && r.down < refusals {
			again, r.again = r.again[0], r.again[1:]
		}
		pending, ended := r.pending, r.ended || r.down >= refusals
		r.mu.Unlock()
		switch {
		case again != nil:
			return r.give(ctx, again)
		case ended && pending == 0:
			return nil, nil, service.ErrEndOfInput
		case ended:
			select {
			case <-r.change:
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
			continue
		}
		letters, err := r.next(ctx)
		if err != nil {
			return nil, nil, err
		}
		if letters == nil {
			r.mu.Lock()
			r.ended = true
			r.mu.Unlock()
			continue
		}
		return r.give(ctx, letters)
	}
}

// give hands records to the pipeline, when it has room for them.
func (r *replay) give(ctx context.Context, letters []letter) (service.MessageBatch, service.AckFunc, error) {
	var weight int64
	batch := make(service.MessageBatch, 0, len(letters))
	given := letters[:0:0]
	for _, l := range letters {
		msg := service.NewMessage(nil)
		if err := deadletter.Restore(l.DeadLetter, msg); err != nil {
			r.mu.Lock()
			r.counts.broken++
			r.tell(r.counts.broken, "%s: %v", l.where, err)
			r.mu.Unlock()
			continue
		}
		weight += int64(len(l.Body)) + 1<<10
		batch, given = append(batch, msg), append(given, l)
	}
	if len(batch) == 0 {
		return r.ReadBatch(ctx)
	}
	weight = min(weight, window)
	if err := r.window.Acquire(ctx, weight); err != nil {
		r.mu.Lock()
		r.again = append(r.again, given) // so that the end is not taken for that of the files
		r.mu.Unlock()
		return nil, nil, err
	}
	r.mu.Lock()
	r.pending++
	r.mu.Unlock()
	return batch, func(_ context.Context, err error) error {
		r.window.Release(weight)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pending--
		switch {
		case err == nil:
			r.down = 0
			r.counts.taken += len(given)
		case len(given) == 1:
			r.down++
			r.counts.refused++
			r.tell(r.counts.refused, "%s: dead letter %.80s: the output refuses it: %v", given[0].where, given[0].ID, err)
		default:
			r.again = append(r.again, given[:len(given)/2], given[len(given)/2:])
		}
		select {
		case r.change <- struct{}{}:
		default:
		}
		return nil
	}, nil
}

// tell logs what is wrong with a record, for the first of them: all may be wrong for the
// same reason.
func (r *replay) tell(n int, format string, args ...any) {
	const most = 20
	if n <= most {
		r.log.Printf(format, args...)
	}
	if n == most {
		r.log.Print("of more of this kind only the number will be told")
	}
}

func (r *replay) run(ctx context.Context, p pipeline) error {
	before := deadletter.Recorded()
	done := make(chan error, 1)
	go func() { done <- p.run(ctx, r) }()
	start := time.Now()
	ticks := time.NewTicker(5 * time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			r.mu.Lock()
			r.log.Printf("%d records read, %d taken by the output", r.counts.read, r.counts.taken)
			r.mu.Unlock()
			continue
		case err := <-done:
			if err != nil {
				return err
			}
		}
		break
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c, again := r.counts, int(deadletter.Recorded()-before)
	r.log.Printf("%s: %d taken by the output in %s, of which %d made dead letters again; %d refused", c, c.taken, time.Since(start).Round(time.Millisecond), again, c.refused)
	switch {
	case r.down >= refusals:
		return fmt.Errorf("replaying dead letters: stopped, since the output refused %d records in a row; it may be run again", r.down)
	case !r.ended || r.pending > 0 || len(r.again) > 0:
		return errors.New("replaying dead letters: stopped before the end; it may be run again")
	}
	if failed := c.broken + c.refused + again; failed > 0 {
		return fmt.Errorf("replaying dead letters: %d failed", failed)
	}
	return nil
}

func (c counts) String() string {
	return fmt.Sprintf("%d records, %d not read or edited, %d filtered out, %d repeated", c.read, c.broken, c.filtered, c.repeated)
}

// count counts the records by vendor and reason.
func (r *replay) count(ctx context.Context) error {
	kinds := map[[2]string]int{}
	for {
		letters, err := r.next(ctx)
		if err != nil {
			return err
		}
		if letters == nil {
			break
		}
		for _, l := range letters {
			kinds[[2]string{cmp.Or(l.Vendor, "unknown"), string(l.Reason)}]++
		}
	}
	r.log.Printf("%s; would be replayed:", r.counts)
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		r.log.Printf("%10d %s %s", kinds[kind], kind[0], kind[1])
	}
	if r.counts.broken > 0 {
		return fmt.Errorf("reading dead letters: %d failed", r.counts.broken)
	}
	return nil
}
