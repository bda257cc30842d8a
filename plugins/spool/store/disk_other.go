//go:build !linux && !darwin

package store

import (
	"fmt"
	"os"
	"runtime"
)

// isVolatile refuses systems without the locks that the store needs.
func isVolatile(string) (bool, error) {
	return false, fmt.Errorf("the spool does not run on %s", runtime.GOOS)
}

func freeSpace(string) (int64, error) {
	return 0, fmt.Errorf("the spool does not run on %s", runtime.GOOS)
}

func flock(*os.File) (bool, error) {
	return false, fmt.Errorf("the spool does not run on %s", runtime.GOOS)
}
