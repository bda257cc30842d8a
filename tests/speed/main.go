// Command speed compares the door with what users would take instead. Load and
// servers run on this machine, one server at a time, in rounds; only what stands in
// one run may be compared. It takes some three minutes, and wants Linux and the
// folder of the repository:
//
//	go run ./tests/speed
//
// Every server takes CallRail's post-call of 3 KB, over 64 connections that each
// wait for their answer: a bare net/http handler that reads the body, the engine's
// http_server, that with the decoding as a mapping, the door with signature and
// decoding, and that with the spool, in a folder of this machine's temporary folder.
// The columns are medians over the rounds: deliveries a second, CPU
// seconds of the server for 1,000, and both as ratios to other servers of the same
// round.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	sample  = "plugins/vendors/callrail/testdata/post_call/abandoned.json"
	mapping = "tests/bloblang/callrail.blobl"
	secret  = "0123456789abcdef0123456789abcdef"
)

// server is one of those that are compared. Its config is "" for the bare handler.
type server struct{ name, config, headers string }

var servers = []server{
	{name: "bare net/http"},
	{name: "http_server", config: engine("")},
	{name: "http_server, mapping", config: engine("pipeline: { processors: [ { mapping: 'from \"" + mapping + "\"' } ] }")},
	{name: "webhook, verified, decoded", config: door},
	{name: "webhook, spool", config: door + `
buffer: { spool: { dir: "${SPEED_SPOOL}" } }
`},
	{name: "webhook, sender takes gzip", config: door, headers: "Accept-Encoding: gzip\r\n"},
}

func engine(pipeline string) string {
	return `
input: { http_server: { address: "${SPEED_ADDRESS}", path: /callrail/post_call, ws_path: "" } }
` + pipeline + `
output: { drop: {} }
logger: { level: ERROR }
`
}

const door = `
input:
  webhook:
    address: "${SPEED_ADDRESS}"
    vendors: callrail
pipeline: { processors: [ webhook_decode: {} ] }
output: { drop: {} }
logger: { level: ERROR }
`

// bareAddress, if it is set, makes this process the bare handler.
const bareAddress = "SPEED_BARE_ADDRESS"

func main() {
	log.SetFlags(0)
	if address := os.Getenv(bareAddress); address != "" {
		log.Fatal(http.ListenAndServe(address, http.HandlerFunc(bare))) //nolint:gosec // it is what is compared with, on loopback
	}
	rounds := flag.Int("rounds", 5, "rounds over all servers")
	seconds := flag.Duration("seconds", 5*time.Second, "of load for each server and round, after one of warm-up")
	only := flag.String("only", "", "compare the servers only whose name holds this")
	flag.Parse()
	if err := run(*rounds, *seconds, *only); err != nil {
		log.Fatal(err)
	}
}

func bare(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func run(rounds int, took time.Duration, only string) error {
	dir, err := os.MkdirTemp("", "speed")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "hookswitch")
	build := exec.Command("go", "build", "-o", binary, "./cmd/hookswitch")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	text, err := os.ReadFile(sample)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := json.Compact(&body, text); err != nil {
		return err
	}
	compared := slices.DeleteFunc(slices.Clone(servers), func(s server) bool { return !strings.Contains(s.name, only) })
	out := log.New(os.Stdout, "", 0)
	results := make([][]result, len(compared))
	for round := range rounds {
		for i, s := range compared {
			r, err := measure(s, dir, binary, body.Bytes(), took)
			if err != nil {
				return fmt.Errorf("measuring %s: %w", s.name, err)
			}
			out.Printf("round %d, %s: %.0f a second, %.4f CPU seconds for 1,000", round+1, s.name, r.rate, r.cpu)
			results[i] = append(results[i], r)
		}
	}
	report(out, compared, results)
	return nil
}

type result struct{ rate, cpu float64 }

func report(out *log.Logger, compared []server, results [][]result) {
	out.Printf("\n%s, %d cores, medians of %d rounds\n\n", processor(), runtime.NumCPU(), len(results[0]))
	others := min(4, len(compared)) // that the others are put into ratio to
	var header strings.Builder
	for _, s := range compared[:others] {
		fmt.Fprintf(&header, " rate / %s |", s.name)
	}
	out.Printf("| | a second | CPU s for 1,000 |%s", header.String())
	out.Printf("|%s", strings.Repeat("---|", 3+others))
	for i, s := range compared {
		var ratios strings.Builder
		for j := range others {
			fmt.Fprintf(&ratios, " %.2f |", median(results[i], func(n int) float64 { return results[i][n].rate / results[j][n].rate }))
		}
		out.Printf("| %s | %.0f | %.4f |%s", s.name,
			median(results[i], func(n int) float64 { return results[i][n].rate }),
			median(results[i], func(n int) float64 { return results[i][n].cpu }), ratios.String())
	}
}

func median(results []result, of func(int) float64) float64 {
	var values []float64
	for n := range results {
		values = append(values, of(n))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, model, _ := strings.Cut(string(text), "model name")
	model, _, _ = strings.Cut(model, "\n")
	return strings.Trim(model, "\t: ")
}

func measure(s server, dir, binary string, body []byte, took time.Duration) (result, error) {
	address, err := freeAddress()
	if err != nil {
		return result{}, err
	}
	cmd := exec.Command(os.Args[0]) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), bareAddress+"="+address)
	if s.config != "" {
		file := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(file, []byte(s.config), 0o600); err != nil {
			return result{}, err
		}
		admin, err := freeAddress()
		if err != nil {
			return result{}, err
		}
		cmd = exec.Command(binary, "run", file)
		spool, err := os.MkdirTemp(dir, "spool")
		if err != nil {
			return result{}, err
		}
		defer os.RemoveAll(spool) // when the process has ended
		cmd.Env = append(os.Environ(), "SPEED_ADDRESS="+address, "SPEED_SPOOL="+spool, "CALLRAIL_SIGNING_KEY="+secret, "HOOKSWITCH_ADMIN_ADDRESS="+admin)
		if strings.HasPrefix(s.name, "http_server") {
			cmd.Env = append(cmd.Env, "GOGC=100") // as the engine's own distributions run
		}
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	if err := await(address); err != nil {
		return result{}, err
	}
	request := requestOf(s, address, body)
	if _, err := load(address, request, time.Second); err != nil {
		return result{}, err
	}
	before, err := cpuSeconds(cmd.Process.Pid)
	if err != nil {
		return result{}, err
	}
	begun := time.Now()
	n, err := load(address, request, took)
	if err != nil {
		return result{}, err
	}
	elapsed := time.Since(begun)
	after, err := cpuSeconds(cmd.Process.Pid)
	if err != nil {
		return result{}, err
	}
	return result{float64(n) / elapsed.Seconds(), (after - before) / float64(n) * 1000}, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func await(address string) error {
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("expected it to listen within ten seconds")
}

func requestOf(s server, address string, body []byte) []byte {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return fmt.Appendf(nil, "POST /callrail/post_call HTTP/1.1\r\nHost: %s\r\nUser-Agent: speed\r\nContent-Type: application/json\r\nSignature: %s\r\n%sContent-Length: %d\r\n\r\n%s",
		address, signature, s.headers, len(body), body)
}

const connections = 64

// load posts the request over the connections for a while, and returns how many
// were answered 200. Any other answer is an error.
func load(address string, request []byte, took time.Duration) (answered int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), took)
	defer cancel()
	var (
		wg     sync.WaitGroup
		counts [connections]int
		errs   [connections]error
	)
	for i := range connections {
		wg.Go(func() { counts[i], errs[i] = post(ctx, address, request) })
	}
	wg.Wait()
	for i := range connections {
		answered += counts[i]
	}
	return answered, errors.Join(errs[:]...)
}

// post is a client that costs next to nothing beside the servers.
func post(ctx context.Context, address string, request []byte) (answered int, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for ctx.Err() == nil {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return answered, err
		}
		if _, err := c.Write(request); err != nil {
			return answered, err
		}
		if err := readAnswer(r); err != nil {
			return answered, err
		}
		answered++
	}
	return answered, nil
}

func readAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("reading answer: expected 200, got %s", bytes.TrimSpace(status))
	}
	length, chunked := 0, false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch line = bytes.ToLower(bytes.TrimSpace(line)); {
		case len(line) == 0:
			if chunked {
				return skipChunks(r)
			}
			_, err := r.Discard(length)
			return err
		case bytes.HasPrefix(line, []byte("content-length:")):
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[len("content-length:"):]))); err != nil {
				return err
			}
		case bytes.HasPrefix(line, []byte("transfer-encoding: chunked")):
			chunked = true
		}
	}
}

func skipChunks(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(size) + len("\r\n")); err != nil || size == 0 {
			return err
		}
	}
}

// cpuSeconds is what a process has used, in user mode and in the kernel.
func cpuSeconds(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading /proc/%d/stat: expected 15 fields", pid)
	}
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const ticksPerSecond = 100 // USER_HZ of Linux
	return float64(ticks) / ticksPerSecond, nil
}
