//go:build unix

package webhook

import "syscall"

// mostConnections returns how many connections there may be if so many are
// configured: a quarter of the files that the process may open is left to outputs.
func mostConnections(configured int) int {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil {
		return configured
	}
	return max(1, int(min(uint64(configured), files.Cur-files.Cur/4)))
}
