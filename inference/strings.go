package inference

/*
#include "ort.h"
*/
import "C"

import (
	"encoding/binary"
	"unsafe"
)

// fillStrings copies elements into a string value. They are packed as a tensor's
// are: each after its length.
func (a *ortAPI) fillStrings(value unsafe.Pointer, elements int, packed []byte) error {
	return a.check(C.ort_fill_strings(a.table, value, C.size_t(elements), (*C.char)(unsafe.Pointer(unsafe.SliceData(packed)))))
}

// stringReader reads string values. Its memory is kept for the next.
type stringReader struct {
	text    []byte
	offsets []C.size_t
	size    C.size_t // of all elements together, written by C
}

// keepText is how much memory of a large tensor of strings is kept for the next.
const keepText = 1 << 20

// read reads a value into text, each element with 4 bytes before it, where its
// length stands.
func (r *stringReader) read(a *ortAPI, value unsafe.Pointer, elements int) error {
	if err := a.check(C.ort_string_bytes(a.table, value, &r.size)); err != nil {
		return err
	}
	n, heads := int(r.size), 4*elements
	if cap(r.text) < heads+n || cap(r.text) > keepText {
		r.text = make([]byte, heads+n)
	}
	if cap(r.offsets) < elements || cap(r.offsets) > keepText/8 {
		r.offsets = make([]C.size_t, elements)
	}
	r.text, r.offsets = r.text[:heads+n], r.offsets[:elements]
	if n == 0 {
		clear(r.offsets)
	} else if err := a.check(C.ort_strings(a.table, value, unsafe.Pointer(&r.text[heads]), r.size, unsafe.SliceData(r.offsets), C.size_t(elements))); err != nil {
		return err
	}
	// The text is behind the room for all lengths, and moves forward to its place.
	for e := range r.offsets {
		begin, end := r.bounds(e, n)
		at := begin + 4*e
		binary.LittleEndian.PutUint32(r.text[at:], uint32(end-begin))
		copy(r.text[at+4:], r.text[heads+begin:heads+end])
	}
	return nil
}

// bounds of an element in the text without the lengths, which is n bytes long.
func (r *stringReader) bounds(e, n int) (begin, end int) {
	begin, end = int(r.offsets[e]), n
	if e+1 < len(r.offsets) {
		end = int(r.offsets[e+1])
	}
	return begin, end
}
