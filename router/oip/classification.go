package oip

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"hotpath/models"
)

// class is one element of an output, in the order of classes: the key is the
// element's bits, changed so that they compare as its values do. NaN comes last.
type class struct {
	key   uint64
	index int
}

// AppendClasses is Triton's classification extension: it adds to dst, as the data
// of a BYTES tensor, the n highest elements of each row of an output as
// "value:index", the highest first and the lower index first among equals. A
// batched output has a row for each element of its first dimension, others one.
// shape is the new tensor's.
func AppendClasses(dst []byte, t *models.Tensor, batched bool, n int) (data []byte, shape []int64, err error) {
	switch t.DType {
	case models.Bool, models.Float16, models.BFloat16, models.String:
		return dst, nil, fmt.Errorf("is %s; classification is for integers, FP32 and FP64", t.DType)
	}
	rows, size := 1, t.DType.Size()
	if batched && len(t.Shape) > 0 {
		rows = int(t.Shape[0])
	}
	perRow := len(t.Data) / size / max(rows, 1)
	n = min(n, perRow)
	classes := make([]class, perRow)
	for row := range rows {
		elements := t.Data[row*perRow*size : (row+1)*perRow*size]
		for i := range classes {
			classes[i] = class{orderedKey(t.DType, elements[i*size:]), i}
		}
		slices.SortFunc(classes, func(a, b class) int {
			return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(a.index, b.index))
		})
		for _, c := range classes[:n] {
			dst = appendClass(dst, t.DType, elements[c.index*size:], c.index)
		}
	}
	if batched {
		shape = append(shape, int64(rows))
	}
	return dst, append(shape, int64(n)), nil
}

// appendClass adds one string with its length before it.
func appendClass(dst []byte, t models.DType, element []byte, index int) []byte {
	from := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch t {
	case models.Float32:
		dst = strconv.AppendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(element))), 'g', -1, 32)
	case models.Float64:
		dst = strconv.AppendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(element)), 'g', -1, 64)
	case models.Uint8, models.Uint16, models.Uint32, models.Uint64:
		dst = strconv.AppendUint(dst, models.Unsigned(element, t.Size()), 10)
	default:
		dst = strconv.AppendInt(dst, models.Signed(element, t.Size()), 10)
	}
	dst = strconv.AppendInt(append(dst, ':'), int64(index), 10)
	binary.LittleEndian.PutUint32(dst[from:], uint32(len(dst)-from-4))
	return dst
}

func orderedKey(t models.DType, element []byte) uint64 {
	const sign = 1 << 63
	switch t {
	case models.Float32:
		return floatKey(float64(math.Float32frombits(binary.LittleEndian.Uint32(element))))
	case models.Float64:
		return floatKey(math.Float64frombits(binary.LittleEndian.Uint64(element)))
	case models.Int8, models.Int16, models.Int32, models.Int64:
		return uint64(models.Signed(element, t.Size())) ^ sign
	}
	return models.Unsigned(element, t.Size())
}

// floatKey orders floats: the bits of negative ones count backwards.
func floatKey(f float64) uint64 {
	const sign = 1 << 63
	switch {
	case f != f:
		return 0
	case f == 0:
		return sign // -0 and 0 are equal
	}
	if b := math.Float64bits(f); b&sign == 0 {
		return b | sign
	} else {
		return ^b
	}
}
