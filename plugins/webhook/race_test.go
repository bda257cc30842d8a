//go:build race

package webhook

// raced says that the race detector runs: everything takes several times as long,
// and as much memory.
const raced = true
