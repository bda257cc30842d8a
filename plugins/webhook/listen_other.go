//go:build !linux

package webhook

import "net"

// refuseNew does nothing where the kernel cannot be asked to begin no connection:
// those that come while the listener is closed may be reset.
func refuseNew(net.Listener) {}
