// Package readme does what the README and the pages that it links to say, word for word.
package readme

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

const root = "../.."

// pages are the README and the pages beside the code.
var pages = []string{"README.md", "configs/README.md", "plugins/vendors/README.md", "cmd/hookswitch/README.md", "configs/sql/README.md"}

func text(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

// TestLinks looks for what the pages link to.
func TestLinks(t *testing.T) {
	for _, page := range append(pages, ".github/CONTRIBUTING.md") {
		text, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "") // Go has brackets, too
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(prose, -1) {
			_, err := os.Stat(filepath.Join(root, filepath.Dir(page), link[1]))
			require.NoError(t, err, "%s links to %s", page, link[1])
		}
	}
}

// blocks returns the contents of the pages' fenced blocks of a language.
func blocks(t *testing.T, language string) (all []string) {
	t.Helper()
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text(t), -1) {
		all = append(all, match[1])
	}
	require.NotEmpty(t, all)
	return all
}

func commands(t *testing.T) (all []string) {
	t.Helper()
	for _, block := range blocks(t, "sh") {
		all = append(all, strings.Split(strings.TrimSpace(block), "\n")...)
	}
	return all
}

// command finds the one command that begins so.
func command(t *testing.T, prefix string) string {
	t.Helper()
	var found []string
	for _, c := range commands(t) {
		if strings.HasPrefix(c, prefix) {
			found = append(found, c)
		}
	}
	require.Len(t, found, 1, "commands that begin with %q", prefix)
	return found[0]
}

func run(t *testing.T, dir, command string) string {
	t.Helper()
	fmt.Fprintln(os.Stderr, "running", command)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", command, out)
	return string(out)
}

// TestEveryCommandIsRun knows where each command of the README is run. A new one
// has to be run, too.
func TestEveryCommandIsRun(t *testing.T) {
	ci, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	require.NoError(t, err)
	for _, c := range commands(t) {
		switch {
		case c == "go test ./...":
			require.Contains(t, string(ci), c)
		case c == "go build -v -tags full ./cmd/hookswitch": // which takes minutes
			require.Contains(t, string(ci), strings.TrimSuffix(c, "./cmd/hookswitch"))
		case strings.HasPrefix(c, "go build "):
			t.Run(c, func(t *testing.T) {
				binary := filepath.Join(t.TempDir(), "hookswitch") // and not in the repository
				run(t, root, "GOFLAGS=\"$GOFLAGS -o="+binary+"\" "+c)
				require.FileExists(t, binary)
			})
		case c == "go get ./cmd/hookswitch":
			// TestAddOutput
		case strings.HasPrefix(c, "go run ./cmd/hookswitch run "), strings.HasPrefix(c, "CALLRAIL_SIGNING_KEY="), strings.HasPrefix(c, "go run ./cmd/hookswitch replay "), strings.HasPrefix(c, "curl "):
			// TestQuickstart
		case strings.HasPrefix(c, "HOOKSWITCH_VENDORS=callrail "), strings.HasPrefix(c, "go run ./cmd/hookswitch spool "):
			// TestVerified
		case strings.HasPrefix(c, "go run ./cmd/hookswitch "):
			t.Run(c, func(t *testing.T) { require.NotEmpty(t, run(t, root, c+" && echo done")) })
		case strings.HasPrefix(c, "go test ./tests -run "), c == "go test ./plugins/vendors/... ./plugins/decode ./cmd/... ./tests":
			// TestAddVendor
		case strings.HasPrefix(c, "kafka-topics.sh "):
			// tests/kafka makes its topics with these
		default:
			require.Fail(t, "nothing runs this command of the README", c)
		}
	}
}

// started is a command of the README that runs until the test ends.
type started struct {
	address     string // of the door
	lines       chan string
	deadLetters string
	spool       string
}

// startCommand runs a command that starts the distribution, and waits until its door
// listens.
func startCommand(t *testing.T, command string) *started {
	t.Helper()
	s := &started{address: "127.0.0.1:8080", lines: make(chan string, 16), deadLetters: filepath.Join(t.TempDir(), "dead_letters.jsonl"), spool: t.TempDir()}
	if l, err := net.Listen("tcp", s.address); err != nil {
		s.address = services.FreeAddress(t) // as a user would whose port is taken
	} else {
		require.NoError(t, l.Close())
	}
	fmt.Fprintln(os.Stderr, "running", command)
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "HOOKSWITCH_ADDRESS="+s.address, "HOOKSWITCH_ADMIN_ADDRESS="+services.FreeAddress(t), "HOOKSWITCH_DEAD_LETTERS="+s.deadLetters, "HOOKSWITCH_SPOOL_DIR="+s.spool, "HOOKSWITCH_SHUTDOWN_DELAY=0s")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var logs bytes.Buffer
	cmd.Stderr = &logs
	require.NoError(t, cmd.Start())
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // the group: go run has started the binary
		for line := range s.lines {
			logs.WriteString(line + "\n")
		}
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 5*time.Minute, 200*time.Millisecond, "waiting for %s", s.address)
	return s
}

func (s *started) line(t *testing.T) string {
	t.Helper()
	select {
	case line := <-s.lines:
		return line
	case <-time.After(5 * time.Minute):
		require.Fail(t, "no event came out")
		return ""
	}
}

// TestQuickstart runs the main command, sends what the README sends and looks for
// what the README shows.
func TestQuickstart(t *testing.T) {
	s := startCommand(t, command(t, "go run ./cmd/hookswitch run "))
	send := strings.ReplaceAll(command(t, "curl "), "127.0.0.1:8080", s.address)
	run(t, root, send+" --fail --silent --show-error")
	require.Equal(t, unstamped(t, blocks(t, "json")[0]), unstamped(t, s.line(t)))
	require.Contains(t, run(t, root, strings.ReplaceAll(command(t, "CALLRAIL_SIGNING_KEY="), "127.0.0.1:8080", s.address)), "200 OK")
	require.Contains(t, s.line(t), `"type":"call.completed"`)
	require.NoFileExists(t, s.deadLetters)

	// What a wrong body gives: an answer 200, and a dead letter.
	run(t, root, "curl --fail --silent --show-error -d 'no JSON' -H 'Content-Type: application/json' http://"+s.address+"/mobiniti/inbound")
	letter, err := os.ReadFile(s.deadLetters)
	require.NoError(t, err)
	require.Contains(t, string(letter), `"reason":"malformed"`)
	require.Contains(t, string(letter), `"body":"bm8gSlNPTg=="`)

	// What becomes of it when it can be decoded.
	repaired := bytes.Replace(letter, []byte(`"body":"bm8gSlNPTg=="`), []byte(`"body":"`+base64.StdEncoding.EncodeToString([]byte(`{"id":"c-1"}`))+`"`), 1)
	require.NoError(t, os.WriteFile(s.deadLetters, repaired, 0o600))
	var said []string
	for _, c := range commands(t) {
		if strings.HasPrefix(c, "go run ./cmd/hookswitch replay ") {
			said = append(said, run(t, root, "HOOKSWITCH_DEAD_LETTERS="+s.deadLetters+" "+c))
		}
	}
	require.Len(t, said, 2)
	require.Contains(t, said[0], "1 mobiniti malformed")
	require.Contains(t, said[1], `"type":"message.received"`)
	require.Contains(t, said[1], "1 taken by the output")
}

// TestVerified runs the command that verifies a vendor. Nothing stands behind it, so
// that what is verified is not answered before its time is over.
func TestVerified(t *testing.T) {
	s := startCommand(t, command(t, "HOOKSWITCH_VENDORS="))
	for path, status := range map[string]string{"/callrail/post_call": "401", "/mobiniti/inbound": "404", "/healthz": "200"} {
		method := "POST"
		if path == "/healthz" {
			method = "GET"
		}
		require.Equal(t, status, run(t, root, "curl --silent --output /dev/null --write-out '%{http_code}' -X "+method+" http://"+s.address+path), path)
	}

	// No Kafka is here, so what the vendor sends waits in the spool.
	run(t, root, strings.ReplaceAll(command(t, "CALLRAIL_SIGNING_KEY="), "127.0.0.1:8080", s.address))
	require.Contains(t, run(t, root, strings.ReplaceAll(command(t, "go run ./cmd/hookswitch spool "), "./spool", s.spool)), "post_call")
}

var stamp = regexp.MustCompile(`"(recordedtime|deliveryid)":"[0-9a-zA-Z:.-]+"`)

// unstamped returns an event on one line, without what is another in each.
func unstamped(t *testing.T, event string) string {
	t.Helper()
	line := strings.Join(strings.Fields(event), "")
	require.Len(t, stamp.FindAllString(line, -1), 2, line)
	return stamp.ReplaceAllString(line, `"$1":""`)
}

// TestAddVendor adds a vendor to a copy of the project as the README says, and
// nothing else.
func TestAddVendor(t *testing.T) {
	dir := copyProject(t)
	decoder, line := blocks(t, "go")[0], blocks(t, "go")[1]
	file := regexp.MustCompile("`(plugins/vendors/acme/acme.go)`").FindStringSubmatch(text(t))[1]
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(decoder), 0o644))
	addImport(t, filepath.Join(dir, "plugins", "vendors", "all", "all.go"), line)
	sample := filepath.Join(dir, filepath.Dir(file), "testdata", "ringing", "first.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(sample), 0o755))
	require.NoError(t, os.WriteFile(sample, []byte(blocks(t, "json")[1]), 0o644))

	run(t, dir, command(t, "go test ./tests -run "))
	golden, err := os.ReadFile(sample + ".golden")
	require.NoError(t, err)
	require.Contains(t, string(golden), `"partitionkey": "acme/+4930901820"`)
	require.Contains(t, string(golden), `"time": "2026-03-02T08:11:55Z"`)
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	require.Contains(t, string(readme), "| [Acme](https://example.com/webhooks), [reference](configs/reference/acme.md) | call.started | HMAC-SHA256 in the header X-Acme-Signature |")
	run(t, dir, command(t, "go test ./plugins/vendors/..."))
	run(t, dir, "test -z \"$(gofmt -l plugins/vendors/acme)\"")

	// The shipped configs serve it as they are, verified by its signature.
	sendAcme(t, dir)

	// A scheme of its own is one more file of the folder.
	own := blocks(t, "go")[2]
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(regexp.MustCompile(`(?s)Signing: signing\.HMAC\{.*?\n\t\t\},`).ReplaceAllString(
		strings.NewReplacer("\t\"crypto\"\n", "", "\t\"time\"\n", "", "\t\"github.com/hookswitch/hookswitch/plugins/signing\"\n", "").Replace(decoder),
		"Signing: seal{},")), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Dir(file), "seal.go"), []byte(own), 0o644))
	run(t, dir, "test -z \"$(gofmt -l plugins/vendors/acme/seal.go)\"")
	run(t, dir, command(t, "go test ./tests -run "))
	sendAcme(t, dir)
}

// sendAcme builds the distribution, and sends it a sample of Acme that is signed with the
// secret, and another one with another secret.
func sendAcme(t *testing.T, dir string) {
	t.Helper()
	run(t, dir, "go build -o hookswitch ./cmd/hookswitch")
	events := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		events <- string(body)
	}))
	defer receiver.Close()
	t.Setenv("HOOKSWITCH_HTTP_URL", receiver.URL)
	t.Setenv("HOOKSWITCH_VENDORS", "acme")
	t.Setenv("ACME_SIGNING_KEY", "0123456789abcdef")
	s := startCommand(t, "exec "+filepath.Join(dir, "hookswitch")+" run "+filepath.Join(dir, "configs", "http.yaml"))
	require.Contains(t, run(t, dir, "./hookswitch send --vendor acme --event ringing http://"+s.address), "200 OK")
	require.Contains(t, <-events, `"source":"/acme"`)
	t.Setenv("ACME_SIGNING_KEY", "another-and-wrong")
	require.Contains(t, run(t, dir, "./hookswitch send --vendor acme --event ringing http://"+s.address+" || true"), "401")
}

// TestAddOutput compiles another set of outputs into a copy of the project as the
// README says, and nothing else.
func TestAddOutput(t *testing.T) {
	line := regexp.MustCompile("`(_ \"github.com/redpanda-data/connect/v4/public/components/([a-z]+)\")`").FindStringSubmatch(text(t))
	require.NotNil(t, line)
	dir := copyProject(t)
	addImport(t, filepath.Join(dir, "cmd", "hookswitch", "components.go"), "\t"+line[1]+"\n")
	get := exec.CommandContext(t.Context(), "sh", "-c", command(t, "go get "))
	get.Dir = dir
	if out, err := get.CombinedOutput(); err != nil {
		services.Missing(t, "the modules of the output have to be fetched", fmt.Errorf("%w: %s", err, out))
	}
	run(t, dir, command(t, "go build -v ./"))
	require.Contains(t, run(t, dir, "./hookswitch list outputs"), "- "+line[2]+"\n")
}

// copyProject returns a folder with a copy of the project.
func copyProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	fmt.Fprintln(os.Stderr, "copying the project")
	for _, name := range []string{"go.mod", "go.sum", "README.md"} {
		copyFile(t, filepath.Join(root, name), filepath.Join(dir, name))
	}
	for _, folder := range []string{"cmd", "configs", "plugins", "tests"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil || entry.IsDir() {
				return err
			}
			copyFile(t, path, filepath.Join(dir, name))
			return nil
		}))
	}
	return dir
}

// addImport adds a line to the imports of a file.
func addImport(t *testing.T, path, line string) {
	t.Helper()
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(file), "\n)", "\n"+line+")", 1)), 0o644))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.WriteFile(to, content, 0o644))
}
