package services

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// DuckDB returns the path of a Python that has DuckDB.
func DuckDB(t testing.TB) string {
	t.Helper()
	return Python(t, "duckdb==2.0.0")
}

// Python returns the path of a Python that has a package, given with its version as pip
// takes it.
func Python(t testing.TB, requirement string) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		Missing(t, requirement+" needs Python", err)
	}
	path, err := cache(strings.NewReplacer("==", "-", "[", "-", "]", "", ",", "-").Replace(requirement), func(path string) error {
		say("fetching %s with pip", requirement)
		if err := command(nil, "python3", "-m", "venv", path); err != nil {
			return err
		}
		return command(nil, python(path), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement)
	})
	if err != nil {
		Missing(t, requirement+" has to be fetched", err)
	}
	return python(path)
}

func python(venv string) string { return filepath.Join(venv, "bin", "python") }
