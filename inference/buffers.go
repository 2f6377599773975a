package inference

/*
#include "ort.h"
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"hotpath/models"
)

// buffers is a frame whose memory ONNX Runtime reads and writes directly. C
// keeps the addresses for as long as the values live, so the memory is pinned.
type buffers struct {
	*models.Frame
	session *Session
	pin     runtime.Pinner
	packed  []byte // strings on their way in
	reader  stringReader
}

func newBuffers(s *Session, l *models.Layout, rows int) *buffers {
	b := &buffers{Frame: models.NewFrame(l, rows), session: s}
	for _, d := range b.Data {
		if len(d) > 0 {
			b.pin.Pin(&d[0])
		}
	}
	return b
}

// free lets the memory go; the values must be freed before.
func (b *buffers) free() { b.pin.Unpin() }

// values makes one value per port over the first rows rows. The caller frees them.
func (b *buffers) values(rows int) (*values, error) {
	api := b.session.api
	v := newValues(api, len(b.Layout.Ports))
	for i := range b.Layout.Ports {
		p := &b.Layout.Ports[i]
		var shape []int64
		if b.session.sig.Batched {
			shape = append(shape, int64(rows))
		}
		for _, d := range p.Shape {
			shape = append(shape, int64(d))
		}
		t := C.ort_tensor{}
		if err := describe(&t, p.DType, shape); err != nil {
			v.free()
			return nil, err
		}
		if p.DType != models.String {
			t.bytes = C.size_t(rows * p.Stride())
			t.data = unsafe.Pointer(unsafe.SliceData(b.Data[i])) // pinned
		}
		if err := api.check(C.ort_make(api.table, api.memory, &t)); err != nil {
			v.free()
			return nil, fmt.Errorf("tensor %s of %d rows: %w", p, rows, err)
		}
		v.list[i] = t.value
	}
	return v, nil
}

// describe sets a tensor's type and shape.
func describe(t *C.ort_tensor, d models.DType, shape []int64) error {
	if len(shape) > C.ORT_RANK {
		return fmt.Errorf("%d dimensions are over the limit of %d", len(shape), models.MaxTensorRank)
	}
	t._type, t.rank = C.int32_t(ortTypes[d]), C.int32_t(len(shape))
	elements, _ := models.Elements(shape)
	t.elements = C.size_t(elements)
	for i, n := range shape {
		t.shape[i] = C.int64_t(n)
	}
	return nil
}

// stringBytes is what a string element takes up in a frame, its text aside.
const stringBytes = int(unsafe.Sizeof(""))

// fillStrings copies the string ports' first rows into their values, since ONNX
// Runtime keeps strings in memory of its own.
func (b *buffers) fillStrings(v *values, rows int) error {
	for i, all := range b.Strings {
		if all == nil {
			continue
		}
		b.packed = b.packed[:0]
		all = all[:rows*b.Layout.Width[i]]
		for _, s := range all {
			if len(s) > math.MaxInt32 {
				return fmt.Errorf("input %q: a string of %d bytes is too long", b.Layout.Ports[i].Name, len(s))
			}
			b.packed = models.AppendStringElement(b.packed, s)
		}
		if err := b.session.api.fillStrings(v.list[i], len(all), b.packed); err != nil {
			return err
		}
	}
	if cap(b.packed) > keepText {
		b.packed = nil
	}
	return nil
}

// emptyStrings takes out what the run before left in the string values: some
// operators, StringConcat for one, add to what an output holds.
func (b *buffers) emptyStrings(v *values, rows int) error {
	for i, all := range b.Strings {
		clear(all[:min(len(all), rows*b.Layout.Width[i])])
	}
	return b.fillStrings(v, rows)
}

// readStrings copies string values back into the frame.
func (b *buffers) readStrings(v *values, rows int) error {
	for i, all := range b.Strings {
		if all == nil {
			continue
		}
		all = all[:rows*b.Layout.Width[i]]
		if err := b.reader.read(b.session.api, v.list[i], len(all)); err != nil {
			return err
		}
		// One copy for all: the reader's memory is used again.
		text := string(b.reader.text)
		for e := range all {
			begin, end := b.reader.bounds(e, len(text)-4*len(all))
			all[e] = text[begin+4*(e+1) : end+4*(e+1)]
		}
	}
	return nil
}
