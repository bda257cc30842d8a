package store

import (
	"fmt"
	"os"
	"testing"

	"github.com/hookswitch/hookswitch/tests/folders"
)

func TestMain(m *testing.M) {
	if err := folders.LeaveMemory(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
