package jsonwire

import (
	"encoding/binary"
	"math"
	"strconv"

	"hotpath/models"
)

// AppendTensor adds port number i of row: one value when the port has shape [] or
// [1], otherwise arrays nested as its shape says, row-major. ok is false when the
// tensor holds a NaN or an infinity, or has no type; what was added to dst by
// then is to be thrown away.
func AppendTensor(dst []byte, layout *models.Layout, i int, row *models.Row) (out []byte, ok bool) {
	p := &layout.Ports[i]
	w := tensorWriter{dst: dst, dtype: p.DType, row: row, at: layout.Offset[i], ok: true}
	if p.DType == models.String {
		w.at = layout.StringOffset[i]
	}
	if len(p.Shape) == 0 || len(p.Shape) == 1 && p.Shape[0] == 1 {
		w.elements(1)
	} else {
		w.nested(p.Shape)
	}
	return w.dst, w.ok
}

// tensorWriter walks the elements of one port from first to last.
type tensorWriter struct {
	dst   []byte
	dtype models.DType
	row   *models.Row
	at    int // the next element's place in Row.Data or Row.Strings
	ok    bool
}

func (w *tensorWriter) nested(shape []int) {
	w.dst = append(w.dst, '[')
	if len(shape) == 1 {
		w.elements(shape[0])
	} else {
		for i := range shape[0] {
			if i > 0 {
				w.dst = append(w.dst, ',')
			}
			w.nested(shape[1:])
		}
	}
	w.dst = append(w.dst, ']')
}

// elements writes the next n elements with commas between them.
func (w *tensorWriter) elements(n int) {
	switch w.dtype {
	case models.Float32:
		w.float32s(n)
	case models.Float64:
		w.float64s(n)
	case models.Float16, models.BFloat16:
		w.halves(n)
	case models.String:
		for i := range n {
			w.dst = AppendString(w.comma(i), w.row.StringAt(w.at+i))
		}
		w.at += n
	case models.Bool:
		for i := range n {
			w.dst = strconv.AppendBool(w.comma(i), w.row.Bool(w.at+i))
		}
		w.at += n
	case models.Uint8, models.Uint16, models.Uint32, models.Uint64:
		for i := range n {
			w.dst = strconv.AppendUint(w.comma(i), w.unsigned(), 10)
		}
	case models.Int8, models.Int16, models.Int32, models.Int64:
		for i := range n {
			size := w.dtype.Size()
			shift := 64 - 8*size // moves the sign to where int64 has it
			w.dst = strconv.AppendInt(w.comma(i), int64(w.unsigned()<<shift)>>shift, 10)
		}
	default:
		w.ok = false
	}
}

// comma is dst with what belongs before element i.
func (w *tensorWriter) comma(i int) []byte {
	if i == 0 {
		return w.dst
	}
	return append(w.dst, ',')
}

func (w *tensorWriter) float32s(n int) {
	for i := range n {
		v := w.row.Float32(w.at)
		w.at += 4
		if !Finite(float64(v)) {
			w.ok = false
			return
		}
		w.dst = AppendFloat32(w.comma(i), v)
	}
}

func (w *tensorWriter) float64s(n int) {
	for i := range n {
		v := w.row.Float64(w.at)
		w.at += 8
		if !Finite(v) {
			w.ok = false
			return
		}
		w.dst = AppendFloat64(w.comma(i), v)
	}
}

func (w *tensorWriter) halves(n int) {
	h := halfOf(w.dtype)
	for i := range n {
		v := h.value(binary.LittleEndian.Uint16(w.row.Data[w.at:]))
		w.at += 2
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			w.ok = false
			return
		}
		w.dst = h.append(w.comma(i), v)
	}
}

// unsigned reads the next integer element as the bits it has.
func (w *tensorWriter) unsigned() uint64 {
	b := w.row.Data[w.at:]
	size := w.dtype.Size()
	w.at += size
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}
