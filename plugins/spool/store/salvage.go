package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// salvage makes a new database of what is readable in a damaged one, sets the damaged
// one aside, and puts the new one in its place. It may be cut short at any point: what
// it has not finished begins again at the next start.
func (s *Store) salvage(path string, cause error) error {
	image, err := openImage(path)
	if err != nil {
		return err
	}
	defer image.close()
	free, err := freeSpace(s.dir)
	if err != nil {
		return err
	}
	if need := int64(image.pages) * pageSize; free-need < s.options.MinFree {
		return fmt.Errorf("%w: a new database takes up to %d bytes, the file system has %d free, and %d must stay free", ErrFull, need, free, s.options.MinFree)
	}
	aside := filepath.Join(s.dir, asidePrefix+time.Now().UTC().Format("20060102T150405.000000Z")+".db")
	var found salvaged
	err = create(s.dir, s.options.vfs, func(c *sqlite3.Conn) (err error) {
		if found, err = image.copyTo(c, s.lastID); err != nil {
			return err
		}
		return errors.Join(os.Link(path, aside), os.Link(path+"-wal", aside+"-wal"))
	})
	if err != nil {
		_ = os.Remove(aside) // other names of files that are still in use
		_ = os.Remove(aside + "-wal")
		return err
	}
	if err := s.putNext(path); err != nil {
		return err
	}
	if err := touch(fileNames(path)...); err != nil {
		return err
	}
	lost := "an unknown number of records"
	if found.counted {
		lost = fmt.Sprintf("%d records", max(0, found.expected-found.records))
	}
	s.options.Errorf("the spool's database was damaged (%v): %d records came over, %s could not be read, %d bytes are damaged; the damaged file is %s, counts as disk, and may be deleted",
		cause, found.records, lost, found.damaged, aside)
	return nil
}

// salvaged is what became of a damaged database.
type salvaged struct {
	records  int64
	expected int64 // by the database's own count
	counted  bool  // the database's own count could be read
	damaged  int64 // bytes
}

// idGap is how far ids go on behind the greatest that is there, when the greatest that
// was given cannot be read.
const idGap = 1 << 32

// image is a database file and its WAL as they lie on disk, read page by page, without
// SQLite, which gives up a whole table for a damaged inner page. The formats are those
// of https://sqlite.org/fileformat2.html.
type image struct {
	db, wal *os.File
	frames  map[uint32]int64 // where the WAL has the newest content of a page
	pages   uint32
}

// usable is how much of a page SQLite fills; the checksum of the page takes the rest.
const usable = pageSize - 8

func openImage(path string) (*image, error) {
	db, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	im := &image{db: db, frames: map[uint32]int64{}}
	info, err := db.Stat()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	im.pages = uint32(info.Size() / pageSize)
	if im.wal, err = os.Open(path + "-wal"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	im.readWAL()
	return im, nil
}

func (im *image) close() {
	_ = im.db.Close()
	_ = im.wal.Close()
}

// readWAL notes where the frames of committed transactions are. The WAL ends at the
// first frame whose salt or checksum is wrong.
func (im *image) readWAL() {
	frame := make([]byte, frameSize)
	header := frame[:32]
	if _, err := im.wal.ReadAt(header, 0); err != nil {
		return
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(header) {
	case 0x377f0682:
	case 0x377f0683:
		order = binary.BigEndian
	default:
		return
	}
	sum := walSum{}.add(order, header[:24])
	if !sum.is(header[24:]) {
		return
	}
	salt := [8]byte(header[16:24])
	uncommitted := map[uint32]int64{}
	for at := int64(32); ; at += frameSize {
		if _, err := im.wal.ReadAt(frame, at); err != nil {
			return
		}
		sum = sum.add(order, frame[:8]).add(order, frame[24:])
		if salt != [8]byte(frame[8:16]) || !sum.is(frame[16:24]) {
			return
		}
		uncommitted[binary.BigEndian.Uint32(frame)] = at + 24
		pages := binary.BigEndian.Uint32(frame[4:])
		if pages == 0 {
			continue
		}
		im.pages = pages
		for number, offset := range uncommitted {
			im.frames[number] = offset
		}
		clear(uncommitted)
	}
}

// walSum is the running checksum of a WAL.
type walSum [2]uint32

func (s walSum) add(order binary.ByteOrder, b []byte) walSum {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}

func (s walSum) is(b []byte) bool {
	return s[0] == binary.BigEndian.Uint32(b) && s[1] == binary.BigEndian.Uint32(b[4:])
}

var errDamaged = errors.New("the page is damaged")

// page returns the content of a page. When the page can be read, but is not as it was
// written, page returns its content with errDamaged.
func (im *image) page(number uint32) ([]byte, error) {
	if number == 0 || number > im.pages {
		return nil, errDamaged
	}
	b := make([]byte, pageSize)
	if at, ok := im.frames[number]; ok {
		if _, err := im.wal.ReadAt(b, at); err != nil {
			return nil, err
		}
		return b[:usable], nil // readWAL has seen to the checksum
	}
	if _, err := im.db.ReadAt(b, int64(number-1)*pageSize); err != nil {
		return nil, err
	}
	sum := walSum{}.add(binary.LittleEndian, b[:usable])
	if sum[0] != binary.LittleEndian.Uint32(b[usable:]) || sum[1] != binary.LittleEndian.Uint32(b[usable+4:]) {
		return b[:usable], errDamaged
	}
	return b[:usable], nil
}

// free returns the numbers of the pages that hold nothing, as far as they can be read.
// What a free page once held would be offered again.
func (im *image) free() map[uint32]bool {
	free := map[uint32]bool{}
	first, err := im.page(1)
	if err != nil {
		return free
	}
	for trunk := binary.BigEndian.Uint32(first[32:]); trunk != 0 && !free[trunk]; {
		free[trunk] = true
		b, err := im.page(trunk)
		if err != nil {
			break
		}
		n := min(int(binary.BigEndian.Uint32(b[4:])), (usable-8)/4)
		for i := range n {
			free[binary.BigEndian.Uint32(b[8+4*i:])] = true
		}
		trunk = binary.BigEndian.Uint32(b)
	}
	return free
}

// copyTo copies what is readable into a new database, with its ids. lastID is the
// greatest id that was given as far as is known.
func (im *image) copyTo(c *sqlite3.Conn, lastID int64) (found salvaged, err error) {
	if _, err := c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false); err != nil {
		return found, err
	}
	defer func() {
		_, e := c.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, true)
		err = errors.Join(err, e)
	}()
	var insert, mark *sqlite3.Stmt
	err = prepare(c,
		statement{&insert, insertDelivery + ` ON CONFLICT DO NOTHING`},
		statement{&mark, `INSERT INTO attempt (id, attempts, last_error, next_attempt, parked) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`},
	)
	if err != nil {
		return found, err
	}
	free := im.free()
	newest := lastID
	for number := uint32(1); number <= im.pages; number++ {
		if free[number] {
			continue
		}
		b, damage := im.page(number)
		if damage != nil {
			found.damaged += pageSize
		}
		for _, row := range im.rows(b) {
			v := row.values
			switch table := row.table(); {
			case table == "delivery" && row.whole():
				// The record's own checksum is right, so its page need not be.
				err = errors.Join(insert.BindInt64(1, row.id), insert.BindInt64(2, v[1].number), insert.BindInt64(3, v[2].number),
					insert.BindRawText(4, v[3].bytes), insert.BindBlob(5, v[4].bytes), insert.Exec())
			case table == "attempt" && damage == nil:
				err = errors.Join(mark.BindInt64(1, row.id), mark.BindInt64(2, v[1].number), mark.BindRawText(3, v[2].bytes),
					mark.BindInt64(4, v[3].number), mark.BindInt64(5, v[4].number), mark.Exec())
			case table == "state" && damage == nil:
				newest = max(newest, v[1].number)
				found.expected, found.counted = v[2].number, true
			}
			if err != nil {
				return found, err
			}
		}
	}
	if err := c.Exec(`DELETE FROM attempt WHERE id NOT IN (SELECT id FROM delivery)`); err != nil {
		return found, err
	}
	if found.records, err = integer(c, `SELECT count(*) FROM delivery`); err != nil {
		return found, err
	}
	greatest, err := integer(c, `SELECT coalesce(max(id), 0) FROM delivery`)
	if err != nil {
		return found, err
	}
	newest = max(newest, greatest)
	if !found.counted && lastID == 0 {
		newest += idGap
	}
	return found, c.Exec(fmt.Sprintf(`UPDATE state SET newest = %d, records = %d, parked = (SELECT count(*) FROM attempt WHERE parked)`, newest, found.records))
}

// row is a row of a table.
type row struct {
	id     int64
	values []value
}

// value is a column of a row.
type value struct {
	kind   byte // 0 NULL, i integer, t text, b blob, ? anything else
	number int64
	bytes  []byte
}

// table tells the tables apart by their columns.
func (r *row) table() string {
	kinds := make([]byte, len(r.values))
	for i, v := range r.values {
		kinds[i] = v.kind
	}
	switch string(kinds) {
	case "0iitb":
		return "delivery"
	case "0itii":
		return "attempt"
	case "0iii":
		return "state"
	}
	return ""
}

// whole reports whether a row of delivery is as it was written.
func (r *row) whole() bool {
	sum := sumWithID(sumOf(r.values[3].bytes, r.values[4].bytes), r.id)
	_, err := parseMetadata(r.values[3].bytes)
	return err == nil && int64(sum) == r.values[2].number
}

// rows returns the rows of a page as far as they can be read; none, when the page is no
// leaf of a table.
func (im *image) rows(b []byte) []row {
	if len(b) == 0 || b[0] != 0x0d {
		return nil
	}
	var rows []row
	n := int(binary.BigEndian.Uint16(b[3:]))
	for i := range n {
		if 8+2*i+2 > len(b) {
			break
		}
		at := int(binary.BigEndian.Uint16(b[8+2*i:]))
		if at >= len(b) {
			continue
		}
		row, err := im.row(b[at:])
		if err == nil {
			rows = append(rows, row)
		}
	}
	return rows
}

// row reads the cell of a leaf.
func (im *image) row(cell []byte) (row, error) {
	size, cell, err := varint(cell)
	if err != nil {
		return row{}, err
	}
	id, cell, err := varint(cell)
	if err != nil {
		return row{}, err
	}
	payload, err := im.payload(size, cell)
	if err != nil {
		return row{}, err
	}
	values, err := parseValues(payload)
	return row{id: id, values: values}, err
}

// payload returns the bytes of a cell, of which all but the first may lie in a chain of
// other pages.
func (im *image) payload(size int64, cell []byte) ([]byte, error) {
	const most, least = usable - 35, (usable-12)*32/255 - 23
	if size < 0 || size > int64(im.pages)*pageSize {
		return nil, errDamaged
	}
	local := size
	if size > most {
		local = least + (size-least)%(usable-4)
		if local > most {
			local = least
		}
	}
	if int64(len(cell)) < local {
		return nil, errDamaged
	}
	payload := append(make([]byte, 0, min(size, 1<<20)), cell[:local]...)
	if local == size {
		return payload, nil
	}
	if int64(len(cell)) < local+4 {
		return nil, errDamaged
	}
	next := binary.BigEndian.Uint32(cell[local:])
	for int64(len(payload)) < size {
		b, err := im.page(next)
		if len(b) == 0 {
			return nil, err
		}
		next = binary.BigEndian.Uint32(b)
		payload = append(payload, b[4:4+min(usable-4, size-int64(len(payload)))]...)
	}
	return payload, nil
}

// parseValues reads a record of SQLite.
func parseValues(b []byte) ([]value, error) {
	size, types, err := varint(b)
	if err != nil || size < int64(len(b)-len(types)) || size > int64(len(b)) {
		return nil, errDamaged
	}
	types = types[:size-int64(len(b)-len(types))]
	content := b[size:]
	var values []value
	for len(types) > 0 {
		var kind int64
		if kind, types, err = varint(types); err != nil {
			return nil, err
		}
		var v value
		length := int64(0)
		switch {
		case kind == 0:
			v.kind = '0'
		case kind >= 1 && kind <= 6:
			v.kind = 'i'
			length = [...]int64{0, 1, 2, 3, 4, 6, 8}[kind]
		case kind == 8, kind == 9:
			v.kind, v.number = 'i', kind-8
		case kind >= 12 && kind%2 == 0:
			v.kind, length = 'b', (kind-12)/2
		case kind >= 13:
			v.kind, length = 't', (kind-13)/2
		default:
			v.kind = '?'
			length = 8
		}
		if length > int64(len(content)) {
			return nil, io.ErrUnexpectedEOF
		}
		v.bytes, content = content[:length], content[length:]
		if kind >= 1 && kind <= 6 {
			v.number = int64(int8(v.bytes[0]))
			for _, b := range v.bytes[1:] {
				v.number = v.number<<8 | int64(b)
			}
		}
		values = append(values, v)
	}
	return values, nil
}

// varint reads a number of 1 to 9 bytes, and returns what follows.
func varint(b []byte) (int64, []byte, error) {
	var n int64
	for i, c := range b[:min(9, len(b))] {
		if i == 8 {
			return n<<8 | int64(c), b[9:], nil
		}
		n = n<<7 | int64(c&0x7f)
		if c < 0x80 {
			return n, b[i+1:], nil
		}
	}
	return 0, nil, io.ErrUnexpectedEOF
}
