package store

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/stretchr/testify/require"
)

// machine is an SQLite VFS over files of the system, whose power can be cut: then every
// byte that no returned sync covers is lost, torn or kept, as chance has it. Its disk
// can be full, and its operations can fail.
type machine struct {
	name string

	mu     sync.Mutex
	rand   *rand.Rand
	files  map[uint64]*platter // by inode
	off    bool                // nothing works any more
	until  int                 // operations until the power goes off by itself; -1 for never
	space  int64               // bytes that files may take; 0 for any
	faults float64             // how likely an operation fails
	steps  int                 // operations so far
	failAt int                 // the operation that fails; 0 for none
	fault  syscall.Errno       // with which operations fail; 0 for EIO
	failed bool
	// failSync counts the syncs until one fails, 0 for none. So many operations after
	// the sync that fails, the power goes off.
	failSync, offAfter int
}

// platter is what of a file is on disk for sure, and what was changed since the last
// sync. It holds the file open, so that no other file gets its inode.
type platter struct {
	file    *os.File
	durable []byte
	pending []change
}

// change is a write, or, without data, a truncation.
type change struct {
	at   int64
	data []byte
}

func newMachine(t testing.TB, seed uint64) *machine {
	m := &machine{name: t.Name(), rand: rand.New(rand.NewPCG(seed, 1)), files: map[uint64]*platter{}, until: -1}
	vfs.Register(m.name, m)
	t.Cleanup(func() {
		vfs.Unregister(m.name)
		for _, p := range m.files {
			p.file.Close()
		}
	})
	return m
}

// sector is what a disk writes whole or not at all.
const sector = 512

func (c change) apply(b []byte) []byte {
	end := c.at + int64(len(c.data))
	if c.data == nil && int64(len(b)) > end {
		return b[:end]
	}
	if missing := end - int64(len(b)); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	copy(b[c.at:], c.data)
	return b
}

// settle makes some of the pending changes durable, in any order, torn at sectors.
func (p *platter) settle(random *rand.Rand) {
	random.Shuffle(len(p.pending), func(i, j int) { p.pending[i], p.pending[j] = p.pending[j], p.pending[i] })
	keep := random.IntN(3) // none, some, all
	for _, c := range p.pending {
		if keep == 0 || keep == 1 && random.IntN(2) == 0 {
			continue
		}
		if c.data == nil || random.IntN(3) > 0 {
			p.durable = c.apply(p.durable)
			continue
		}
		for start := int64(0); start < int64(len(c.data)); {
			end := min((c.at+start)/sector*sector+sector-c.at, int64(len(c.data)))
			if random.IntN(2) == 0 {
				p.durable = change{c.at + start, c.data[start:end]}.apply(p.durable)
			}
			start = end
		}
	}
	p.pending = nil
}

// kill stops every operation, as the end of the process does: what was written stays.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
}

// failASync has the sync of that number fail, and the power go off after so many more
// operations.
func (m *machine) failASync(number, offAfter int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failSync, m.offAfter = number, offAfter
}

// syncsFail reports whether the sync that is to fail is yet to come.
func (m *machine) syncsFail() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failSync > 0
}

// start lets operations work again.
func (m *machine) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off, m.until, m.failAt, m.failed, m.steps = false, -1, 0, false, 0
}

// losePower leaves of the files in dir what is on disk. The machine must be off, and
// every connection closed.
func (m *machine) losePower(t testing.TB, dir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	require.True(t, m.off)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if filepath.Ext(path) == ".db-shm" {
			require.NoError(t, os.Remove(path))
			continue
		}
		info, err := entry.Info()
		require.NoError(t, err)
		p := m.files[info.Sys().(*syscall.Stat_t).Ino]
		if p == nil {
			continue
		}
		p.settle(m.rand)
		require.NoError(t, os.WriteFile(path, p.durable, 0o600))
	}
}

// step counts an operation, and reports whether it is to fail.
func (m *machine) step() error {
	if m.until >= 0 {
		if m.until--; m.until < 0 {
			m.off = true
		}
	}
	if m.off {
		return sqlite3.IOERR
	}
	m.steps++
	if m.steps == m.failAt || m.faults > 0 && m.rand.Float64() < m.faults {
		m.failed = true
		if m.fault != 0 {
			return m.fault
		}
		return syscall.EIO
	}
	return nil
}

// taken returns the bytes of all files that have a name.
func (m *machine) taken() int64 {
	var sum int64
	for _, p := range m.files {
		var stat syscall.Stat_t
		if syscall.Fstat(int(p.file.Fd()), &stat) == nil && stat.Nlink > 0 {
			sum += stat.Size
		}
	}
	return sum
}

func (m *machine) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, 0, sqlite3.CANTOPEN
}

func (m *machine) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return nil, 0, sqlite3.CANTOPEN
	}
	file, flags, err := vfsutil.WrapOpenFilename(vfs.Find(""), name, flags)
	if err != nil {
		return nil, 0, err
	}
	handle, err := os.Open(name.String())
	if err != nil {
		return nil, 0, err
	}
	info, err := handle.Stat()
	if err != nil {
		return nil, 0, err
	}
	inode := info.Sys().(*syscall.Stat_t).Ino
	p := m.files[inode]
	if p == nil {
		p = &platter{file: handle}
		if p.durable, err = os.ReadFile(name.String()); err != nil {
			return nil, 0, err
		}
		m.files[inode] = p
	} else {
		handle.Close()
	}
	return &machineFile{File: file, machine: m, platter: p}, flags, nil
}

func (m *machine) Delete(name string, syncDir bool) error { return vfs.Find("").Delete(name, syncDir) }

func (m *machine) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return vfs.Find("").Access(name, flags)
}

func (m *machine) FullPathname(name string) (string, error) { return vfs.Find("").FullPathname(name) }

type machineFile struct {
	vfs.File
	machine *machine
	platter *platter
}

func (f *machineFile) WriteAt(b []byte, at int64) (int, error) {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	err := f.machine.step()
	if err == nil {
		err = f.grow(at + int64(len(b)))
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = vfs.SystemError(err, sqlite3.FULL)
	}
	if err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(b, at)
	f.platter.pending = append(f.platter.pending, change{at, append([]byte{}, b[:n]...)})
	return n, err
}

// grow returns an error when a size of the file does not fit the disk.
func (f *machineFile) grow(size int64) error {
	now, err := f.Size()
	if err != nil {
		return err
	}
	if m := f.machine; m.space > 0 && size > now && m.taken()+size-now > m.space {
		return syscall.ENOSPC
	}
	return nil
}

func (f *machineFile) Truncate(size int64) error {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if err := f.machine.step(); err != nil {
		return err
	}
	f.platter.pending = append(f.platter.pending, change{at: size})
	return f.File.Truncate(size)
}

func (f *machineFile) SizeHint(size int64) error {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if err := f.machine.step(); err != nil {
		return err
	}
	now, err := f.Size()
	if err != nil || size <= now {
		return err
	}
	if err := f.grow(size); err != nil {
		return err
	}
	f.platter.pending = append(f.platter.pending, change{at: size - 1, data: []byte{0}})
	return f.File.Truncate(size)
}

// Sync makes the file's changes durable. What a sync that fails has not made durable
// can be read as before, and a later sync does not know it any more.
func (f *machineFile) Sync(flags vfs.SyncFlag) error {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	err := f.machine.step()
	if f.machine.failSync > 0 {
		if f.machine.failSync--; f.machine.failSync == 0 && err == nil {
			err = syscall.EIO
			f.machine.until = f.machine.offAfter
		}
	}
	if err != nil {
		if !f.machine.off {
			f.platter.settle(f.machine.rand)
		}
		return err
	}
	for _, c := range f.platter.pending {
		f.platter.durable = c.apply(f.platter.durable)
	}
	f.platter.pending = nil
	return nil
}

func (f *machineFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }
func (f *machineFile) LockState() vfs.LockLevel       { return vfsutil.WrapLockState(f.File) }
func (f *machineFile) PersistWAL() bool               { return vfsutil.WrapPersistWAL(f.File) }
func (f *machineFile) SetPersistWAL(keep bool)        { vfsutil.WrapSetPersistWAL(f.File, keep) }
func (f *machineFile) PowersafeOverwrite() bool       { return vfsutil.WrapPowersafeOverwrite(f.File) }

func (f *machineFile) SetPowersafeOverwrite(on bool) {
	vfsutil.WrapSetPowersafeOverwrite(f.File, on)
}
func (f *machineFile) HasMoved() (bool, error) { return vfsutil.WrapHasMoved(f.File) }
