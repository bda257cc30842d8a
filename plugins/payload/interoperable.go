package payload

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Mended reports whether the document is not as it was sent, because readers of JSON would
// not have agreed about it or would have refused it. I-JSON (RFC 7493) forbids such
// documents. A character that is a lone surrogate, a noncharacter or U+0000 has become
// U+FFFD, and of several members of an object with the same key only the last one is left.
func (v Value) Mended() bool { return v.doc != nil && v.doc.mended }

// MendedIn reports whether a text from the document may be another one than was sent: the
// document was mended, and the text has the character U+FFFD, or some object of the document
// has lost a member. Where that object stood is not known any more.
func (v Value) MendedIn(text string) bool {
	return v.Mended() && (v.doc.lost || strings.ContainsRune(text, utf8.RuneError))
}

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
// key, and returns how many nodes these members and the values in them have. The objects are
// given by the indexes of their nodes.
func (d *document) findRepeated(objects []uint32) (nodes int) {
	var table []slot
	for _, at := range objects {
		if d.keys.areDistinct(d, at) {
			continue
		}
		object := Value{d, at}
		members := uint(object.Len())
		size := 1 << bits.Len(members+members/2)
		if size > len(table) {
			table = make([]slot, size)
		}
		nodes += d.findRepeatedIn(object, table[:size])
		clear(table[:size])
	}
	return nodes
}

// slot has the index of a member's node in a hash table of an object's members, and half of
// the hash of the member's name. The zero slot is free: no member is at index 0.
type slot struct{ hash, at uint32 }

// findRepeatedIn does the work of findRepeated for one object, with an empty table of more
// slots than the object has members. The number of slots is a power of two. The hash depends
// on a random seed, so that no sender can choose keys that fall together in the table.
func (d *document) findRepeatedIn(object Value, table []slot) (nodes int) {
	for at, end := object.at+1, object.node().next; at < end; at = d.nodes[at].next {
		name := d.nodes[at].name(d.text)
		hash := maphash.String(seed, name)
		s := slot{uint32(hash >> 32), at}
		i := int(hash) & (len(table) - 1)
		for table[i].at != 0 && (table[i].hash != s.hash || d.nodes[table[i].at].name(d.text) != name) {
			i = (i + 1) & (len(table) - 1)
		}
		if earlier := table[i].at; earlier != 0 {
			d.nodes[earlier].repeated = true
			nodes += Value{d, earlier}.size()
		}
		table[i] = s
	}
	return nodes
}

var seed = maphash.MakeSeed()

// keySet tells at little cost that the keys of an object differ, as they do in almost every
// document. It is a hash table of fingerprints. Each object has a number, and a slot holds
// the number of the object that has written it, and a fingerprint: so nothing has to be
// cleared between two objects.
type keySet struct {
	object uint32
	slots  [512]uint64
}

// areDistinct reports whether it is sure that all keys of an object differ. It is not sure
// of escaped keys, of many members, of names near the end of the text, and of names with the
// same fingerprint. A fingerprint is a hash of eight bytes in the middle of a name and of the
// last eight bytes: names of vendors that begin alike differ there.
func (k *keySet) areDistinct(d *document, object uint32) bool {
	if k.object++; k.object == 0 {
		*k = keySet{object: 1} // the numbers begin anew
	}
	number := uint64(k.object) << 32
	text, nodes, end := d.text, d.nodes, d.nodes[object].next
	for at, left := object+1, len(k.slots)/4; at < end; left-- {
		n := &nodes[at]
		at = n.next
		// The quote in front of a name counts, so that a word has a byte at least.
		from, size := int(n.key), int(n.start-n.key)-2
		beyond := max(size-8, 0)
		if n.keyEscaped || left == 0 || from+beyond+8 > len(text) {
			return false
		}
		missing := 8 * max(8-size, 0) & 63 // takes away what stands behind a short name
		middle := word(text, from+beyond/2) << missing
		last := word(text, from+beyond) << missing
		hash := middle*0x9e3779b97f4a7c15 + last*0xc2b2ae3d27d4eb4f // the high bits depend on all bits
		s := number | hash>>32
		i := hash >> 55
		for {
			x := k.slots[i] ^ s
			if x>>32 != 0 {
				break // the slot is of another object
			}
			if x == 0 {
				return false
			}
			i = (i + 1) % uint64(len(k.slots))
		}
		k.slots[i] = s
	}
	return true
}

// word returns the eight bytes at a place, which the caller has seen to be within the text:
// Go's own check for each word would take a third of the time of a keySet.
func word(text string, at int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(text)), at))[:])
}
