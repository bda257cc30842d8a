package services

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Node returns the folder of a package for Node.js, given with its version as npm takes
// it. It is a value of NODE_PATH.
func Node(t testing.TB, requirement string) string {
	t.Helper()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, requirement+" needs Node.js and npm", err)
		}
	}
	path, err := cache("node-"+strings.ReplaceAll(requirement, "@", "-"), func(path string) error {
		say("fetching %s with npm", requirement)
		return command(nil, "npm", "install", "--prefix", path, "--silent", "--no-audit", "--no-fund", "--ignore-scripts", requirement)
	})
	if err != nil {
		Missing(t, requirement+" has to be fetched", err)
	}
	return filepath.Join(path, "node_modules")
}
