package payload

import (
	"fmt"
	"math/bits"
	"reflect"
	"sync"
	"unsafe"
)

// Bind returns a native structure that is filled from an object, as BindTo fills it.
func Bind[T any](v Value) (native T) {
	BindTo(v, &native)
	return native
}

// BindTo fills an empty native structure from an object. The structure has to be a struct
// whose fields, those of embedded structs included, are of type Value and carry the name of a
// member in a json tag. A member without a field is passed over, and a field without a
// member stays a missing value. If the value is no object, nothing is filled.
func BindTo[T any](v Value, native *T) {
	f := fieldsOf(reflect.TypeFor[T]())
	if v.Kind() == Object {
		f.bind(v, unsafe.Pointer(native))
	}
}

// bind sets the fields of the struct at native. The struct has to be of the type that f was
// made from by fieldsOf, which has seen that there is a Value at every offset.
func (f fields) bind(v Value, native unsafe.Pointer) {
	doc := v.doc
	for at, end := v.at+1, doc.nodes[v.at].next; at < end; {
		n := &doc.nodes[at]
		if field := f.find(n.name(doc.text)); field.name != "" {
			*(*Value)(unsafe.Add(native, field.offset)) = Value{doc, at}
		}
		at = n.next
	}
}

// fields is a hash table of the offsets of a struct's fields by their names. Every member
// of a payload is looked up in it, so it is made for speed: the hash is computed from the
// length and three bytes of a name, collisions go to the next slot, and at most half of
// the slots are in use. The number of slots is a power of two.
type fields []nativeField

type nativeField struct {
	name   string // "" in a slot that is not in use
	offset uintptr
}

// find returns the slot of a name, or the slot where the name is to be added.
func (f fields) find(name string) *nativeField {
	hash := uint(0)
	if n := len(name); n > 0 {
		hash = ((uint(n)*9+uint(name[0]))*9+uint(name[n/2]))*9 + uint(name[n-1])
	}
	for ; ; hash++ {
		slot := &f[hash&uint(len(f)-1)]
		if slot.name == name || slot.name == "" {
			return slot
		}
	}
}

var fieldsByType sync.Map // the fields of each reflect.Type

func fieldsOf(t reflect.Type) fields {
	if f, ok := fieldsByType.Load(t); ok {
		return f.(fields)
	}
	f := make(fields, 2<<bits.Len(uint(len(reflect.VisibleFields(t)))))
	f.add(t, 0)
	fieldsByType.Store(t, f)
	return f
}

func (f fields) add(t reflect.Type, base uintptr) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			f.add(field.Type, base+field.Offset)
			continue
		}
		name := field.Tag.Get("json")
		slot := f.find(name)
		if name == "" || slot.name != "" || field.Type != reflect.TypeFor[Value]() {
			panic(fmt.Sprintf("payload: %v.%s has to be a Value with a json tag of its own", t, field.Name))
		}
		slot.name, slot.offset = name, base+field.Offset
	}
}
