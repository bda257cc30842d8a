package services

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

// Postgres starts a PostgreSQL server of the test's own, and returns its database.
func Postgres(t testing.TB) *sql.DB {
	t.Helper()
	// Debian has the programs of a server outside of the path.
	initdb, err := exec.LookPath("initdb")
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); err != nil && len(found) > 0 {
		initdb, err = found[len(found)-1], nil
	}
	if err != nil {
		Missing(t, "a jsonb column needs PostgreSQL", err)
	}
	dir, err := os.MkdirTemp("/tmp", "hookswitch-postgres-") //nolint:usetesting // t.TempDir may be of root alone
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	owner := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		// PostgreSQL does not run as root.
		owner.Credential = nobody(t)
		require.NoError(t, os.Chown(dir, int(owner.Credential.Uid), int(owner.Credential.Gid)))
	}
	as := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(filepath.Dir(initdb), program), args...)
		cmd.Dir, cmd.SysProcAttr = dir, owner
		return cmd
	}
	data := filepath.Join(dir, "data")
	out, err := as("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	require.NoError(t, err, string(out))
	say("starting PostgreSQL in %s", dir)
	log := filepath.Join(t.TempDir(), "log")
	p, err := start(as("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off"), log, log)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGINT) // which does not wait for clients
		<-p.exited
	})
	db, err := sql.Open("postgres", fmt.Sprintf("host=%s user=postgres dbname=postgres sslmode=disable", dir))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	Eventually(t, func() bool {
		require.True(t, p.running(), "PostgreSQL has ended: %s", tailOf(log))
		return db.PingContext(t.Context()) == nil
	}, "PostgreSQL answers")
	return db
}

// nobody returns a user without rights.
func nobody(t testing.TB) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
