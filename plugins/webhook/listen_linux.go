package webhook

import (
	"net"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// refuseNew makes the kernel drop what begins a connection to the listener. Those
// whose handshake is under way are still completed, so that the listener can be
// closed when it has accepted them, and the kernel resets none. A sender that
// begins now tries again after a second, and is refused.
func refuseNew(l net.Listener) {
	const flags, syn = 13, 0x02 // of the header of TCP
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: flags, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: syn, SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 1 << 16},
	})
	socket, ok := l.(syscall.Conn)
	if err != nil || !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	// Where the kernel takes no filter, connections that come while the listener is
	// closed may be reset.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
}
