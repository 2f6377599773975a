package jsonwire

import (
	"math"
	"strconv"

	"hotpath/models"
)

// Finite says whether JSON has a way to write v.
func Finite(v float64) bool { return v-v == 0 }

// AppendFloat64 adds v as encoding/json does. v must be finite.
func AppendFloat64(dst []byte, v float64) []byte {
	if n := int64(v); float64(n) == v && n > -1e15 && n < 1e15 && (n != 0 || !math.Signbit(v)) {
		return strconv.AppendInt(dst, n, 10)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return appendFloat(dst, v, format, 64)
}

// AppendFloat32 adds v as encoding/json does: the shortest text that reads back
// as the same float32. v must be finite.
func AppendFloat32(dst []byte, v float32) []byte {
	// Up to 2^24 every integer is a float32, so its digits are the shortest.
	if n := int64(v); float32(n) == v && n >= -1<<24 && n <= 1<<24 && (n != 0 || !math.Signbit(float64(v))) {
		return strconv.AppendInt(dst, n, 10)
	}
	format := byte('f')
	if abs := float32(math.Abs(float64(v))); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return appendFloat(dst, float64(v), format, 32)
}

// appendFloat adds v in one of strconv's formats, with exponents as ECMAScript
// writes them: e-9 where strconv has e-09.
func appendFloat(dst []byte, v float64, format byte, size int) []byte {
	dst = strconv.AppendFloat(dst, v, format, -1, size)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// half describes one of the 16-bit float types: the bits of its significand,
// the hidden one included, the exponent of its smallest step, and the decimal
// digits that always suffice.
type half struct{ bits, least, digits int }

var (
	float16  = half{bits: 11, least: -24, digits: 5}
	bfloat16 = half{bits: 8, least: -133, digits: 4}
)

func halfOf(t models.DType) half {
	if t == models.Float16 {
		return float16
	}
	return bfloat16
}

// value widens the bits of a 16-bit float, which a float32 holds exactly.
func (h half) value(b uint16) float32 {
	if h == bfloat16 {
		return math.Float32frombits(uint32(b) << 16)
	}
	sign := uint32(b>>15) << 31
	exponent, fraction := uint32(b>>10)&31, uint32(b)&1023
	switch exponent {
	case 0:
		v := float32(fraction) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(v))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// round is the value of the type that is nearest to v, ties to even. v is
// within the type's range.
func (h half) round(v float64) float64 {
	_, exponent := math.Frexp(v)
	step := math.Ldexp(1, max(exponent-h.bits, h.least))
	return math.RoundToEven(v/step) * step
}

// append adds the shortest text that reads back as v in the type. strconv has
// no such size, so precisions are tried one after the other: 0.1 is 0.1 and not
// the 0.099975586 that the same value is as a float32. Few models answer in
// these types; it costs some 100 ns an element.
func (h half) append(dst []byte, v float32) []byte {
	exact := float64(v)
	mark := len(dst)
	for p := range h.digits {
		dst = strconv.AppendFloat(dst[:mark], exact, 'e', p, 64)
		if short, err := strconv.ParseFloat(string(dst[mark:]), 64); err == nil && h.round(short) == exact {
			return AppendFloat64(dst[:mark], short)
		}
	}
	return AppendFloat32(dst[:mark], v)
}

// RoundHalf is the 16-bit float that is nearest to v, ties to even; false when v
// is too large for the type. v is finite.
func RoundHalf(t models.DType, v float64) (bits uint16, ok bool) {
	h, largest := halfOf(t), 65504.0
	if h == bfloat16 {
		largest = 0x1.fep127
	}
	if v != 0 {
		v = h.round(v)
	}
	b := math.Float32bits(float32(v)) // exact: a float32 holds every value of the type
	switch abs := math.Abs(v); {
	case h == bfloat16:
		return uint16(b >> 16), abs <= largest
	case abs < 0x1p-14: // below the smallest normal value: units of the smallest step
		return uint16(b>>16)&0x8000 | uint16(abs*0x1p24), true
	default:
		return uint16(b>>16)&0x8000 | uint16((b&0x7fffffff-(127-15)<<23)>>13), abs <= largest
	}
}
