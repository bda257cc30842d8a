package webhook

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/signing"
)

// proof is how the senders of a route prove who they are. The routes of a vendor share it.
type proof struct {
	scheme   signing.Scheme
	reads    signing.Reads
	variable string           // the environment variable of the secret
	field    string           // the configuration's field that an error about the secret names
	optional bool             // without a secret the routes are dropped, and the input starts
	verifier signing.Verifier // nil until the secrets are loaded
}

func newProof(s signing.Scheme, variable, field string) *proof {
	return &proof{scheme: s, reads: s.Reads(), variable: variable, field: field}
}

// load reads the secrets, unless they are loaded. The error is errNoSecret if there is none.
func (p *proof) load(env environment, log *service.Logger) (err error) {
	if p.verifier == nil {
		p.verifier, err = newVerifier(p.scheme, p.variable, env, log)
	}
	return err
}
