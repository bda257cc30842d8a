package store

import "fmt"

// disk is what a store takes on disk, and what it has.
type disk struct {
	pageCount, freePages int64
	frames               int64 // of the WAL that hold commits
	walSize              int64
	walCap               int64 // what the WAL may take before it is cut
	aside                int64 // bytes of the files that were set aside
	records, parked      int64
}

func (w *writer) disk() *disk {
	return &disk{
		pageCount: w.pageCount,
		freePages: w.freePages,
		frames:    w.frames,
		walSize:   w.walSize,
		walCap:    w.walCap(),
		aside:     w.aside,
		records:   w.records,
		parked:    w.parked,
	}
}

// Figures for the bounds.
const (
	// roomPages is what Room asks room for.
	roomPages = 16
	// touchedPages are those that a transaction changes beside the pages of its
	// records: inner pages, the list of free pages, the state.
	touchedPages = 64
	// growth is by how much the database is allocated ahead.
	growth = 1 << 20
	// shrinkAbove is from which size on an empty database gives its room back.
	shrinkAbove = 64 << 20
)

// checkpointFrames returns how many frames of the WAL are checkpointed together.
func checkpointFrames(maxSize int64) int64 { return min(4000, maxSize/16/frameSize) }

// walCap returns how much the WAL may take before it is cut. Records are admitted only
// if there is room for so much, since their deletion needs it.
func (w *writer) walCap() int64 { return max(walReserve, 2*w.checkpointAt*frameSize) }

// shmSize returns the bytes of the WAL's index.
func (d *disk) shmSize() int64 { return (d.walSize/frameSize/4062 + 1) * 32768 }

// inUse returns the bytes that hold something.
func (d *disk) inUse() int64 {
	return (d.pageCount-d.freePages)*pageSize + d.walSize + d.shmSize() + d.aside
}

// grown returns the disk after a transaction that fills so many pages, and by how many
// bytes it grows.
func (d disk) grown(pages int64) (disk, int64) {
	before := d.taken()
	d.pageCount += max(0, pages-d.freePages)
	d.walSize = max(d.walSize, d.walCap, 32+(d.frames+pages+touchedPages)*frameSize)
	return d, d.taken() - before
}

// taken returns the bytes that the directory takes, with what is allocated ahead.
func (d *disk) taken() int64 {
	size := (d.pageCount*pageSize + growth - 1) / growth * growth
	return size + d.walSize + d.shmSize() + d.aside
}

// refusal is that of records for which there was no room. There is none until more is
// free than was then, by what the records take: a calculation beforehand cannot know
// what the file system makes of it.
type refusal struct {
	err   error
	pages int64 // of the records
	free  int64 // bytes that were free
}

// refuse notes a refusal.
func (s *Store) refuse(err error, pages int64) {
	free, failure := s.free(s.writer.disk())
	if failure != nil {
		return // Room meets the failure, too
	}
	s.refusal.Store(&refusal{err: err, pages: pages, free: free})
}

// free returns how many bytes are free: in the database, and up to the next bound.
func (s *Store) free(d *disk) (int64, error) {
	free, err := freeSpace(s.dir)
	if err != nil {
		return 0, fmt.Errorf("looking at the file system of %s: %w", s.dir, err)
	}
	return d.freePages*pageSize + min(free-s.options.MinFree, s.options.MaxSize-d.taken()), nil
}

// roomFor returns nil when records of so many pages fit the bounds, else an error that
// wraps ErrFull.
func (s *Store) roomFor(d disk, pages int64) error {
	after, grows := d.grown(pages)
	if taken := after.taken(); taken > s.options.MaxSize {
		return fmt.Errorf("%w: %s has %d bytes in use of at most %d", ErrFull, s.dir, d.inUse(), s.options.MaxSize)
	}
	free, err := freeSpace(s.dir)
	if err != nil {
		return fmt.Errorf("looking at the file system of %s: %w", s.dir, err)
	}
	if free-grows < s.options.MinFree {
		return fmt.Errorf("%w: the file system of %s has %d bytes free, and %d must stay free", ErrFull, s.dir, free, s.options.MinFree)
	}
	return nil
}
