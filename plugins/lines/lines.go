// Package lines replaces the engine's outputs file and stdout, so that each message
// that is acknowledged can be read. The engine's go on writing behind the half of a
// message that a full disk or a crash has left, and so make one unreadable line of
// that half and the next message.
package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

const promise = `A message is acknowledged when the operating system has it, which survives the end of the process but not a loss of power. A message that could be written only in part, as on a full disk, is refused, and the next one begins with a separator, so that every acknowledged message can be read.`

var codecField = service.NewStringField("codec").
	Description("What separates messages: `lines` for a line break, `delim:x` for the text x, `append` for nothing. A message that ends with the separator gets no second one. With `all-bytes` the output file writes each message to a file of its own, in place of what the file held.").
	LintRule(`root = if !["lines", "append", "all-bytes"].contains(this) && !this.re_match("(?s)^delim:.") { ["`+codecs+`"] }`).
	Examples("lines", "delim:\t").
	Default("lines")

const codecs = "expected lines, append, all-bytes, or delim: and a text"

// Register replaces the outputs file and stdout of an environment.
func Register(env *service.Environment) error {
	return errors.Join(
		env.RegisterOutput("stdout", service.NewConfigSpec().
			Stable().
			Categories("Local").
			Summary("Writes messages to stdout, one a line.").
			Description(promise).
			Field(codecField), newStdout),
		env.RegisterOutput("file", service.NewConfigSpec().
			Stable().
			Categories("Local").
			Summary("Appends messages to a file, one a line.").
			Description(promise+`

The output holds one file open, that of the last message. When the file has been moved or removed, the next message goes to a new file at the path, so that a rotation needs neither a signal nor a copy of the file.`).
			Field(service.NewInterpolatedStringField("path").
				Description("The file. It is made where it is missing, and its folders as well. A path may not depend on what a sender says.").
				Examples("events.jsonl", `events-${! now().ts_format("2006-01-02", "UTC") }.jsonl`)).
			Field(codecField), newFile),
	)
}

func newStdout(conf *service.ParsedConfig, _ *service.Resources) (service.Output, int, error) {
	separator, _, err := readCodec(conf)
	return &output{separator: separator, file: os.Stdout}, 1, err
}

func newFile(conf *service.ParsedConfig, _ *service.Resources) (service.Output, int, error) {
	separator, whole, err := readCodec(conf)
	if err != nil {
		return nil, 0, err
	}
	path, err := conf.FieldInterpolatedString("path")
	return &output{separator: separator, whole: whole, path: path}, 1, err
}

// readCodec returns the separator of messages, and whether each message has a file
// of its own.
func readCodec(conf *service.ParsedConfig) (separator []byte, whole bool, err error) {
	codec, err := conf.FieldString("codec")
	if err != nil {
		return nil, false, err
	}
	text, ok := strings.CutPrefix(codec, "delim:")
	switch {
	case ok && text != "":
		return []byte(text), false, nil
	case codec == "lines":
		return []byte("\n"), false, nil
	case codec == "append", codec == "all-bytes":
		return nil, codec == "all-bytes", nil
	}
	return nil, false, fmt.Errorf("reading field codec: %s, got %q", codecs, codec)
}

type output struct {
	separator []byte
	whole     bool                        // a message replaces what its file holds
	path      *service.InterpolatedString // nil for stdout, which stays open

	mu   sync.Mutex
	file *os.File // nil until the first message
	torn bool     // the file ends within a message
}

func (o *output) Connect(context.Context) error { return nil }

func (o *output) Write(_ context.Context, msg *service.Message) error {
	body, err := msg.AsBytes()
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path != nil {
		path, err := o.path.TryString(msg)
		if err != nil {
			return fmt.Errorf("reading field path: %w", err)
		}
		if o.whole {
			return write(path, body)
		}
		if err := o.open(filepath.Clean(path)); err != nil {
			return err
		}
	}
	// One write for the whole line, so that another process that appends to the file
	// cannot write in between.
	line := make([]byte, 0, len(body)+2*len(o.separator))
	if o.torn {
		line = append(line, o.separator...)
	}
	line = append(line, body...)
	if !bytes.HasSuffix(body, o.separator) {
		line = append(line, o.separator...)
	}
	n, err := o.file.Write(line)
	o.torn = err != nil && (o.torn || n > 0)
	return err
}

// write writes a file and the folders that it needs.
func write(path string, body []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, body, 0o666)
}

// open opens the file at a path, unless it is open already.
func (o *output) open(path string) error {
	if o.file != nil {
		if o.file.Name() == path && o.inPlace() {
			return nil
		}
		err := o.file.Close()
		o.file = nil
		if err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	if o.torn, err = endsTorn(file, o.separator); err != nil {
		return errors.Join(fmt.Errorf("reading the end of %s: %w", path, err), file.Close())
	}
	o.file = file
	return nil
}

// inPlace tells whether the open file is still the file at its path.
func (o *output) inPlace() bool {
	open, err := o.file.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(o.file.Name())
	return err == nil && os.SameFile(open, found)
}

// endsTorn tells whether a file ends within a message. What is no regular file, such
// as a pipe, has no end to look at.
func endsTorn(file *os.File, separator []byte) (bool, error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || len(separator) == 0 {
		return false, nil
	}
	end := make([]byte, min(int64(len(separator)), info.Size()))
	if _, err := file.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return false, err
	}
	return !bytes.Equal(end, separator), nil
}

func (o *output) Close(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == nil || o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}
