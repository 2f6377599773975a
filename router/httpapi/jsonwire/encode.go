package jsonwire

import (
	"unicode/utf8"
	"unsafe"
)

// AppendString adds s in quotes. Bytes that are not UTF-8 become U+FFFD; U+2028
// and U+2029 are escaped, for readers that take JSON for JavaScript.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = appendEscape(append(dst, s[from:i]...), c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(append(dst, s[from:i]...), "\ufffd"...)
			from = i + n
		case r == '\u2028':
			dst = append(append(dst, s[from:i]...), `\u2028`...)
			from = i + n
		case r == '\u2029':
			dst = append(append(dst, s[from:i]...), `\u2029`...)
			from = i + n
		}
		i += n
	}
	return append(append(dst, s[from:]...), '"')
}

// AppendBytes is AppendString for bytes.
func AppendBytes(dst, s []byte) []byte {
	return AppendString(dst, unsafe.String(unsafe.SliceData(s), len(s)))
}

// appendEscape adds the escape of an ASCII character that cannot stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// AppendError adds the body of every answer that is not a prediction. field and
// requestID are left out when empty.
func AppendError(dst []byte, code, message, field string, requestID []byte) []byte {
	dst = AppendString(append(dst, `{"error":{"code":`...), code)
	dst = AppendString(append(dst, `,"message":`...), message)
	if field != "" {
		dst = AppendString(append(dst, `,"field":`...), field)
	}
	if len(requestID) > 0 {
		dst = AppendBytes(append(dst, `,"request_id":`...), requestID)
	}
	return append(dst, "}}"...)
}
