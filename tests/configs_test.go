package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hookswitch/hookswitch/plugins/vendors"
)

// TestConfigs holds the shipped configs to what every user relies on: none names a
// vendor, so a new vendor needs no edit; each but the quickstart verifies by default,
// and takes its certificate from the environment; each has time to leave.
func TestConfigs(t *testing.T) {
	paths, err := filepath.Glob("../configs/*.yaml")
	require.NoError(t, err)
	comment := regexp.MustCompile(`(?m)(^|\s)#.*$`)
	doors := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_benthos_test.yaml") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		config := comment.ReplaceAllString(string(text), "")
		for _, v := range vendors.All() {
			require.NotContains(t, config, v.Name, path)
			require.NotContains(t, config, v.SecretEnv, path)
		}
		require.Contains(t, config, "shutdown_delay: ${HOOKSWITCH_SHUTDOWN_DELAY:", path)
		require.FileExists(t, strings.TrimSuffix(path, ".yaml")+"_benthos_test.yaml")
		if !strings.Contains(config, "  webhook:\n") || strings.HasSuffix(path, "quickstart.yaml") {
			continue
		}
		doors++
		for _, line := range []string{
			`vendors: "${HOOKSWITCH_VENDORS:}"`, `unverified: ${HOOKSWITCH_UNVERIFIED:false}`, `public_url: "${HOOKSWITCH_PUBLIC_URL:}"`, `address: ${HOOKSWITCH_ADDRESS:127.0.0.1:8080}`,
			`cert_file: "${HOOKSWITCH_TLS_CERT_FILE:}"`, `key_file: "${HOOKSWITCH_TLS_KEY_FILE:}"`, `client_ca_file: "${HOOKSWITCH_TLS_CLIENT_CA_FILE:}"`,
		} {
			require.Contains(t, config, "    "+line+"\n", path)
		}
		require.NotContains(t, config, "none: true", path)
	}
	require.GreaterOrEqual(t, doors, 5)
}
