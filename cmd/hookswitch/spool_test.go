package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/delivery"
	"github.com/hookswitch/hookswitch/plugins/spool/store"
)

// hostile is what a stranger might send to rule an operator's terminal: colours, a
// title, a bell, another line, a control character of two bytes, text from right to
// left, and bytes that are no UTF-8.
const hostile = "\x1b[31mred\x1b]0;title\x07\r\nline\u009b31m\u202egnp\x7f\xff\x00 \"q\" \\"

// run runs a command with nobody at the terminal, and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	stdout, stderr, err := call(t, spoolCommand(), "y\n", args...)
	return stdout + stderr, err
}

// openStore opens a store as a running process does, until the test ends.
func openStore(t *testing.T) (dir string, s *store.Store) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spool")
	s, err := store.Open(store.Options{Dir: dir, MaxSize: 1 << 30, AllowVolatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.WithoutCancel(t.Context()))) })
	return dir, s
}

// fill keeps records, and returns their ids.
func fill(t *testing.T, s *store.Store, records ...*store.Record) (ids []int64) {
	t.Helper()
	done := make(chan error, 1)
	s.Append(records, func(err error) { done <- err })
	require.NoError(t, <-done)
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// waitForMark waits until what Mark and Delete were told is on the disk.
func waitForMark(t *testing.T, s *store.Store, id int64, holds func(*store.Record) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		all, err := s.Get([]int64{id})
		require.NoError(t, err)
		return len(all) == 1 && holds(all[0])
	}, 10*time.Second, 5*time.Millisecond)
}

var receivedAt = time.Date(2026, 7, 1, 15, 13, 12, 41920318, time.UTC)

func genuine() *store.Record {
	return &store.Record{
		Metadata: map[string]string{
			delivery.KeyID: "019f1e3b-94b9-7e2e-97a9-24a0e9d05b0a", delivery.KeyReceivedAt: delivery.FormatTime(receivedAt),
			delivery.KeyVendor: "callrail", delivery.KeyEvent: "post_call", delivery.KeyAccount: "main",
			delivery.HeaderKey("X-Trace"): "7",
		},
		Body: []byte(`{"resource_id":"CAL1"}`),
	}
}

// park marks a record as the spool does that gives up on it.
func park(t *testing.T, s *store.Store, id int64, lastError string) (nextAttempt time.Time) {
	t.Helper()
	nextAttempt = time.Now().Add(10 * time.Minute).UTC().Truncate(time.Microsecond)
	s.Mark([]int64{id}, store.Mark{LastError: lastError, NextAttempt: nextAttempt, Parked: true})
	waitForMark(t, s, id, func(r *store.Record) bool { return r.Parked })
	return nextAttempt
}

func TestSpoolList(t *testing.T) {
	dir, s := openStore(t)
	out, err := run(t, "ls", dir)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(out, "\n"), "the head alone")

	ids := fill(t, s, genuine(), &store.Record{Body: []byte("x")}, genuine())
	nextAttempt := park(t, s, ids[2], "the sink said 422")

	out, err = run(t, "ls", dir)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, 4)
	require.Regexp(t, `^ +`+strconv.FormatInt(ids[0], 10)+` +\d+s  callrail +post_call +22 B +0  now +-$`, lines[1])
	require.Regexp(t, `^ +`+strconv.FormatInt(ids[1], 10)+` +\d+s  - +- +1 B +0  now +-$`, lines[2])
	require.Regexp(t, `^ +`+strconv.FormatInt(ids[2], 10)+` +\d+s  callrail +post_call +22 B +1  parked, in (10m0|9m\d+)s +the sink said 422$`, lines[3])

	parked, err := run(t, "ls", "--parked", dir)
	require.NoError(t, err)
	require.Len(t, strings.Split(strings.TrimSuffix(parked, "\n"), "\n"), 2)
	require.Contains(t, parked, "the sink said 422")

	out, err = run(t, "ls", "--json", dir)
	require.NoError(t, err)
	var all []listed
	for line := range strings.Lines(out) {
		var e listed
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&e), line)
		require.WithinDuration(t, time.Now(), e.StoredAt, time.Hour)
		e.StoredAt = time.Time{}
		all = append(all, e)
	}
	want := listed{Vendor: "callrail", Event: "post_call", Account: "main", DeliveryID: "019f1e3b-94b9-7e2e-97a9-24a0e9d05b0a", Size: 22}
	received := receivedAt.Truncate(time.Microsecond)
	require.NotNil(t, all[0].ReceivedAt)
	require.WithinDuration(t, received, *all[0].ReceivedAt, time.Microsecond)
	first, third := want, want
	first.ID, first.ReceivedAt = ids[0], all[0].ReceivedAt
	third.ID, third.ReceivedAt = ids[2], all[2].ReceivedAt
	third.Attempts, third.LastError, third.Parked = 1, "the sink said 422", true
	require.NotNil(t, all[2].NextAttempt)
	require.True(t, nextAttempt.Equal(*all[2].NextAttempt))
	third.NextAttempt = all[2].NextAttempt
	require.Equal(t, []listed{first, {ID: ids[1], Size: 1}, third}, all)
}

// TestSpoolAfterACrash looks into the files of a store that was never closed.
func TestSpoolAfterACrash(t *testing.T) {
	dir, s := openStore(t)
	ids := fill(t, s, genuine(), genuine())
	crashed := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))

	out, err := run(t, "ls", crashed)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(out, "\n"))
	out, err = run(t, "drop", "--yes", crashed, strconv.FormatInt(ids[0], 10))
	require.NoError(t, err)
	require.Equal(t, "dropped 1 delivery\n", out)
	out, err = run(t, "ls", crashed)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out, "\n"))
}

func TestSpoolShow(t *testing.T) {
	dir, s := openStore(t)
	r := genuine()
	ids := fill(t, s, r)
	park(t, s, ids[0], "the sink said 422")
	id := strconv.FormatInt(ids[0], 10)

	out, err := run(t, "show", dir, id)
	require.NoError(t, err)
	for _, line := range []string{
		`id +` + id, `stored +20\S+Z, \d+s ago`, `attempts +1`, `next attempt +parked, in (10m0|9m\d+)s`, `last error +the sink said 422`,
		`webhook_vendor +callrail`, `webhook_header_x_trace +7`, `webhook_received_at +2026-07-01T15:13:12\.041920318Z`,
		`body +22 B`, `\{"resource_id":"CAL1"\}`,
	} {
		require.Regexp(t, `(?m)^`+line+`$`, out)
	}

	out, err = run(t, "show", "--body", dir, id)
	require.NoError(t, err)
	require.Equal(t, string(r.Body), out)

	_, err = run(t, "show", dir, "4711")
	require.ErrorIs(t, err, store.ErrNotFound)
}

// TestSpoolKeepsStrangersOffTheTerminal puts control characters wherever a stranger
// might.
func TestSpoolKeepsStrangersOffTheTerminal(t *testing.T) {
	dir, s := openStore(t)
	r := &store.Record{Metadata: map[string]string{
		delivery.KeyVendor: hostile, delivery.KeyEvent: hostile, delivery.KeyAccount: hostile, delivery.KeyID: hostile,
		delivery.HeaderKey("X"): hostile, delivery.Prefix + hostile: hostile,
	}, Body: []byte(hostile)}
	ids := fill(t, s, r)
	park(t, s, ids[0], hostile)
	id := strconv.FormatInt(ids[0], 10)
	for _, args := range [][]string{{"ls", dir}, {"ls", "--json", dir}, {"show", dir, id}} {
		out, err := run(t, args...)
		require.NoError(t, err)
		require.Contains(t, out, "title", args)
		requireHarmless(t, out)
	}
	out, err := run(t, "ls", dir)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out, "\n"), "an event does not break a line")

	// A pipe gets the bytes.
	out, err = run(t, "show", "--body", dir, id)
	require.NoError(t, err)
	require.Equal(t, hostile, out)

	out = ask(t, dir, "no\n", ids[0])
	require.Contains(t, out, "title")
	requireHarmless(t, out)
}

// requireHarmless expects text that a terminal only shows.
func requireHarmless(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	for _, r := range text {
		require.True(t, r == '\n' || r == '\t' || unicode.IsPrint(r), "%q in %q", r, text)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		`it said "no", über 7`:     `it said "no", über 7`,
		"a\nb\tc\\":                `a\nb\tc\\`,
		"\x1b[1m\u009b\xff\u202e🙂": `\x1b[1m\u009b\xff\u202e🙂`,
	} {
		require.Equal(t, want, printable(text))
	}
	require.Equal(t, "{\n\t\"a\\nb\": 1\\r\n}\\x00\\xff�", printableLines("{\n\t\"a\\nb\": 1\r\n}\x00\xff�"))

	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		text := make([]byte, random.IntN(30))
		for i := range text {
			text[i] = byte(random.IntN(256))
		}
		runes := string([]rune{rune(random.IntN(0x3000)), rune(random.IntN(utf8.MaxRune)), 0xe0001}) + string(text)
		requireHarmless(t, printable(runes))
		requireHarmless(t, printableLines(runes))
		unquoted, err := strconv.Unquote(`"` + strings.ReplaceAll(printable(runes), `"`, `\"`) + `"`)
		if !strings.Contains(runes, `"`) { // which printable does not quote
			require.NoError(t, err)
			require.Equal(t, runes, unquoted)
		}
		document, err := json.Marshal(runes)
		require.NoError(t, err)
		requireHarmless(t, escapeJSON(string(document)))
		var plain, escaped string
		require.NoError(t, json.Unmarshal(document, &plain))
		require.NoError(t, json.Unmarshal([]byte(escapeJSON(string(document))), &escaped))
		require.Equal(t, plain, escaped)
	}
}

func TestSpoolUnpark(t *testing.T) {
	dir, s := openStore(t)
	ids := fill(t, s, genuine(), genuine(), genuine(), genuine())
	for _, id := range ids[:3] {
		park(t, s, id, "no")
	}
	id := func(i int) string { return strconv.FormatInt(ids[i], 10) }

	out, err := run(t, "unpark", dir, id(0), id(0))
	require.NoError(t, err)
	require.Equal(t, "unparked 1 delivery\n", out)
	waitForMark(t, s, ids[0], func(r *store.Record) bool { return !r.NextAttempt.After(time.Now()) })

	due, err := s.Parked(time.Now(), 10)
	require.NoError(t, err)
	require.Equal(t, ids[:1], due, "the running process looks there")

	out, err = run(t, "unpark", dir, id(1), id(3), "4711")
	require.EqualError(t, err, "reading argument ID: expected ids of 3 parked deliveries, found 1 of them")
	require.Equal(t, "unparked 1 delivery\n", out)

	out, err = run(t, "unpark", dir)
	require.NoError(t, err)
	require.Equal(t, "unparked 3 deliveries\n", out)
	changed, err := s.Changed()
	require.NoError(t, err)
	require.True(t, changed, "the running process hears of it")
}

func TestSpoolDrop(t *testing.T) {
	dir, s := openStore(t)
	records := make([]*store.Record, 3000)
	for i := range records {
		records[i] = genuine()
	}
	ids := fill(t, s, records...)
	first := strconv.FormatInt(ids[0], 10)

	// Nobody is asked, though an answer can be read.
	out, err := run(t, "drop", dir, first)
	require.EqualError(t, err, "asking whether to drop: expected a terminal on stdin, or the flag --yes")
	require.Empty(t, out)
	require.EqualValues(t, 3000, left(t, dir))

	out, err = run(t, "drop", "--yes", dir, first)
	require.NoError(t, err)
	require.Equal(t, "dropped 1 delivery\n", out)
	out, err = run(t, "drop", "--yes", dir, first, strconv.FormatInt(ids[1], 10))
	require.EqualError(t, err, "reading argument ID: expected ids of 2 deliveries, found 1 of them")
	require.Equal(t, "dropped 1 delivery\n", out)

	many := []string{"drop", "--yes", dir}
	for _, id := range ids[2:] {
		many = append(many, strconv.FormatInt(id, 10))
	}
	out, err = run(t, many...)
	require.NoError(t, err)
	require.Equal(t, "dropped 2,998 deliveries\n", out)
	require.Zero(t, left(t, dir))
}

// ask asks whether to drop a delivery, as at a terminal.
func ask(t *testing.T, dir, answer string, ids ...int64) string {
	t.Helper()
	i, err := store.Inspect(dir)
	require.NoError(t, err)
	defer i.Close()
	var out bytes.Buffer
	err = askToDrop(strings.NewReader(answer), &out, i, ids)
	if answer == "y\n" || answer == "YES\n" {
		require.NoError(t, err)
	} else {
		require.EqualError(t, err, "dropping: expected the answer y, so nothing is deleted")
	}
	return out.String()
}

func TestSpoolDropAsks(t *testing.T) {
	dir, s := openStore(t)
	var records []*store.Record
	for range 25 {
		records = append(records, genuine())
	}
	ids := fill(t, s, records...)
	for _, answer := range []string{"y\n", "YES\n", "n\n", "\n", "", "yesterday\n"} {
		out := ask(t, dir, answer, ids...)
		require.Equal(t, 20, strings.Count(out, "post_call"))
		require.Contains(t, out, "\nand 5 more\n")
		require.Contains(t, out, "Delete 25 deliveries for good? [y/N] ")
	}
	require.EqualValues(t, 25, left(t, dir), "asking deletes nothing")
	i, err := store.Inspect(dir)
	require.NoError(t, err)
	defer i.Close()
	require.ErrorIs(t, askToDrop(strings.NewReader("y\n"), &bytes.Buffer{}, i, []int64{4711}), store.ErrNotFound)
}

// left counts what is in a spool.
func left(t *testing.T, dir string) (n int) {
	t.Helper()
	i, err := store.Inspect(dir)
	require.NoError(t, err)
	defer i.Close()
	require.NoError(t, i.List(t.Context(), func(store.Entry) error {
		n++
		return nil
	}))
	return n
}

func TestSpoolArguments(t *testing.T) {
	dir, _ := openStore(t)
	for _, test := range []struct {
		want string
		args []string
	}{
		{"reading arguments: expected DIR, after all flags, got 0 arguments", []string{"ls"}},
		{"reading arguments: expected DIR, after all flags, got 2 arguments", []string{"ls", dir, "--json"}},
		{"reading arguments: expected DIR ID, after all flags, got 1 arguments", []string{"show", dir}},
		{"reading arguments: expected DIR ID, after all flags, got 3 arguments", []string{"show", dir, "1", "2"}},
		{"reading arguments: expected DIR ID ..., after all flags, got 1 arguments", []string{"drop", "--yes", dir}},
		{`reading argument ID: expected a number as ls shows it, got "-1"`, []string{"unpark", dir, "-1"}},
		{`reading argument ID: expected a number as ls shows it, got "x"`, []string{"show", dir, "x"}},
	} {
		out, err := run(t, test.args...)
		require.EqualError(t, err, test.want)
		require.Empty(t, out)
	}
	_, err := run(t, "ls", t.TempDir())
	require.Error(t, err, "a directory without a spool")
}
