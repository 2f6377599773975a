package oipwire

import (
	"math"
	"strconv"
	"unsafe"
)

// number is a JSON number taken apart: ±mantissa * 10^exponent.
type number struct {
	mantissa uint64
	exponent int
	end      int
	negative bool
	// integer says that there is neither a fraction nor an exponent, exact that
	// the mantissa holds every digit.
	integer, exact bool
}

// maxExact digits fit 64 bits whatever they are.
const maxExact = 19

// scanNumber reads the number at i. It gives what was expected at number.end
// where there is none.
func scanNumber(b []byte, i int) (x number, expected string) {
	x.integer = true
	if i < len(b) && b[i] == '-' {
		x.negative = true
		i++
	}
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		x.mantissa = x.mantissa*10 + uint64(b[i]-'0')
		i++
	}
	count := i - first
	switch {
	case count == 0:
		x.end = i
		return x, "a digit"
	case count > 1 && b[first] == '0':
		x.end = first + 1
		return x, "no digit after a leading zero"
	}
	if i < len(b) && b[i] == '.' {
		x.integer = false
		i++
		point := i
		for i < len(b) && b[i]-'0' <= 9 {
			x.mantissa = x.mantissa*10 + uint64(b[i]-'0')
			i++
		}
		if i == point {
			x.end = i
			return x, "a digit after the decimal point"
		}
		count += i - point
		x.exponent = point - i
		if b[first] == '0' { // the zeros before the first digit that counts
			for first = point; first < i && b[first] == '0'; first++ {
				count--
			}
			count--
		}
	}
	x.exact = count <= maxExact
	if i < len(b) && b[i]|0x20 == 'e' {
		x.integer = false
		return scanExponent(b, i+1, x)
	}
	x.end = i
	return x, ""
}

// scanExponent reads what follows the e.
func scanExponent(b []byte, i int, x number) (number, string) {
	negative := i < len(b) && b[i] == '-'
	if negative || i < len(b) && b[i] == '+' {
		i++
	}
	first, e := i, 0
	for i < len(b) && b[i]-'0' <= 9 {
		e = min(e*10+int(b[i]-'0'), 1<<20)
		i++
	}
	x.end = i
	if i == first {
		return x, "a digit in the exponent"
	}
	if negative {
		e = -e
	}
	x.exponent += e
	return x, ""
}

// tens are the powers of ten that a float64 holds exactly.
var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// approximate is the number as a float64 that is at most two units in the last
// place off; false where that takes more than one operation.
func (x *number) approximate() (f float64, ok bool) {
	f = float64(x.mantissa)
	switch {
	case !x.exact:
		return 0, false
	case x.exponent == 0:
	case x.exponent < 0 && x.exponent > -len(tens):
		f /= tens[-x.exponent]
	case x.exponent > 0 && x.exponent < len(tens):
		f *= tens[x.exponent]
	default:
		return 0, false
	}
	if x.negative {
		f = -f
	}
	return f, true
}

// float64 is the float64 nearest to the number, whose text is given; false when
// it is too large for one.
func (x *number) float64(text []byte) (f float64, ok bool) {
	if x.mantissa <= 1<<53 {
		if f, ok = x.approximate(); ok { // one operation on exact values, rounded once
			return f, true
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	return f, err == nil
}

// float32 is the float32 nearest to the number; false when it is too large for
// one. A float64 that is not quite right still rounds to the right float32,
// unless it lies where the rounding turns.
func (x *number) float32(text []byte) (f float32, ok bool) {
	if d, ok := x.approximate(); ok {
		const turn, margin = 1 << 28, 3
		low := math.Float64bits(d) & (1<<29 - 1)
		f, abs := float32(d), math.Abs(d)
		if (low < turn-margin || low > turn+margin) && (abs >= 0x1p-126 || d == 0) && abs <= math.MaxFloat32 {
			return f, true
		}
	}
	d, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 32)
	return float32(d), err == nil
}

// signed is the integer if it fits that many bits.
func (x *number) signed(bits int) (n int64, ok bool) {
	limit := uint64(1) << (bits - 1)
	switch {
	case !x.integer || !x.exact:
		return 0, false
	case x.negative:
		return -int64(x.mantissa), x.mantissa <= limit
	}
	return int64(x.mantissa), x.mantissa < limit
}

// unsigned is the integer if it fits that many bits.
func (x *number) unsigned(bits int, text []byte) (n uint64, ok bool) {
	switch {
	case !x.integer || x.negative && x.mantissa != 0:
		return 0, false
	case !x.exact: // twenty digits may fit 64 bits
		n, err := strconv.ParseUint(unsafe.String(unsafe.SliceData(text), len(text)), 10, bits)
		return n, err == nil
	}
	return x.mantissa, x.mantissa>>(bits-1) <= 1
}
