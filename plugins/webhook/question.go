package webhook

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/signing"
	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// question is how a vendor asks whether the URL of a route is ours.
type question struct {
	*vendors.Handshake
	token *proof // by the token of the query
}

// newQuestion returns nil for a vendor that does not ask.
func newQuestion(v *vendors.Vendor) *question {
	if v.Handshake == nil {
		return nil
	}
	return &question{v.Handshake, newProof(signing.PathToken{}, v.Handshake.SecretEnv, "vendors")}
}

// load reads the token. Where there is none, no question is answered.
func (q *question) load(env environment, log *service.Logger) error {
	if err := q.token.load(env, log); !errors.Is(err, errNoSecret) {
		return err
	}
	return nil
}

// maxChallenge is how many bytes of a query are answered.
const maxChallenge = 256

// answer returns what a query is answered with. It is not ok unless the query has the
// token, once, and a challenge of printable ASCII.
func (q *question) answer(query string) (challenge string, ok bool) {
	values, err := url.ParseQuery(query)
	if err != nil || q.token.verifier == nil {
		return "", false
	}
	for name, want := range q.Query {
		if got := values[name]; len(got) != 1 || got[0] != want {
			return "", false
		}
	}
	token, challenges := values[q.Token], values[q.Challenge]
	if len(token) != 1 || len(challenges) != 1 || !isChallenge(challenges[0]) {
		return "", false
	}
	return challenges[0], q.token.verifier.Verify(&signing.Request{Token: token[0], Now: time.Now()}) > 0
}

func isChallenge(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return text != "" && len(text) <= maxChallenge
}

// isQuestion reports whether a request may be a vendor's question.
func isQuestion(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}
