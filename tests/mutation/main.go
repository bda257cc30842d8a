// Command mutation changes the decoders in many small ways, and counts the changes that no
// test notices:
//
//	go run ./tests/mutation -n 1000
//
// All changes are compiled at once, into test binaries that the repository does not see; an
// environment variable chooses the one that takes effect. So a mutant costs a run of tests
// and no build.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// steps are the tests that a mutant has to survive, the fastest first.
var steps = []struct{ dir, run string }{
	{"plugins/payload", "."},
	{"plugins/event", "."},
	{"plugins/vendors", "."},
	{"plugins/vendors/callrail", "."},
	{"tests", "Golden|Sample|Emit|Key|Reference"},
	{"plugins/decode", "."},
	{"tests", "Report|Declared|Every|Explain|Same"},
	{"tests", "Sweep"},
}

const (
	variable = "HOOKSWITCH_MUTANT"
	timeout  = 3 * time.Minute // of a step; a mutant may loop for ever
	memory   = 6 << 30         // of a process; a mutant may allocate for ever
)

func main() {
	n := flag.Int("n", 0, "how many `mutants` to test; 0 for all")
	seed := flag.Uint64("seed", 1, "`number` that chooses the mutants")
	parallel := flag.Int("parallel", 2, "how many mutants to test at the `same` time")
	flag.Parse()
	if err := run(*n, *seed, *parallel); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func run(n int, seed uint64, parallel int) error {
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	mutants, err := build(dir)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: memory, Max: memory}); err != nil {
		return err
	}
	if err := test(dir, 0); err != nil {
		return fmt.Errorf("testing without a change: %w", err)
	}
	out := log.New(os.Stdout, "", 0)
	out.Printf("%d mutants", len(mutants))
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	if n > 0 && n < len(mutants) {
		mutants = mutants[:n]
	}
	killed := make([]bool, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for i := range next {
				killed[i] = test(dir, mutants[i].id) != nil
				if !killed[i] {
					out.Printf("survived: %s:%d: %s", mutants[i].path, mutants[i].line, mutants[i].what)
				}
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	workers.Wait()
	report(out, mutants, killed)
	return nil
}

// report prints how many mutants of each package, and of all, were killed.
func report(out *log.Logger, mutants []mutant, killed []bool) {
	tested, died := map[string]int{}, map[string]int{}
	for i, m := range mutants {
		for _, group := range []string{filepath.Dir(m.path), "all"} {
			tested[group]++
			if killed[i] {
				died[group]++
			}
		}
	}
	var groups []string
	for group := range tested {
		groups = append(groups, group)
	}
	slices.Sort(groups)
	for _, group := range groups {
		out.Printf("%s: %d of %d killed, %.1f %%", group, died[group], tested[group], 100*float64(died[group])/float64(tested[group]))
	}
}

// build writes the test binaries, and returns the mutants that are in them. A change that
// does not compile is left out.
func build(dir string) ([]mutant, error) {
	without := map[string]bool{} // lines that must not be changed
	for {
		overlay, mutants, err := mutate(dir, without)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(map[string]any{"Replace": overlay})
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o600); err != nil {
			return nil, err
		}
		output, err := compile(dir)
		if err == nil {
			return mutants, nil
		}
		broken := regexp.MustCompile(`(?m)^\S*/(\S+\.go:\d+):\d+: `).FindAllSubmatch(output, -1)
		before := len(without)
		for _, line := range broken {
			without[string(line[1])] = true
		}
		if len(without) == before {
			return nil, fmt.Errorf("building tests: %w\n%s", err, output)
		}
	}
}

func compile(dir string) ([]byte, error) {
	overlay := "-overlay=" + filepath.Join(dir, "overlay.json")
	if output, err := exec.Command("go", "build", "-gcflags=-e", overlay, "./plugins/vendors/all", "./plugins/decode").CombinedOutput(); err != nil {
		return output, err
	}
	for _, s := range steps {
		if output, err := exec.Command("go", "test", "-c", "-vet=off", overlay, "-o", binary(dir, s.dir), "./"+s.dir).CombinedOutput(); err != nil {
			return output, err
		}
	}
	return nil, nil
}

func binary(dir, pkg string) string {
	return filepath.Join(dir, flat(pkg)+".test")
}

// test runs the steps with a mutant. It returns an error if one fails.
func test(dir string, id int) error {
	for _, s := range steps {
		if err := runStep(binary(dir, s.dir), s.dir, s.run, id); err != nil {
			return err
		}
	}
	return nil
}

func runStep(binary, dir, pattern string, id int) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run", pattern, "-test.failfast", "-test.short")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(id), "GOMAXPROCS=1")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("testing %s: %w\n%s", dir, err, output.Bytes())
	}
	return nil
}
