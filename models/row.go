package models

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Row is one instance: every port of one side of a model's signature, packed
// as its Layout says. Fixed-width elements are little-endian in Data, which is
// what ONNX Runtime reads on every platform that Hotpath runs on. Strings point
// into Text, so that a Row owns all that it shows and can be reused whole.
//
// A Row has one owner at a time and is not safe for concurrent use.
type Row struct {
	Data    []byte
	Strings []Span
	Text    []byte
}

// Span is a string's place in Row.Text.
type Span struct{ Off, Len uint32 }

// NewRow makes a zeroed row.
func (l *Layout) NewRow() Row {
	return Row{Data: make([]byte, l.Bytes), Strings: make([]Span, l.Strings)}
}

// CopyFrom makes r equal to src, which has the same layout, reusing r's memory.
func (r *Row) CopyFrom(src *Row) {
	copy(r.Data, src.Data)
	copy(r.Strings, src.Strings)
	r.Text = append(r.Text[:0], src.Text...)
}

// SetString stores element i (an index into Strings), copying s. What an
// element held before stays in Text until the row is reused.
func (r *Row) SetString(i int, s []byte) {
	r.Strings[i] = Span{uint32(len(r.Text)), uint32(len(s))}
	r.Text = append(r.Text, s...)
}

// StringAt is element i without a copy: it is valid until the row is written.
func (r *Row) StringAt(i int) string {
	s := r.Strings[i]
	if s.Len == 0 {
		return ""
	}
	return unsafe.String(&r.Text[s.Off], int(s.Len))
}

// PutFloat32 and its like store one element at a byte offset of Data.
func (r *Row) PutFloat32(off int, v float32) {
	binary.LittleEndian.PutUint32(r.Data[off:], math.Float32bits(v))
}

// PutFloat64 stores a float64 at a byte offset of Data.
func (r *Row) PutFloat64(off int, v float64) {
	binary.LittleEndian.PutUint64(r.Data[off:], math.Float64bits(v))
}

// PutFloat16 stores the nearest half at a byte offset of Data; false where that is
// no finite one.
func (r *Row) PutFloat16(off int, v float32) bool {
	h := float16Bits(v)
	binary.LittleEndian.PutUint16(r.Data[off:], h)
	return h&0x7c00 != 0x7c00
}

// PutBFloat16 is PutFloat16 for a bfloat16.
func (r *Row) PutBFloat16(off int, v float32) bool {
	h := bfloat16Bits(v)
	binary.LittleEndian.PutUint16(r.Data[off:], h)
	return h&0x7f80 != 0x7f80
}

// PutInt32 stores an int32 at a byte offset of Data.
func (r *Row) PutInt32(off int, v int32) { binary.LittleEndian.PutUint32(r.Data[off:], uint32(v)) }

// PutInt64 stores an int64 at a byte offset of Data.
func (r *Row) PutInt64(off int, v int64) { binary.LittleEndian.PutUint64(r.Data[off:], uint64(v)) }

// PutBool stores a bool at a byte offset of Data.
func (r *Row) PutBool(off int, v bool) {
	r.Data[off] = 0
	if v {
		r.Data[off] = 1
	}
}

// Float32 and its like read one element at a byte offset of Data.
func (r *Row) Float32(off int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(r.Data[off:]))
}

// Float64 reads a float64 at a byte offset of Data.
func (r *Row) Float64(off int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.Data[off:]))
}

// Int32 reads an int32 at a byte offset of Data.
func (r *Row) Int32(off int) int32 { return int32(binary.LittleEndian.Uint32(r.Data[off:])) }

// Int64 reads an int64 at a byte offset of Data.
func (r *Row) Int64(off int) int64 { return int64(binary.LittleEndian.Uint64(r.Data[off:])) }

// Bool reads a bool at a byte offset of Data.
func (r *Row) Bool(off int) bool { return r.Data[off] != 0 }
