package services

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// DuckDB returns the path of a Python that has DuckDB.
func DuckDB(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		Missing(t, "DuckDB needs Python", err)
	}
	if exec.Command("python3", "-c", "import duckdb").Run() == nil {
		return "python3"
	}
	path, err := cache("duckdb-2.0.0", func(path string) error {
		say("fetching DuckDB with pip")
		if err := command(nil, "python3", "-m", "venv", path); err != nil {
			return err
		}
		return command(nil, python(path), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "duckdb==2.0.0")
	})
	if err != nil {
		Missing(t, "DuckDB has to be fetched", err)
	}
	return python(path)
}

func python(venv string) string { return filepath.Join(venv, "bin", "python") }
