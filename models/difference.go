package models

import (
	"encoding/binary"
	"math"
)

// Difference is the largest absolute difference between the elements of two
// tensors of a type that is not String. ok is false where they cannot be
// subtracted: other lengths, or a NaN or an infinity that the other has not.
func Difference(d DType, a, b []byte) (most float64, ok bool) {
	size := d.Size()
	if len(a) != len(b) || size == 0 {
		return 0, false
	}
	for i := 0; i+size <= len(a); i += size {
		x, y := numberAt(d, a[i:]), numberAt(d, b[i:])
		switch diff := math.Abs(x - y); {
		case x == y || x != x && y != y:
		case diff-diff != 0:
			return 0, false
		default:
			most = max(most, diff)
		}
	}
	return most, true
}

// numberAt is the first element of little-endian data.
func numberAt(d DType, b []byte) float64 {
	switch d {
	case Bool, Uint8:
		return float64(b[0])
	case Int8:
		return float64(int8(b[0]))
	case Int16:
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case Uint16:
		return float64(binary.LittleEndian.Uint16(b))
	case Int32:
		return float64(int32(binary.LittleEndian.Uint32(b)))
	case Uint32:
		return float64(binary.LittleEndian.Uint32(b))
	case Int64:
		return float64(int64(binary.LittleEndian.Uint64(b)))
	case Uint64:
		return float64(binary.LittleEndian.Uint64(b))
	}
	return floatAt(&Row{Data: b}, d, 0)
}
