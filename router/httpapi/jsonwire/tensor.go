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
	if w.dtype == models.String {
		for i := range n {
			w.dst = AppendString(comma(w.dst, i), w.row.StringAt(w.at+i))
		}
		w.at += n
		return
	}
	end := w.at + n*w.dtype.Size()
	var ok bool
	w.dst, ok = AppendElements(w.dst, w.dtype, w.row.Data[w.at:end])
	w.ok = w.ok && ok
	w.at = end
}

// AppendElements adds little-endian elements of a fixed width with commas between
// them. ok is false as for AppendTensor.
func AppendElements(dst []byte, t models.DType, data []byte) (out []byte, ok bool) {
	switch t {
	case models.Float32:
		return appendFloat32s(dst, data)
	case models.Float64:
		return appendFloat64s(dst, data)
	case models.Float16, models.BFloat16:
		return appendHalves(dst, t, data)
	case models.Bool:
		for i, b := range data {
			dst = strconv.AppendBool(comma(dst, i), b != 0)
		}
	case models.Uint8, models.Uint16, models.Uint32, models.Uint64:
		size := t.Size()
		for i := 0; i < len(data); i += size {
			dst = strconv.AppendUint(comma(dst, i), models.Unsigned(data[i:], size), 10)
		}
	case models.Int8, models.Int16, models.Int32, models.Int64:
		size := t.Size()
		for i := 0; i < len(data); i += size {
			dst = strconv.AppendInt(comma(dst, i), models.Signed(data[i:], size), 10)
		}
	default:
		return dst, false
	}
	return dst, true
}

// comma adds what belongs before an element; i is 0 for the first.
func comma(dst []byte, i int) []byte {
	if i == 0 {
		return dst
	}
	return append(dst, ',')
}

func appendFloat32s(dst, data []byte) (out []byte, ok bool) {
	for i := 0; i < len(data); i += 4 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(data[i:]))
		if !Finite(float64(v)) {
			return dst, false
		}
		dst = AppendFloat32(comma(dst, i), v)
	}
	return dst, true
}

func appendFloat64s(dst, data []byte) (out []byte, ok bool) {
	for i := 0; i < len(data); i += 8 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(data[i:]))
		if !Finite(v) {
			return dst, false
		}
		dst = AppendFloat64(comma(dst, i), v)
	}
	return dst, true
}

func appendHalves(dst []byte, t models.DType, data []byte) (out []byte, ok bool) {
	h := halfOf(t)
	for i := 0; i < len(data); i += 2 {
		v := h.value(binary.LittleEndian.Uint16(data[i:]))
		if !Finite(float64(v)) {
			return dst, false
		}
		dst = h.append(comma(dst, i), v)
	}
	return dst, true
}
