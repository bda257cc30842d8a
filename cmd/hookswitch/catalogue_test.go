package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// call runs a command with arguments, as main does, and returns what it writes.
func call(t *testing.T, command *cli.Command, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	app := &cli.App{
		Commands: []*cli.Command{command}, Reader: strings.NewReader(stdin), Writer: &out, ErrWriter: &errs,
		ExitErrHandler: func(*cli.Context, error) {}, // which would end the test
	}
	err = app.RunContext(t.Context(), append([]string{"hookswitch", command.Name}, args...))
	return out.String(), errs.String(), err
}

// requireMisuse expects the exit code of wrong arguments.
func requireMisuse(t *testing.T, err error, says string) {
	t.Helper()
	require.ErrorContains(t, err, says)
	var coded cli.ExitCoder
	require.ErrorAs(t, err, &coded)
	require.Equal(t, 2, coded.ExitCode())
}

func TestVendors(t *testing.T) {
	all, _, err := call(t, vendorsCommand(), "")
	require.NoError(t, err)
	for _, v := range vendors.All() {
		require.Regexp(t, `(?m)^`+v.Name+` +`+v.SecretEnv+` `, all)
		page, _, err := call(t, vendorsCommand(), "", v.Name)
		require.NoError(t, err)
		require.Contains(t, page, v.Page)
		for _, e := range v.Events {
			require.Regexp(t, `(?m)^`+e.Name+` +`+strings.Join(e.Types, " "), page)
		}
	}
	callrail, _, err := call(t, vendorsCommand(), "", "callrail")
	require.NoError(t, err)
	require.Contains(t, callrail, "HMAC-SHA1 in the header Signature")
	require.Contains(t, callrail, "https://<host>/callrail/post_call\n")
	require.Contains(t, callrail, "\nanother ")
	mobiniti, _, err := call(t, vendorsCommand(), "", "mobiniti")
	require.NoError(t, err)
	require.Contains(t, mobiniti, "https://<host>/mobiniti/<secret>/inbound\n")
	require.NotContains(t, mobiniti, "\nanother ", "its list is closed")
	supersend, _, err := call(t, vendorsCommand(), "", "supersend")
	require.NoError(t, err)
	require.Contains(t, supersend, "https://<host>/supersend\n")

	_, _, err = call(t, vendorsCommand(), "", "nobody")
	requireMisuse(t, err, `one of `+strings.Join(vendors.Names(), ", ")+`, got "nobody"`)
	_, _, err = call(t, vendorsCommand(), "", "callrail", "mobiniti")
	requireMisuse(t, err, "got 2 arguments")
}

func TestSamples(t *testing.T) {
	list, _, err := call(t, samplesCommand(), "")
	require.NoError(t, err)
	for name := range strings.Lines(list) {
		name = strings.TrimSuffix(name, "\n")
		body, _, err := call(t, samplesCommand(), "", name)
		require.NoError(t, err, name)
		require.NotEmpty(t, body, name)
		vendor, _, _ := strings.Cut(name, "/")
		ours, _, err := call(t, samplesCommand(), "", vendor)
		require.NoError(t, err)
		require.Contains(t, ours, name+"\n")
	}
	for _, v := range vendors.All() {
		require.Contains(t, list, v.Name+"/")
	}
	body, _, err := call(t, samplesCommand(), "", "mobiniti/inbound/keyword")
	require.NoError(t, err)
	require.Contains(t, body, `"message": "STOP"`)
	v, _ := vendors.Get("mobiniti")
	sent, err := v.Sample("inbound")
	require.NoError(t, err)
	body, _, err = call(t, samplesCommand(), "", "mobiniti/inbound")
	require.NoError(t, err)
	require.Equal(t, string(sent), body)

	for _, name := range []string{"nobody", "nobody/x", "mobiniti/nothing", "mobiniti/inbound/nothing", "mobiniti/inbound/../inbound/keyword"} {
		_, _, err = call(t, samplesCommand(), "", name)
		requireMisuse(t, err, "expected")
	}
}

func TestDecode(t *testing.T) {
	inbound := []string{"--vendor", "mobiniti", "--event", "inbound"}
	body, _, err := call(t, samplesCommand(), "", "mobiniti/inbound/keyword")
	require.NoError(t, err)
	out, _, err := call(t, decodeCommand(), body, inbound...)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(out, "\n"))
	require.Contains(t, out, `"type":"message.received"`)
	require.Contains(t, out, `"source":"/mobiniti"`)
	file, _, err := call(t, decodeCommand(), "", append(inbound, "../../plugins/vendors/mobiniti/testdata/inbound/keyword.json")...)
	require.NoError(t, err)
	require.Equal(t, out, file)

	out, _, err = call(t, decodeCommand(), body, append(inbound, "--account", "north", "-")...)
	require.NoError(t, err)
	require.Contains(t, out, `"source":"/mobiniti/north"`)
	out, _, err = call(t, decodeCommand(), "call_id=7", "--vendor", "callrail", "--content-type", "application/x-www-form-urlencoded")
	require.NoError(t, err)
	require.Contains(t, out, `"raw":{"call_id":"7"}`)

	out, _, err = call(t, decodeCommand(), "Service unavailable", inbound...)
	require.ErrorContains(t, err, "malformed: reading mobiniti body of 19 bytes")
	require.Empty(t, out)

	out, reasons, err := call(t, decodeCommand(), "{\"id\":\"1\"}\n\nnot JSON\n{\"id\":\"2\"}", append(inbound, "--lines")...)
	require.ErrorContains(t, err, "1 of 3 gave none")
	require.Regexp(t, `^line 3: malformed: reading mobiniti body of 8 bytes: .*\n$`, reasons)
	require.Equal(t, 2, strings.Count(out, "\n"), "a body that fails does not hold up those behind it")

	_, _, err = call(t, decodeCommand(), body, "--vendor", "nobody")
	requireMisuse(t, err, `got "nobody"`)
	_, _, err = call(t, decodeCommand(), body, "--vendor", "mobiniti", "a", "b")
	requireMisuse(t, err, "got 2 arguments")
	_, _, err = call(t, decodeCommand(), body, "--vendor", "mobiniti", t.TempDir()+"/none")
	requireMisuse(t, err, "opening the body")
}

func TestExplain(t *testing.T) {
	body := `{"id":"c-1","phone_number":"+12025550143","message":"STOP","short_code":"64600","received_at":"soon","new_key":1}`
	out, _, err := call(t, decodeCommand(), body, "--vendor", "mobiniti", "--event", "inbound", "--explain")
	require.NoError(t, err)
	for _, line := range []string{
		`\(native event\) +inbound, message.received`,
		`phone_number +contact.phone, contact.phone_as_sent, message.from, partitionkey`,
		`message +message.text, id`,
		`new_key +raw only: the decoder does not know the key`,
		`\(issue\) +time: not_a_time`,
	} {
		require.Regexp(t, `(?m)^`+line+`$`, out)
	}
	out, _, err = call(t, decodeCommand(), "nothing", "--vendor", "mobiniti", "--explain")
	require.ErrorContains(t, err, "malformed: reading mobiniti body")
	require.Empty(t, out)
}

func TestSchema(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, `"$id": "urn:hookswitch:event:1"`},
		{[]string{"call.completed"}, `"$id": "urn:hookswitch:call.completed:1"`},
		{[]string{"--format", "jsonschema", "vendor"}, `"$id": "urn:hookswitch:vendor:1"`},
		{[]string{"--format", "avro"}, `"name": "recordedtime"`},
		{[]string{"--format", "parquet"}, `recordedtime`},
	} {
		out, _, err := call(t, schemaCommand(), "", test.args...)
		require.NoError(t, err)
		require.Contains(t, out, test.says)
		require.True(t, strings.HasSuffix(out, "\n") && !strings.HasSuffix(out, "\n\n"))
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"call.finished"}, `one of event, call.started, `},
		{[]string{"--format", "xml"}, `got "xml"`},
		{[]string{"--format", "avro", "call.completed"}, "one schema for all events"},
		{[]string{"a", "b"}, "got 2 arguments"},
	} {
		_, _, err := call(t, schemaCommand(), "", test.args...)
		requireMisuse(t, err, test.says)
	}
}

// The page speaks of this program, and names every command that it shows.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	app := &cli.App{Name: "hookswitch", Writer: &out, Commands: []*cli.Command{vendorsCommand(), decodeCommand(), studioCommand()}}
	require.NoError(t, app.RunContext(t.Context(), []string{"hookswitch", "--help"}))
	require.Contains(t, out.String(), "the front door for webhooks")
	require.Contains(t, out.String(), vendorsCommand().Usage)
	require.NotContains(t, out.String(), "mundane")
	require.NotContains(t, out.String(), "studio")
}

// Wrong flags are misuse, too, and nothing of the help stands in a pipe.
func TestFlagsMisused(t *testing.T) {
	for _, command := range []*cli.Command{vendorsCommand(), samplesCommand(), decodeCommand(), schemaCommand()} {
		out, _, err := call(t, command, "", "--nothing")
		requireMisuse(t, err, "reading flags: flag provided but not defined: -nothing")
		require.Empty(t, out, command.Name)
	}
	out, _, err := call(t, decodeCommand(), "{}")
	requireMisuse(t, err, "reading flag vendor: expected one of")
	require.Empty(t, out)
}

// What the help shows can be copied.
func TestHelpExamples(t *testing.T) {
	body, _, err := call(t, samplesCommand(), "", "mobiniti/inbound")
	require.NoError(t, err)
	commands := map[string]func() *cli.Command{"vendors": vendorsCommand, "samples": samplesCommand, "decode": decodeCommand, "schema": schemaCommand}
	tried := map[string]bool{}
	for line := range strings.Lines(appHelp) {
		example, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		words := strings.Fields(strings.Replace(example, "FILE", "-", 1))
		if len(words) < 2 || words[0] != "hookswitch" || commands[words[1]] == nil {
			continue
		}
		tried[words[1]] = true
		out, _, err := call(t, commands[words[1]](), body, words[2:]...)
		require.NoError(t, err, example)
		require.NotEmpty(t, out, example)
	}
	require.Len(t, tried, len(commands))
}
