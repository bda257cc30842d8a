package distribution

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/tests/services"
)

// Secrets, the first of which YAML takes for a number.
var secrets = []string{"31415926535897932384", "hunter2-hunter2-hunter2"}

// No command prints a secret, whatever is wrong with the config.
func TestSecretsAreNotPrinted(t *testing.T) {
	const rest = "pipeline: { processors: [ webhook_decode: {} ] }\noutput: { drop: {} }\n"
	for name, input := range map[string]string{
		"right":                 "vendors: callrail\n",
		"right, file":           "vendors: supersend\n",
		"without a secret":      "vendors: mobiniti\n",
		"right, route":          "routes: [ { path: /a, vendor: callrail, verify: { secret_env: CALLRAIL_SIGNING_KEY } } ]\n",
		"wrong route":           "routes: [ { path: a, vendor: callrail, verify: { secret_env: CALLRAIL_SIGNING_KEY } } ]\n",
		"unknown field":         "secret: ${CALLRAIL_SIGNING_KEY}\nvendors: callrail\n",
		"unknown field, list":   "routes: [ { path: /a, vendor: callrail, verify: { secrets: [ ${CALLRAIL_SIGNING_KEY} ] } } ]\n",
		"unknown field, quoted": "routes: [ { path: /a, vendor: callrail, verify: { secrets: [ '${CALLRAIL_SIGNING_KEY}' ] } } ]\n",
		"quoted for its name":   "routes: [ { path: /a, vendor: callrail, verify: { secret_env: '${CALLRAIL_SIGNING_KEY}' } } ]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := "input:\n  webhook:\n    address: ${HOOKSWITCH_ADDRESS}\n    " + strings.ReplaceAll(strings.TrimSpace(input), "\n", "\n    ") + "\n" + rest
			path := write(t, config)
			tests := strings.TrimSuffix(path, ".yaml") + "_benthos_test.yaml"
			require.NoError(t, os.WriteFile(tests, []byte("tests: [ { name: none, input_batch: [ { content: x } ], output_batches: [ [ { bloblang: 'false' } ] ] } ]\n"), 0o600))
			for _, secret := range secrets {
				file := filepath.Join(t.TempDir(), "secret")
				require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
				for _, args := range [][]string{
					{"lint", path}, {"echo", path}, {"test", path}, {"run", path}, {"run", "--log.level", "trace", "--chilled", path},
				} {
					cmd := exec.CommandContext(t.Context(), "timeout", append([]string{"2", services.Binary()}, args...)...)
					cmd.Env = append(os.Environ(), "HOOKSWITCH_ADDRESS="+services.FreeAddress(t), "HOOKSWITCH_ADMIN_ADDRESS="+services.FreeAddress(t),
						"CALLRAIL_SIGNING_KEY="+secret, "SUPERSEND_SECRET_FILE="+file)
					text, _ := cmd.CombinedOutput() // whether it succeeds is another test's matter
					require.NotContains(t, string(text), secret, "%v of\n%s", args, config)
				}
			}
		})
	}
}
