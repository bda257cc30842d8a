//go:build !unix

package webhook

// mostConnections returns how many connections there may be if so many are
// configured.
func mostConnections(configured int) int { return configured }
