package webhook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/signing"
)

// environment looks a variable up, as os.LookupEnv does.
type environment func(name string) (string, bool)

// A secret is named by its environment variable. The variable NAME_OLD holds the
// secret that is being replaced, and NAME_FILE names a file that holds the secret.
const (
	oldSuffix  = "_OLD"
	fileSuffix = "_FILE"
)

// positions is more than the position of any secret: the secret has position 1, and
// the secret that it replaces position 2.
const positions = 3

// shortSecret is how many characters a secret has to have if requests hold the
// secret itself, so that nobody guesses it.
const shortSecret = 16

// maxSecret is how large a file of a secret may be.
const maxSecret = 64 << 10

var errNoSecret = errors.New("expected a secret")

// ReadSecret returns the secret that a variable holds, or the file that its twin
// NAME_FILE names; "" if neither is set.
func ReadSecret(name string) (string, error) {
	s, err := readSource(name, os.LookupEnv)
	if s == nil || err != nil {
		return "", err
	}
	return s.text, nil
}

// source is where a secret comes from.
type source struct {
	text     string // the secret
	position int
	name     string // of the variable that is set: NAME, or NAME_FILE
	file     string // "" where the variable holds the secret

	stamp  stamp // of the file when it was read
	failed bool  // the file could not be read again, which has been logged
}

// stamp tells versions of a file apart.
type stamp struct {
	changed time.Time
	size    int64
}

// readSource returns the source of a variable, nil if it is not set. Errors name
// the variable.
func readSource(name string, env environment) (*source, error) {
	text, _ := env(name)
	file, _ := env(name + fileSuffix)
	s := &source{name: name}
	var err error
	switch {
	case file != "" && text != "":
		return nil, fmt.Errorf("expected one of %s and %s, both are set", name, name+fileSuffix)
	case file != "":
		s.name, s.file = name+fileSuffix, file
		_, err = s.read()
	case strings.TrimSpace(text) == "":
		return nil, nil
	default:
		s.text, err = checkSecret(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading variable %s: %w", s.name, err)
	}
	return s, nil
}

// read reads the file if the file has changed, and reports whether the secret has.
// After an error the source still has the last secret.
func (s *source) read() (changed bool, err error) {
	info, err := os.Stat(s.file)
	if err != nil {
		return false, err
	}
	now := stamp{info.ModTime(), info.Size()}
	if now == s.stamp && !s.failed {
		return false, nil
	}
	f, err := os.Open(s.file)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return false, err
	}
	if len(text) > maxSecret {
		return false, fmt.Errorf("expected at most %d bytes in %s", maxSecret, s.file)
	}
	next, err := checkSecret(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
	if err != nil {
		return false, fmt.Errorf("%w in %s", err, s.file)
	}
	changed = !signing.Equal([]byte(next), []byte(s.text))
	s.text, s.stamp = next, now
	return changed, nil
}

// checkSecret refuses white space around a secret: nobody means it, and nobody sees
// it.
func checkSecret(text string) (string, error) {
	switch strings.TrimSpace(text) {
	case "":
		return "", errors.New("expected a secret, got none")
	case text:
		return text, nil
	}
	return "", errors.New("expected no white space around the secret")
}

// newVerifier returns a verifier with the secrets of a variable and its twins. The
// error is errNoSecret if none of these variables is set.
func newVerifier(s signing.Scheme, name string, env environment, log *service.Logger) (signing.Verifier, error) {
	var sources []*source
	files := false
	for i, name := range []string{name, name + oldSuffix} {
		source, err := readSource(name, env)
		if err != nil {
			return nil, err
		}
		if source != nil {
			source.position = i + 1
			sources = append(sources, source)
			files = files || source.file != ""
		}
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("%w in %s, or in the file that %s names", errNoSecret, name, name+fileSuffix)
	}
	r := &reloading{scheme: s, sources: sources, log: log, looked: time.Now()}
	if err := r.build(); err != nil {
		return nil, err
	}
	if !files {
		return r.current, nil
	}
	return r, nil
}

// reloading is a verifier with secrets in files: when a file changes, the verifier
// is built again.
type reloading struct {
	scheme  signing.Scheme
	sources []*source
	log     *service.Logger

	mu      sync.Mutex
	looked  time.Time
	current signing.Verifier
}

func (v *reloading) build() error {
	next := &accepting{}
	var secrets []string
	for _, s := range v.sources {
		secrets = append(secrets, s.text)
		next.positions = append(next.positions, s.position)
	}
	var err error
	next.Verifier, err = v.scheme.Verifier(secrets)
	if wrong := (*signing.SecretError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("reading variable %s: expected %s", v.sources[wrong.Position-1].name, wrong.Expected)
	}
	if err != nil {
		return err
	}
	v.current = next
	for _, s := range v.sources {
		if v.scheme.Reads().Secret && len(s.text) < shortSecret {
			v.log.With("variable", s.name).Warnf("A secret has less than %d characters: somebody may guess it", shortSecret)
		}
	}
	return nil
}

// get returns the verifier with the secrets as they are now. It looks at the files
// at most once a second.
func (v *reloading) get() signing.Verifier {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.looked) >= lookEvery {
		v.look()
		v.looked = time.Now()
	}
	return v.current
}

func (v *reloading) look() {
	for _, s := range v.sources {
		if s.file == "" {
			continue
		}
		before := *s
		changed, err := s.read()
		if changed && err == nil {
			if err = v.build(); err == nil {
				v.log.With("variable", s.name).Info("Read a new secret")
			}
		}
		if err != nil {
			*s = before
			if !s.failed {
				v.log.With("variable", s.name, "error", err.Error()).Error("Keeping the last secret: its file cannot be read")
			}
		}
		s.failed = err != nil
	}
}

// Verify implements [signing.Verifier].
func (v *reloading) Verify(r *signing.Request) int { return v.get().Verify(r) }

// accepting tells the positions of the secrets from their places in a scheme's list.
type accepting struct {
	signing.Verifier
	positions []int
}

// Verify implements [signing.Verifier].
func (v *accepting) Verify(r *signing.Request) int {
	if at := v.Verifier.Verify(r); at > 0 {
		return v.positions[at-1]
	}
	return 0
}
