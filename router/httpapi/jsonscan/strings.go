package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Text reads a string whose first content byte is at i: a part of the body when
// nothing in it is escaped, else a part of Arena.
func (s *Scanner) Text(i int) (content []byte, next int, err *Error) {
	b := s.Body
	end := ScanString(b, i)
	if end < len(b) {
		switch b[end] {
		case '"':
			return b[i:end:end], end + 1, nil
		case '\\':
			return s.unescape(i, end)
		}
	}
	return nil, end, s.unclosed(end)
}

// unclosed is the error of a string that does not go on at end.
func (s *Scanner) unclosed(end int) *Error {
	if end >= len(s.Body) {
		return s.Syntax(end, "a closing quote")
	}
	return s.Malformed(end, "control characters in a string must be escaped, such as \\n or \\u0000")
}

// unescape reads a string that begins at start and whose first backslash is at
// i. Arena that grows leaves what was given out before where it is.
func (s *Scanner) unescape(start, i int) (content []byte, next int, err *Error) {
	b := s.Body
	mark := len(s.Arena)
	s.Arena = append(s.Arena, b[start:i]...)
	for {
		if i, err = s.escape(i); err != nil {
			return nil, i, err
		}
		if i < len(b) && b[i] == '\\' {
			continue
		}
		end := ScanString(b, i)
		s.Arena = append(s.Arena, b[i:end]...)
		i = end
		if end < len(b) && b[end] == '\\' {
			continue
		}
		if end < len(b) && b[end] == '"' {
			return s.Arena[mark:len(s.Arena):len(s.Arena)], end + 1, nil
		}
		return nil, end, s.unclosed(end)
	}
}

// escape adds to the arena what the escape at i stands for.
func (s *Scanner) escape(i int) (next int, err *Error) {
	c := byte(0)
	if i+1 < len(s.Body) {
		c = s.Body[i+1]
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicode(i)
	default:
		return i, s.Syntax(i+1, `one of " \ / b f n r t u after a backslash`)
	}
	s.Arena = append(s.Arena, c)
	return i + 2, nil
}

// unicode adds the character of the \u escape, or of the two, at i.
func (s *Scanner) unicode(i int) (next int, err *Error) {
	r := hex4(s.Body, i+2)
	if r < 0 {
		return i, s.Malformed(i, "expected four hexadecimal digits after \\u")
	}
	next = i + 6
	if utf16.IsSurrogate(r) {
		low := rune(-1)
		if next+1 < len(s.Body) && s.Body[next] == '\\' && s.Body[next+1] == 'u' {
			low = hex4(s.Body, next+2)
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return i, s.Malformed(i, "half of a surrogate pair: \\ud800 to \\udfff must come as a pair")
		}
		next += 6
	}
	s.Arena = utf8.AppendRune(s.Arena, r)
	return next, nil
}

// hex4 reads four hexadecimal digits; -1 when there are none.
func hex4(b []byte, i int) rune {
	if len(b)-i < 4 {
		return -1
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
