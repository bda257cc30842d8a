package store

import "github.com/ncruces/go-sqlite3/vfs"

// unmappedVFS is the VFS of the operating system without memory mapping, which nothing
// here uses. The driver's VFS for checksums takes the mapping away from a file only
// after SQLite was told that the file has it: a checkpoint right after another
// connection has written then panics.
const unmappedVFS = "hookswitch-unmapped"

func init() { vfs.Register(unmappedVFS, unmapped{vfs.Find("")}) }

type unmapped struct{ vfs.VFS }

// OpenFilename implements vfs.VFSFilename.
func (v unmapped) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := v.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if mapped, ok := file.(osFile); ok && err == nil {
		return unmappedFile{mapped}, flags, nil
	}
	return file, flags, err
}

// osFile is what a file of the operating system can do beside mapping.
type osFile interface {
	vfs.File
	vfs.FileSharedMemory
	vfs.FileLockState
	vfs.FileHasMoved
	vfs.FileSizeHint
	vfs.FilePersistWAL
	vfs.FilePowersafeOverwrite
}

type unmappedFile struct{ osFile }

// Unwrap implements vfs.FileUnwrap.
func (f unmappedFile) Unwrap() vfs.File { return f.osFile }
