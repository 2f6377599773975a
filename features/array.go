package features

import (
	"unicode/utf16"
	"unicode/utf8"

	"hotpath/models"
)

// source says who wrote an array: requests are held to JSON's types, stores may
// write bools as 0 and 1.
type source uint8

const (
	fromRequest source = iota
	fromStore
)

// arrayScan reads a JSON array of scalars without building it. It trusts
// nothing: stored arrays have not been checked before.
type arrayScan struct {
	b []byte
	i int
}

func (a *arrayScan) space() {
	for a.i < len(a.b) {
		switch a.b[a.i] {
		case ' ', '\t', '\n', '\r':
			a.i++
		default:
			return
		}
	}
}

// peek is the next byte after white space; 0 at the end.
func (a *arrayScan) peek() byte {
	a.space()
	if a.i == len(a.b) {
		return 0
	}
	return a.b[a.i]
}

// eat takes the next byte when it is c.
func (a *arrayScan) eat(c byte) bool {
	if a.peek() != c {
		return false
	}
	a.i++
	return true
}

// putArray stores a JSON array into the slot: flat with all elements, or nested
// exactly as the slot's shape says. at is the element that was refused.
func (s *slot) putArray(row *models.Row, text []byte, src source) (v verdict, at int) {
	a := arrayScan{b: text}
	if !a.eat('[') {
		return badKind, 0
	}
	if a.peek() == '[' && len(s.shape) > 1 {
		v = s.nested(row, &a, src, 0, &at)
	} else {
		v = s.elements(row, &a, src, s.width, &at)
	}
	if v != ok {
		return v, at
	}
	if a.peek() != 0 || a.i != len(a.b) {
		return badSyntax, at
	}
	return ok, at
}

// nested reads dimension d, whose bracket is already taken. Its depth is that of
// the model's shape, not of the input.
func (s *slot) nested(row *models.Row, a *arrayScan, src source, d int, at *int) verdict {
	if d == len(s.shape)-1 {
		return s.elements(row, a, src, s.shape[d], at)
	}
	for n := range s.shape[d] {
		if n > 0 && !a.eat(',') {
			return badShape
		}
		if !a.eat('[') {
			return badShape
		}
		if v := s.nested(row, a, src, d+1, at); v != ok {
			return v
		}
	}
	if !a.eat(']') {
		return badShape
	}
	return ok
}

// elements reads exactly count scalars and the closing bracket.
func (s *slot) elements(row *models.Row, a *arrayScan, src source, count int, at *int) verdict {
	for n := range count {
		if n > 0 && !a.eat(',') {
			return badShape
		}
		if v := s.element(row, a, src, *at); v != ok {
			return v
		}
		*at++
	}
	if !a.eat(']') {
		return badShape
	}
	return ok
}

// element reads one scalar.
func (s *slot) element(row *models.Row, a *arrayScan, src source, e int) verdict {
	switch c := a.peek(); {
	case c == '"':
		if s.kind != kindString {
			return badKind
		}
		return s.stringElement(row, a, e)
	case c == ']' || c == ',' || c == '[' || c == 0:
		return badShape
	}
	from := a.i
	for a.i < len(a.b) && !endsScalar(a.b[a.i]) {
		a.i++
	}
	token := a.b[from:a.i]
	word := token[0] == 't' || token[0] == 'f' // true, false
	switch {
	case s.kind == kindString, src == fromRequest && word != (s.kind == kindBool):
		return badKind
	case src == fromRequest && word && string(token) != "true" && string(token) != "false":
		return badSyntax
	}
	return s.put(row, e, token)
}

func endsScalar(c byte) bool {
	switch c {
	case ',', ']', '[', ' ', '\t', '\n', '\r', '"':
		return true
	}
	return false
}

// stringElement unescapes a JSON string straight into the row.
func (s *slot) stringElement(row *models.Row, a *arrayScan, e int) verdict {
	start := len(row.Text)
	text, n := appendUnescaped(row.Text, a.b[a.i+1:])
	if n < 0 {
		return badSyntax
	}
	a.i += 1 + n
	row.Text = text
	if v := checkString(text[start:]); v != ok {
		return v
	}
	row.Strings[s.off+e] = models.Span{Off: uint32(start), Len: uint32(len(text) - start)}
	return ok
}

// appendUnescaped appends the JSON string whose opening quote is before b, and
// says how many bytes of b it took, closing quote included; -1 for bad syntax.
func appendUnescaped(dst, b []byte) ([]byte, int) {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return dst, i + 1
		case c < ' ':
			return dst, -1
		case c != '\\':
			dst = append(dst, c)
		default:
			if i++; i == len(b) {
				return dst, -1
			}
			if b[i] == 'u' {
				r, n := unescapeUnicode(b[i+1:])
				if n < 0 {
					return dst, -1
				}
				dst = utf8.AppendRune(dst, r)
				i += n
				continue
			}
			plain := unescapeByte(b[i])
			if plain == 0 {
				return dst, -1
			}
			dst = append(dst, plain)
		}
	}
	return dst, -1
}

// unescapeByte is what \c stands for; 0 when it stands for nothing.
func unescapeByte(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// unescapeUnicode reads the digits after \u, and the second half of a surrogate
// pair. A lone surrogate is refused: -1.
func unescapeUnicode(b []byte) (rune, int) {
	first := hex4(b)
	if first < 0 {
		return 0, -1
	}
	if !utf16.IsSurrogate(first) {
		return first, 4
	}
	if len(b) < 10 || b[4] != '\\' || b[5] != 'u' {
		return 0, -1
	}
	r := utf16.DecodeRune(first, hex4(b[6:]))
	if r == utf8.RuneError {
		return 0, -1
	}
	return r, 10
}

// hex4 reads four hexadecimal digits; -1 when they are none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
