package payload

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// Mended reports whether the document is not as it was sent, because readers of JSON would
// not have agreed about it or would have refused it. I-JSON (RFC 7493) forbids such
// documents. A character that is a lone surrogate, a noncharacter or U+0000 has become
// U+FFFD, and of several members of an object with the same key only the last one is left.
func (v Value) Mended() bool { return v.doc != nil && v.doc.mended }

// unreadable reports whether some readers of JSON refuse a text with the character that
// unescapeRune has returned: databases refuse U+0000, and I-JSON forbids noncharacters and
// lone surrogates.
func unreadable(r rune) bool {
	return r <= 0 || r >= 0xfdd0 && (r <= 0xfdef || r&0xfffe == 0xfffe)
}

// checkCharacters returns the place of the first byte that is no UTF-8, or -1, and whether
// there is an unreadable character in front of it. It does not look into escapes.
func checkCharacters(text string) (invalid int, found bool) {
	for at := 0; ; {
		if at += asciiPrefix(text[at:]); at == len(text) {
			return -1, found
		}
		for at < len(text) && text[at] >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[at:])
			if r == utf8.RuneError && size == 1 {
				return at, found
			}
			found = found || unreadable(r)
			at += size
		}
	}
}

// asciiPrefix returns how many bytes stand in front of the first byte that is not ASCII.
func asciiPrefix(s string) int {
	const highs = 0x8080808080808080
	at := 0
	for ; len(s)-at >= 32; at += 32 {
		b := []byte(s[at : at+32])
		if (binary.LittleEndian.Uint64(b)|binary.LittleEndian.Uint64(b[8:])|
			binary.LittleEndian.Uint64(b[16:])|binary.LittleEndian.Uint64(b[24:]))&highs != 0 {
			break
		}
	}
	for ; len(s)-at >= 8; at += 8 {
		if found := binary.LittleEndian.Uint64([]byte(s[at:at+8])) & highs; found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for at < len(s) && s[at] < utf8.RuneSelf {
		at++
	}
	return at
}

// replaceUnreadable returns a valid JSON text with U+FFFD for each unreadable character.
func replaceUnreadable(text string) string {
	var b strings.Builder
	b.Grow(len(text)) // U+FFFD takes no more bytes than what it stands for
	copied := 0
	for at := 0; at < len(text); {
		if c := text[at]; c != '\\' && c < utf8.RuneSelf {
			at++
			continue
		}
		r, size := unescapeRune(text[at:])
		if unreadable(r) {
			b.WriteString(text[copied:at])
			b.WriteRune(utf8.RuneError)
			copied = at + size
		}
		at += size
	}
	b.WriteString(text[copied:])
	return b.String()
}

// findRepeated marks every member behind which the object has another member with the same
// key, and reports whether there is one. A hash table of an object's members takes time in
// proportion to the members. Strangers cannot choose keys that fall together in the table,
// because the hash depends on random numbers.
func (d *document) findRepeated() (found bool) {
	var few [256]member
	table := few[:]
	for i := range d.nodes {
		if n := &d.nodes[i]; n.kind != Object || n.next < uint32(i)+3 {
			continue // fewer than two members
		}
		object := Value{d, uint32(i)}
		members := uint(object.Len())
		size := 1 << bits.Len(members+members/2)
		if size > len(table) {
			table = make([]member, size)
		}
		if d.findRepeatedIn(object, table[:size]) {
			found = true
		}
		clear(table[:size])
	}
	return found
}

// member is the index of a member's node in a hash table of an object's members, and half
// of the hash of the member's name. The zero member is a free slot: no member is at index 0.
type member struct{ hash, at uint32 }

// findRepeatedIn does the work of findRepeated for one object, with an empty table of more
// slots than the object has members. The number of slots is a power of two.
func (d *document) findRepeatedIn(object Value, table []member) (found bool) {
	shift := 64 - bits.TrailingZeros(uint(len(table)))
	for at, end := object.at+1, object.node().next; at < end; at = d.nodes[at].next {
		hash := d.hashName(at)
		m := member{uint32(hash), at}
		slot := int(hash >> shift)
		for table[slot].at != 0 && !(table[slot].hash == m.hash && d.name(table[slot].at) == d.name(at)) {
			slot = (slot + 1) & (len(table) - 1)
		}
		if earlier := table[slot].at; earlier != 0 {
			d.nodes[earlier].repeated = true
			found = true
		}
		table[slot] = m
	}
	return found
}

// name returns the name of the member whose value has the node at an index.
func (d *document) name(at uint32) string {
	n := &d.nodes[at]
	return unquoted(d.keyText(n), n.keyEscaped)
}

var (
	seed       = maphash.MakeSeed()
	multiplier = [2]uint64{rand.Uint64() | 1, rand.Uint64() | 1}
)

// hashName hashes a member's name. Almost all names have at most 16 bytes: for these names
// to multiply the first and the last eight bytes is good enough and takes a third of the
// time. The high bits of the sum are those that depend on all bits.
func (d *document) hashName(at uint32) uint64 {
	name := d.name(at)
	if len(name) > 16 {
		return maphash.String(seed, name)
	}
	if len(name) >= 8 {
		return binary.LittleEndian.Uint64([]byte(name[:8]))*multiplier[0] + binary.LittleEndian.Uint64([]byte(name[len(name)-8:]))*multiplier[1]
	}
	var b [8]byte
	copy(b[:], name)
	return binary.LittleEndian.Uint64(b[:]) * multiplier[0]
}
