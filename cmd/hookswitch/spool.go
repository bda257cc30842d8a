package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// spoolCommand shows an operator what waits in a spool, and mends what does not leave.
func spoolCommand() *cli.Command {
	return &cli.Command{
		Name:  "spool",
		Usage: "Look into a spool and mend it, also while a process uses it",
		Description: `DIR is the directory of the spool, the field dir of the config's buffer. All commands
but drain work beside the process that uses it, and also without one, as after a
crash. A command that has not done all that it was told exits with
1, and one with wrong arguments with 2.

  hookswitch spool ls --parked ./spool
  hookswitch spool show ./spool 17
  hookswitch spool show --body ./spool 17 | jq .
  hookswitch spool unpark ./spool
  hookswitch spool drop ./spool 17 18
  hookswitch spool ls --json ./spool | jq 'select(.vendor == "callrail") | .id' | xargs hookswitch spool drop --yes ./spool
  hookswitch spool drain configs/kafka.yaml`,
		Subcommands: []*cli.Command{
			{
				Name:      "ls",
				Usage:     "List the deliveries, the oldest first",
				ArgsUsage: "DIR",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "parked", Usage: "only those that the output refuses again and again"},
					&cli.BoolFlag{Name: "json", Usage: "one JSON object a line"},
				},
				OnUsageError: flagsMisused,
				Action: func(c *cli.Context) error {
					return inspect(c, 0, 0, func(i *store.Inspector, _ []int64) error {
						return list(c.Context, c.App.Writer, i, c.Bool("parked"), c.Bool("json"))
					})
				},
			},
			{
				Name:      "show",
				Usage:     "Print the metadata and the body of a delivery",
				ArgsUsage: "DIR ID",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "body", Usage: "only the body, byte for byte unless stdout is a terminal"},
				},
				OnUsageError: flagsMisused,
				Action: func(c *cli.Context) error {
					return inspect(c, 1, 1, func(i *store.Inspector, ids []int64) error {
						return show(c.App.Writer, i, ids[0], c.Bool("body"))
					})
				},
			},
			{
				Name:         "unpark",
				Usage:        "Offer parked deliveries to the output again, all of them without an ID",
				ArgsUsage:    "DIR [ID ...]",
				OnUsageError: flagsMisused,
				Action: func(c *cli.Context) error {
					return inspect(c, 0, unlimited, func(i *store.Inspector, ids []int64) error {
						return unpark(c.App.Writer, i, ids)
					})
				},
			},
			{
				Name:      "drop",
				Usage:     "Delete deliveries for good",
				ArgsUsage: "DIR ID ...",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "yes", Usage: "do not ask; needed where stdin is no terminal"},
				},
				OnUsageError: flagsMisused,
				Action: func(c *cli.Context) error {
					return inspect(c, 1, unlimited, func(i *store.Inspector, ids []int64) error {
						if !c.Bool("yes") {
							if err := confirmDrop(c.App.Reader, c.App.Writer, i, ids); err != nil {
								return err
							}
						}
						return drop(c.App.Writer, i, ids)
					})
				},
			},
			drainCommand(),
		},
	}
}

const unlimited = 1 << 20

// inspect opens the spool of the first argument, and gives it to do with the ids of
// the other arguments, of which there have to be at least least and at most most.
func inspect(c *cli.Context, least, most int, do func(*store.Inspector, []int64) error) error {
	given := c.Args().Slice()
	if len(given) < 1+least || len(given) > 1+most {
		return misused("reading arguments: expected %s, after all flags, got %d arguments", c.Command.ArgsUsage, len(given))
	}
	var ids []int64
	for _, text := range given[1:] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 1 {
			return misused("reading argument ID: expected a number as ls shows it, got %q", text)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	i, err := store.Inspect(given[0])
	if err != nil {
		return err
	}
	return errors.Join(do(i, slices.Compact(ids)), i.Close())
}

// listed is a line of ls --json.
type listed struct {
	ID          int64      `json:"id"`
	StoredAt    time.Time  `json:"stored_at"`
	ReceivedAt  *time.Time `json:"received_at,omitempty"`
	Vendor      string     `json:"vendor,omitempty"`
	Event       string     `json:"event,omitempty"`
	Account     string     `json:"account,omitempty"`
	DeliveryID  string     `json:"delivery_id,omitempty"`
	Attempts    int        `json:"attempts"`
	LastError   string     `json:"last_error,omitempty"`
	NextAttempt *time.Time `json:"next_attempt,omitempty"`
	Parked      bool       `json:"parked"`
	Size        int64      `json:"size"` // bytes of the body
}

// row is a line of ls: all that is to be seen of a delivery at a glance, its error at
// the end because that may be long.
const row = "%8s  %10s  %-10s  %-24s  %9s  %8s  %-14s  %s\n"

func list(ctx context.Context, out io.Writer, i *store.Inspector, parked, asJSON bool) error {
	w := bufio.NewWriter(out)
	if !asJSON {
		writeHead(w)
	}
	now := time.Now()
	err := i.List(ctx, func(e store.Entry) error {
		if parked && !e.Parked {
			return nil
		}
		if !asJSON {
			return writeRow(w, e, now)
		}
		line, err := json.Marshal(listed{
			e.ID, e.StoredAt, known(e.ReceivedAt), e.Vendor, e.Event, e.Account, e.DeliveryID,
			e.Attempts, e.LastError, known(e.NextAttempt), e.Parked, e.Size,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, escapeJSON(string(line)))
		return err
	})
	return errors.Join(err, w.Flush())
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func writeHead(w io.Writer) {
	_, _ = fmt.Fprintf(w, row, "ID", "AGE", "VENDOR", "EVENT", "BODY", "ATTEMPTS", "NEXT", "LAST ERROR")
}

func writeRow(w io.Writer, e store.Entry, now time.Time) error {
	_, err := fmt.Fprintf(w, row,
		strconv.FormatInt(e.ID, 10), now.Sub(e.StoredAt).Round(time.Second), orDash(e.Vendor), orDash(e.Event),
		humanize.IBytes(uint64(e.Size)), strconv.Itoa(e.Attempts), next(e.NextAttempt, e.Parked, now), orDash(e.LastError))
	return err
}

// next says when the output is offered a delivery again.
func next(at time.Time, parked bool, now time.Time) string {
	text := "now"
	if left := at.Sub(now).Round(time.Second); left > 0 {
		text = "in " + left.String()
	}
	if parked {
		return "parked, " + text
	}
	return text
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

func show(out io.Writer, i *store.Inspector, id int64, bodyOnly bool) error {
	r, err := i.Get(id)
	if err != nil {
		return err
	}
	if bodyOnly {
		body := r.Body
		if isTerminal(out) {
			body = []byte(printableLines(string(body)))
		}
		_, err = out.Write(body)
		return err
	}
	w := bufio.NewWriter(out)
	now := time.Now()
	line := func(name, value string) { _, _ = fmt.Fprintf(w, "%-26s  %s\n", name, value) }
	line("id", strconv.FormatInt(r.ID, 10))
	line("stored", fmt.Sprintf("%s, %s ago", r.StoredAt.UTC().Format(time.RFC3339Nano), now.Sub(r.StoredAt).Round(time.Second)))
	line("attempts", strconv.Itoa(r.Attempts))
	line("next attempt", next(r.NextAttempt, r.Parked, now))
	line("last error", orDash(r.LastError))
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		line(printable(key), printable(r.Metadata[key]))
	}
	_, _ = fmt.Fprintf(w, "%-26s  %s\n\n%s", "body", humanize.IBytes(uint64(len(r.Body))), printableLines(string(r.Body)))
	if len(r.Body) > 0 && r.Body[len(r.Body)-1] != '\n' {
		_, _ = fmt.Fprintln(w)
	}
	return w.Flush() // tells of the first write that failed
}

func unpark(out io.Writer, i *store.Inspector, ids []int64) error {
	n, err := i.Unpark(ids...)
	if err != nil {
		return err
	}
	return report(out, "unparked", n, ids, "parked deliveries")
}

func drop(out io.Writer, i *store.Inspector, ids []int64) error {
	n, err := i.Drop(ids...)
	if err != nil {
		return err
	}
	return report(out, "dropped", n, ids, "deliveries")
}

// report says what was done, and fails if that is less than was told.
func report(out io.Writer, did string, n int64, ids []int64, what string) error {
	if _, err := fmt.Fprintf(out, "%s %s\n", did, count(n)); err != nil {
		return err
	}
	if n < int64(len(ids)) {
		return fmt.Errorf("reading argument ID: expected ids of %d %s, found %d of them", len(ids), what, n)
	}
	return nil
}

func count(n int64) string {
	if n == 1 {
		return "1 delivery"
	}
	return humanize.Comma(n) + " deliveries"
}

// confirmDrop shows what is going to be deleted and asks whether it shall be. Without
// somebody to ask it is an error.
func confirmDrop(in io.Reader, out io.Writer, i *store.Inspector, ids []int64) error {
	if !isTerminal(in) {
		return errors.New("asking whether to drop: expected a terminal on stdin, or the flag --yes")
	}
	return askToDrop(in, out, i, ids)
}

// shown is how many deliveries are shown before they are dropped.
const shown = 20

func askToDrop(in io.Reader, out io.Writer, i *store.Inspector, ids []int64) error {
	writeHead(out)
	for _, id := range ids[:min(len(ids), shown)] {
		r, err := i.Get(id)
		if err != nil {
			return err
		}
		if err := writeRow(out, entryOf(r), time.Now()); err != nil {
			return err
		}
	}
	if more := len(ids) - shown; more > 0 {
		_, _ = fmt.Fprintf(out, "and %s more\n", humanize.Comma(int64(more)))
	}
	if _, err := fmt.Fprintf(out, "The senders will not send them again. Delete %s for good? [y/N] ", count(int64(len(ids)))); err != nil {
		return err
	}
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("dropping: expected the answer y, so nothing is deleted")
	}
	return nil
}

// entryOf is what ls shows of a record.
func entryOf(r *store.Record) store.Entry {
	return store.Entry{
		ID: r.ID, StoredAt: r.StoredAt, Vendor: r.Metadata[delivery.KeyVendor], Event: r.Metadata[delivery.KeyEvent],
		Attempts: r.Attempts, LastError: r.LastError, NextAttempt: r.NextAttempt, Parked: r.Parked, Size: int64(len(r.Body)),
	}
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// printable returns a text of one line that does nothing to a terminal: what is not
// printable is written as Go writes it, such as \x1b.
func printable(text string) string {
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// printableLines is printable for a text of several lines, which stay lines, and
// whose backslashes stay as they are.
func printableLines(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '\n', r == '\t', strconv.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b.WriteString(text[:size])
		default:
			quoted := strconv.Quote(text[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// escapeJSON escapes in a JSON document what a terminal might obey and encoding/json
// leaves as it is, such as the control characters from U+0080 on.
func escapeJSON(document string) string {
	var b strings.Builder
	for _, r := range document {
		switch {
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
