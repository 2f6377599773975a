package jsonscan

import (
	"encoding/binary"
	"math/bits"

	"hotpath/models"
)

// SkipSpace is the index of the first byte from i on that is not white space.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ScanString is the index of the first byte from i on that ends a plain run of
// a string: a quote, a backslash or a control character; len(b) when there is
// none. It looks at eight bytes at a time: subtracting makes the top bit of a
// byte that is too small borrow, and "&^ w" drops bytes that are not ASCII. A
// borrow can run on into later bytes but never into earlier ones, so the first
// hit is exact.
func ScanString(b []byte, i int) int {
	for len(b)-i >= 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		hit := (w - ones*' ') | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones)
		if hit &= highs &^ w; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// digits is the index of the first byte from i on that is not a digit. Taking
// eight bytes at a time saves a branch that nobody can predict, at the end of
// every run: a digit xor '0' is at most 9, and 0x76 more than 9 has the top bit.
func digits(b []byte, i int) int {
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ ones*'0'
		if hit := (x + ones*0x76 | x) & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// shortNumber is the length of a number such as 7 or 12.25 that ends within
// eight bytes; 0 when it is anything else, right or wrong. It finds all bytes
// that are not digits at once: masked to seven bits, no sum reaches into the
// next byte.
func shortNumber(b []byte, i int) int {
	if len(b)-i < 8 {
		return 0
	}
	x := binary.LittleEndian.Uint64(b[i:]) ^ ones*'0'
	other := (x&^highs + ones*0x76 | x) & highs
	n := bits.TrailingZeros64(other) >> 3
	if n == 0 || n == 8 || n > 1 && b[i] == '0' {
		return 0
	}
	if b[i+n] == '.' {
		point := n
		other &= other - 1
		if n = bits.TrailingZeros64(other) >> 3; n == 8 || n == point+1 {
			return 0
		}
	}
	if b[i+n]|0x20 == 'e' {
		return 0
	}
	return n
}

// ScanNumber reads a number that starts at i with a digit or a minus sign. It
// gives the end, or the offending place and what was expected there.
func ScanNumber(b []byte, i int) (end int, expected string) {
	if n := shortNumber(b, i); n > 0 {
		return i + n, ""
	}
	if b[i] == '-' {
		i++
	}
	first := i
	if i = digits(b, i); i == first {
		return i, "a digit"
	}
	if b[first] == '0' && i > first+1 {
		return first + 1, "no digit after a leading zero"
	}
	if i < len(b) && b[i] == '.' {
		first = i + 1
		if i = digits(b, first); i == first {
			return i, "a digit after the decimal point"
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		first = i
		if i = digits(b, i); i == first {
			return i, "a digit in the exponent"
		}
	}
	return i, ""
}

// literal is how the value that begins with c is spelt.
func literal(c byte) (word string, kind models.Kind) {
	switch c {
	case 't':
		return "true", models.KindBool
	case 'f':
		return "false", models.KindBool
	default:
		return "null", models.KindNull
	}
}

// Value reads any value at i. raw is a string's content, else the JSON text.
func (s *Scanner) Value(i, depth int) (raw []byte, kind models.Kind, next int, err *Error) {
	b := s.Body
	if i >= len(b) {
		return nil, 0, i, s.Syntax(i, "a value")
	}
	switch c := b[i]; c {
	case '"':
		raw, next, err = s.Text(i + 1)
		return raw, models.KindString, next, err
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		end, expected := ScanNumber(b, i)
		if expected != "" {
			return nil, 0, i, s.Syntax(end, expected)
		}
		return b[i:end:end], models.KindNumber, end, nil
	case 't', 'f', 'n':
		word, kind := literal(c)
		if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
			return nil, 0, i, s.Malformed(i, "expected a value: true, false and null are written in full and in lower case, NaN is not JSON")
		}
		end := i + len(word)
		return b[i:end:end], kind, end, nil
	case '[':
		next, err = s.array(i, depth)
		kind = models.KindArray
	case '{':
		next, err = s.object(i, depth)
		kind = models.KindObject
	case 'N', 'I', '+', '.':
		return nil, 0, i, s.Malformed(i, "expected a value: JSON has no NaN, no Infinity, and no number that begins with "+
			"a plus sign or a decimal point"+s.options.NaNHint)
	default:
		return nil, 0, i, s.Syntax(i, "a value")
	}
	if err != nil {
		return nil, 0, i, err
	}
	return b[i:next:next], kind, next, nil
}

// array checks the array whose bracket is at i and gives the index after it.
func (s *Scanner) array(i, depth int) (next int, err *Error) {
	if depth >= s.options.Depth {
		return i, s.TooDeep(i)
	}
	b := s.Body
	i, more := s.Open(i, ']')
	for more {
		if i < len(b) && b[i]-'0' <= 9 { // what nearly every element of a tensor is
			end, expected := ScanNumber(b, i)
			if expected != "" {
				return i, s.Syntax(end, expected)
			}
			i = end
		} else {
			mark := len(s.Arena)
			if _, _, i, err = s.Value(i, depth+1); err != nil {
				return i, err
			}
			s.Arena = s.Arena[:mark]
		}
		if len(b)-i >= 2 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more, err = s.More(i, ']'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// object checks an object that nobody asked for, its names included.
func (s *Scanner) object(i, depth int) (next int, err *Error) {
	if depth >= s.options.Depth {
		return i, s.TooDeep(i)
	}
	s.ObjectAt = i
	mark := len(s.Arena)
	f := s.OpenNames()
	i, more := s.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = s.Key(i); err != nil {
			return i, err
		}
		if !s.AddName(&f, key) {
			return i, s.Duplicate(at, key)
		}
		if _, _, i, err = s.Value(i, depth+1); err != nil {
			return i, err
		}
		if i, more, err = s.More(i, '}'); err != nil {
			return i, err
		}
	}
	s.CloseNames(&f)
	s.Arena = s.Arena[:mark]
	return i, nil
}

// Open steps into a container and says whether anything is in it.
func (s *Scanner) Open(i int, end byte) (next int, more bool) {
	i = SkipSpace(s.Body, i+1)
	if i < len(s.Body) && s.Body[i] == end {
		return i + 1, false
	}
	return i, true
}

// More steps over what follows an element and says whether another one comes.
func (s *Scanner) More(i int, end byte) (next int, more bool, err *Error) {
	b := s.Body
	i = SkipSpace(b, i)
	if i < len(b) {
		switch b[i] {
		case ',':
			return SkipSpace(b, i+1), true, nil
		case end:
			return i + 1, false, nil
		}
	}
	if end == ']' {
		return i, false, s.Syntax(i, "a comma or ]")
	}
	return i, false, s.Syntax(i, "a comma or }")
}

// Key reads a member's name and colon and gives the index of its value.
func (s *Scanner) Key(i int) (key []byte, next int, err *Error) {
	b := s.Body
	if i >= len(b) || b[i] != '"' {
		return nil, i, s.Syntax(i, "a member name in double quotes")
	}
	start := i + 1
	if i = ScanString(b, start); len(b)-i >= 3 && b[i] == '"' && b[i+1] == ':' && b[i+2] > ' ' {
		return b[start:i:i], i + 2, nil // written without spaces and escapes, as most are
	}
	if key, i, err = s.Text(start); err != nil {
		return nil, i, err
	}
	i = SkipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return nil, i, s.Syntax(i, "a colon after the member name")
	}
	return key, SkipSpace(b, i+1), nil
}
