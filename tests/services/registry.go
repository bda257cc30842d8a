package services

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const apicurio = "apicurio-registry-app-2.6.13.Final"

// Registry starts a schema registry of the test's own, Apicurio's, and returns the URL of
// Confluent's API.
func Registry(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		Missing(t, "a schema registry needs Java 17", err)
	}
	path, err := cache(apicurio, func(path string) error {
		say("fetching Apicurio Registry 2.6.13 with Maven, 142 MB")
		if err := command(nil, "mvn", "-q", "-B", "dependency:copy", "-DoutputDirectory="+scratch,
			"-Dartifact=io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all"); err != nil {
			return err
		}
		if err := command(nil, "mkdir", path); err != nil {
			return err
		}
		return command(nil, "tar", "-xzf", apicurio+"-all.tar.gz", "-C", path)
	})
	if err != nil {
		Missing(t, "a schema registry has to be fetched", err)
	}
	address := FreeAddress(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	say("starting a schema registry at %s", address)
	cmd := exec.Command("java", "-Xmx256m", "-Dquarkus.http.host="+host, "-Dquarkus.http.port="+port, "-jar", filepath.Join(path, apicurio+"-runner.jar"))
	cmd.Dir = t.TempDir()
	log := filepath.Join(cmd.Dir, "log")
	p, err := start(cmd, log, log)
	require.NoError(t, err)
	t.Cleanup(p.stop)
	require.NoError(t, p.await(address), tailOf(log))
	return "http://" + address + "/apis/ccompat/v7"
}
