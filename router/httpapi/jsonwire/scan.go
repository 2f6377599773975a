package jsonwire

import (
	"encoding/binary"
	"math/bits"

	"hotpath/models"
)

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString is the index of the first byte from i on that ends a plain run of
// a string: a quote, a backslash or a control character; len(b) when there is
// none. It looks at eight bytes at a time: subtracting makes the top bit of a
// byte that is too small borrow, and "&^ w" drops bytes that are not ASCII. A
// borrow can run on into later bytes but never into earlier ones, so the first
// hit is exact.
func scanString(b []byte, i int) int {
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

// scanNumber reads a number that starts at i with a digit or a minus sign. It
// gives the end, or the offending place and what was expected there.
func scanNumber(b []byte, i int) (end int, expected string) {
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

// value reads any value at i. raw is a string's content, else the JSON text.
func (d *Decoder) value(i, depth int) (raw []byte, kind models.Kind, next int, err *Error) {
	b := d.body
	if i >= len(b) {
		return nil, 0, i, d.syntax(i, "a value")
	}
	switch c := b[i]; c {
	case '"':
		raw, next, err = d.text(i + 1)
		return raw, models.KindString, next, err
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		end, expected := scanNumber(b, i)
		if expected != "" {
			return nil, 0, i, d.syntax(end, expected)
		}
		return b[i:end:end], models.KindNumber, end, nil
	case 't', 'f', 'n':
		word, kind := literal(c)
		if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
			return nil, 0, i, d.malformed(i, "expected a value: true, false and null are written in full and in lower case, NaN is not JSON")
		}
		end := i + len(word)
		return b[i:end:end], kind, end, nil
	case '[':
		next, err = d.array(i, depth)
		kind = models.KindArray
	case '{':
		next, err = d.object(i, depth)
		kind = models.KindObject
	case 'N', 'I', '+', '.':
		return nil, 0, i, d.malformed(i, "expected a value: JSON has no NaN, no Infinity, and no number that begins with "+
			"a plus sign or a decimal point; leave an unknown feature out")
	default:
		return nil, 0, i, d.syntax(i, "a value")
	}
	if err != nil {
		return nil, 0, i, err
	}
	return b[i:next:next], kind, next, nil
}

// array checks the array whose bracket is at i and gives the index after it.
func (d *Decoder) array(i, depth int) (next int, err *Error) {
	if depth >= d.limits.Depth {
		return i, d.tooDeep(i)
	}
	b := d.body
	i, more := d.open(i, ']')
	for more {
		if i < len(b) && b[i]-'0' <= 9 { // what nearly every element of a tensor is
			end, expected := scanNumber(b, i)
			if expected != "" {
				return i, d.syntax(end, expected)
			}
			i = end
		} else {
			mark := len(d.arena)
			if _, _, i, err = d.value(i, depth+1); err != nil {
				return i, err
			}
			d.arena = d.arena[:mark]
		}
		if len(b)-i >= 2 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more, err = d.more(i, ']'); err != nil {
			return i, err
		}
	}
	return i, nil
}

// object checks an object that nobody asked for, its names included.
func (d *Decoder) object(i, depth int) (next int, err *Error) {
	if depth >= d.limits.Depth {
		return i, d.tooDeep(i)
	}
	d.objectAt = i
	mark := len(d.arena)
	f := d.names.open()
	i, more := d.open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = d.key(i); err != nil {
			return i, err
		}
		if !d.names.add(&f, key) {
			return i, d.duplicate(at, key)
		}
		if _, _, i, err = d.value(i, depth+1); err != nil {
			return i, err
		}
		if i, more, err = d.more(i, '}'); err != nil {
			return i, err
		}
	}
	d.names.close(&f)
	d.arena = d.arena[:mark]
	return i, nil
}

// open steps into a container and says whether anything is in it.
func (d *Decoder) open(i int, end byte) (next int, more bool) {
	i = skipSpace(d.body, i+1)
	if i < len(d.body) && d.body[i] == end {
		return i + 1, false
	}
	return i, true
}

// more steps over what follows an element and says whether another one comes.
func (d *Decoder) more(i int, end byte) (next int, more bool, err *Error) {
	b := d.body
	i = skipSpace(b, i)
	if i < len(b) {
		switch b[i] {
		case ',':
			return skipSpace(b, i+1), true, nil
		case end:
			return i + 1, false, nil
		}
	}
	if end == ']' {
		return i, false, d.syntax(i, "a comma or ]")
	}
	return i, false, d.syntax(i, "a comma or }")
}

// key reads a member's name and colon and gives the index of its value.
func (d *Decoder) key(i int) (key []byte, next int, err *Error) {
	b := d.body
	if i >= len(b) || b[i] != '"' {
		return nil, i, d.syntax(i, "a member name in double quotes")
	}
	start := i + 1
	if i = scanString(b, start); len(b)-i >= 3 && b[i] == '"' && b[i+1] == ':' && b[i+2] > ' ' {
		return b[start:i:i], i + 2, nil // written without spaces and escapes, as most are
	}
	if key, i, err = d.text(start); err != nil {
		return nil, i, err
	}
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return nil, i, d.syntax(i, "a colon after the member name")
	}
	return key, skipSpace(b, i+1), nil
}
