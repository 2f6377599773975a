package features

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"hotpath/models"
)

// verdict says whether a text became a value.
type verdict uint8

const (
	ok         verdict = iota
	badSyntax          // not a value of the feature's type
	badRange           // a value, but the tensor's type cannot hold it
	badWhole           // a number with a fraction where an integer is needed
	badString          // a string with a NUL or with bytes that are not UTF-8
	badKind            // JSON of another kind than the feature's type
	badShape           // an array of another shape
	badTooLong         // more bytes than Options.MaxValueBytes
)

// maxNumberBytes bounds the text of one number; longer ones are refused unread.
const maxNumberBytes = 512

// number is a parsed number in the forms that the tensor types need.
type number struct {
	f     float64
	mag   uint64 // |value|, when whole
	neg   bool
	whole bool
}

// parseNumber reads a decimal number. NaN, infinities, hexadecimal digits and
// underscores, all of which strconv takes, are no numbers here.
//
// An integer may be written with a zero fraction or an exponent (3.0, 1e3), as
// data frames write integer columns that way; then it must be below 2^53, up to
// which the notation is exact.
func parseNumber(text []byte, integer bool) (number, verdict) {
	if len(text) == 0 || len(text) > maxNumberBytes {
		return number{}, badSyntax
	}
	var n number
	digits := text
	if text[0] == '-' || text[0] == '+' {
		n.neg = text[0] == '-'
		digits = text[1:]
	}
	point := -1 // digits behind the decimal point; -1: there is none
	plain, overflow := len(digits) > 0, false
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			d := uint64(c - '0')
			overflow = overflow || n.mag > (math.MaxUint64-d)/10
			n.mag = n.mag*10 + d
			if point >= 0 {
				point++
			}
		case c == '.' && point < 0 && len(digits) > 1:
			point = 0
		case c == '.' || c == 'e' || c == 'E' || c == '-' || c == '+':
			plain = false
		default:
			return number{}, badSyntax
		}
	}
	if plain && integer && point < 0 {
		if overflow {
			return number{}, badRange
		}
		n.whole = true
		n.f = float64(n.mag)
		if n.neg {
			n.f = -n.f
		}
		return n, ok
	}
	if plain && !integer && !overflow && n.mag <= 1<<53 && point < len(exactPowers) {
		// Both operands are exact, so the quotient is the nearest float64: what
		// strconv would find, without its second pass over the text.
		n.f = float64(n.mag) / exactPowers[max(point, 0)]
		if n.neg {
			n.f = -n.f
		}
		return n, ok
	}
	return parseOther(text, integer)
}

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
	1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseOther reads what has an exponent or many digits.
func parseOther(text []byte, integer bool) (number, verdict) {
	var n number
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil {
		if math.IsInf(f, 0) {
			return number{}, badRange
		}
		return number{}, badSyntax
	}
	n.f = f
	if integer {
		if f != math.Trunc(f) {
			return number{}, badWhole
		}
		if math.Abs(f) > 1<<53 {
			return number{}, badRange
		}
		n.whole, n.neg, n.mag = true, f < 0, uint64(math.Abs(f))
	}
	return n, ok
}

// parseBool reads what writers in several languages write for a bool.
func parseBool(text []byte) (bool, verdict) {
	switch string(text) {
	case "true", "True", "TRUE", "1":
		return true, ok
	case "false", "False", "FALSE", "0":
		return false, ok
	}
	return false, badSyntax
}

// checkString refuses what a tensor of strings cannot carry.
func checkString(text []byte) verdict {
	for _, c := range text {
		if c == 0 {
			return badString
		}
	}
	if !utf8.Valid(text) {
		return badString
	}
	return ok
}

// valid says whether a text is a value of the type, whatever tensor it will fill.
func (k kind) valid(text []byte) bool {
	v := badSyntax
	switch k {
	case kindFloat, kindInt:
		_, v = parseNumber(text, k == kindInt)
	case kindBool:
		_, v = parseBool(text)
	case kindString:
		v = checkString(text)
	}
	return v == ok
}

// put converts a text and stores it as element e of the slot.
func (s *slot) put(row *models.Row, e int, text []byte) verdict {
	switch s.kind {
	case kindString:
		if v := checkString(text); v != ok {
			return v
		}
		row.SetString(s.off+e, text)
		return ok
	case kindBool:
		b, v := parseBool(text)
		if v == ok {
			s.putBool(row, e, b)
		}
		return v
	}
	n, v := parseNumber(text, s.kind == kindInt)
	if v != ok {
		return v
	}
	return s.putNumber(row, e, n)
}

func (s *slot) putBool(row *models.Row, e int, b bool) {
	n := number{whole: true}
	if b {
		n.mag, n.f = 1, 1
	}
	s.putNumber(row, e, n)
}

// putNumber stores a number in the tensor's own type, or says that it does not fit.
func (s *slot) putNumber(row *models.Row, e int, n number) verdict {
	at := s.off + e*s.size
	switch s.dtype {
	case models.Float32:
		f := float32(n.f)
		if math.IsInf(float64(f), 0) {
			return badRange
		}
		row.PutFloat32(at, f)
	case models.Float64:
		row.PutFloat64(at, n.f)
	case models.Float16:
		if !row.PutFloat16(at, float32(n.f)) {
			return badRange
		}
	case models.BFloat16:
		if !row.PutBFloat16(at, float32(n.f)) {
			return badRange
		}
	case models.Bool:
		row.PutBool(at, n.mag != 0)
	default:
		return s.putInt(row, at, n)
	}
	return ok
}

func (s *slot) putInt(row *models.Row, at int, n number) verdict {
	limit := uint64(math.MaxUint64)
	switch signed := s.dtype <= models.Int64; {
	case n.neg && !signed && n.mag != 0:
		return badRange
	case signed:
		limit = 1<<(8*s.size-1) - 1
		if n.neg {
			limit++
		}
	case s.size < 8:
		limit = 1<<(8*s.size) - 1
	}
	if n.mag > limit {
		return badRange
	}
	v := n.mag
	if n.neg {
		v = -v
	}
	switch s.size {
	case 1:
		row.Data[at] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(row.Data[at:], uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(row.Data[at:], uint32(v))
	default:
		binary.LittleEndian.PutUint64(row.Data[at:], v)
	}
	return ok
}
