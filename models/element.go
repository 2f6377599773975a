package models

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// putPort stores the values of one port, given as a file has them: json.Number,
// any Go integer type of a YAML decoder, float64, bool or string. A string
// stands for a float that JSON cannot write: NaN, Infinity or -Infinity.
func putPort(r *Row, l *Layout, port int, values []any) error {
	p := l.Ports[port]
	if len(values) != p.Width() {
		return fmt.Errorf("%d values, want %d for %s", len(values), p.Width(), p)
	}
	for i, v := range values {
		if err := putElement(r, l, port, i, v); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

func putElement(r *Row, l *Layout, port, i int, v any) error {
	d := l.Ports[port].DType
	off := l.Offset[port] + i*d.Size()
	switch d {
	case String:
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("want a string, got %v", v)
		}
		r.SetString(l.StringOffset[port]+i, []byte(s))
	case Bool:
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("want true or false, got %v", v)
		}
		r.PutBool(off, b)
	case Float16, BFloat16, Float32, Float64:
		f, err := asFloat(v)
		if err != nil {
			return err
		}
		return putFloat(r, d, off, f)
	default:
		return putInteger(r, d, off, v)
	}
	return nil
}

func asFloat(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return 0, fmt.Errorf("%s is not a number that fits 64 bits", v)
		}
		return f, nil
	case string:
		switch v {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
		return 0, fmt.Errorf(`want a number, "NaN", "Infinity" or "-Infinity", got %q`, v)
	}
	return 0, fmt.Errorf("want a number, got %v", v)
}

// putFloat rounds f to the element's type; what the type cannot hold is an
// error rather than an infinity.
func putFloat(r *Row, d DType, off int, f float64) error {
	over := func(got float64) bool { return math.IsInf(got, 0) && !math.IsInf(f, 0) }
	var got float64
	switch d {
	case Float64:
		r.PutFloat64(off, f)
		return nil
	case Float32:
		r.PutFloat32(off, float32(f))
		got = float64(float32(f))
	case Float16:
		h := float16Bits(float32(f))
		binary.LittleEndian.PutUint16(r.Data[off:], h)
		got = float64(float16Value(h))
	case BFloat16:
		h := bfloat16Bits(float32(f))
		binary.LittleEndian.PutUint16(r.Data[off:], h)
		got = float64(math.Float32frombits(uint32(h) << 16))
	}
	if over(got) {
		return fmt.Errorf("%v does not fit %s", f, d)
	}
	return nil
}

// putInteger stores an integer, exactly or not at all.
func putInteger(r *Row, d DType, off int, v any) error {
	text := fmt.Sprint(v)
	switch v.(type) {
	case int, int64, uint64, json.Number:
	default:
		return fmt.Errorf("want an integer, got %v", v)
	}
	bits := d.Size() * 8
	var u uint64
	switch d {
	case Int8, Int16, Int32, Int64:
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return fmt.Errorf("%s is not an integer that fits %s", text, d)
		}
		u = uint64(n)
	default:
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return fmt.Errorf("%s is not an integer that fits %s", text, d)
		}
		u = n
	}
	for i := range d.Size() {
		r.Data[off+i] = byte(u >> (8 * i))
	}
	return nil
}

// floatAt is one element of a float port.
func floatAt(r *Row, d DType, off int) float64 {
	switch d {
	case Float64:
		return r.Float64(off)
	case Float32:
		return float64(r.Float32(off))
	case Float16:
		return float64(float16Value(binary.LittleEndian.Uint16(r.Data[off:])))
	}
	return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(r.Data[off:])) << 16))
}

// elementText shows one element in a message.
func elementText(r *Row, l *Layout, port, i int) string {
	d := l.Ports[port].DType
	off := l.Offset[port] + i*d.Size()
	switch d {
	case String:
		return strconv.Quote(r.StringAt(l.StringOffset[port] + i))
	case Bool:
		return strconv.FormatBool(r.Bool(off))
	case Float64:
		return strconv.FormatFloat(r.Float64(off), 'g', -1, 64)
	case Float16, BFloat16, Float32:
		return strconv.FormatFloat(floatAt(r, d, off), 'g', -1, 32)
	}
	switch d {
	case Int8, Int16, Int32, Int64:
		return strconv.FormatInt(Signed(r.Data[off:], d.Size()), 10)
	}
	return strconv.FormatUint(Unsigned(r.Data[off:], d.Size()), 10)
}

// Unsigned reads the little-endian integer of size bytes at the start of b.
func Unsigned(b []byte, size int) uint64 {
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

// Signed is Unsigned for a signed integer.
func Signed(b []byte, size int) int64 {
	shift := 64 - 8*size // moves the sign to where int64 has it
	return int64(Unsigned(b, size)<<shift) >> shift
}

// float16Value widens an IEEE 754 half.
func float16Value(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&0x3ff
	switch exp {
	case 0:
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// float16Bits rounds to the nearest half, ties to even.
func float16Bits(f float32) uint16 {
	b := math.Float32bits(f)
	sign, b := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case b < 0x38800000: // below the smallest normal half: units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
	b -= 112 << 23
	return sign | uint16((b+0xfff+(b>>13)&1)>>13)
}

// bfloat16Bits rounds to the nearest bfloat16, ties to even.
func bfloat16Bits(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + (b>>16)&1) >> 16)
}
