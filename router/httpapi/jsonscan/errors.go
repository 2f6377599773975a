package jsonscan

import (
	"strconv"
	"unicode/utf8"
)

// The codes of an Error.
const (
	// CodeBadJSON is a body that is not the JSON that the API accepts.
	CodeBadJSON = "bad_json"
	// CodeBadRequest is well-formed JSON that does not say what the API wants.
	CodeBadRequest = "bad_request"
)

// Error is why a body, or a part of one, was refused. It owns its text.
type Error struct {
	// Code is CodeBadJSON or CodeBadRequest.
	Code string
	// Field is the path of the member at fault, such as features.amount; empty
	// when no member can be named.
	Field string
	// Message says what was expected, what was found and at which byte.
	Message string
	// Offset is the place in the body, in bytes from its start.
	Offset int
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Field + ": " + e.Message
}

// shownBytes is how much of a name from the body an error repeats.
const shownBytes = 64

// Shown shortens a name from the body to what is fit for a message.
func Shown(name []byte) string {
	if len(name) <= shownBytes {
		return string(name)
	}
	n := shownBytes
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return string(name[:n]) + "…"
}

// AtByte ends a message with its place.
func AtByte(off int) string { return " (byte " + strconv.Itoa(off) + ")" }

// Syntax is the error of a byte that JSON does not allow at off.
func (s *Scanner) Syntax(off int, expected string) *Error {
	found := "the end of the body"
	if off < len(s.Body) {
		r, _ := utf8.DecodeRune(s.Body[off:])
		found = strconv.QuoteRune(r)
	}
	return &Error{CodeBadJSON, s.options.Path(nil), "expected " + expected + ", found " + found + AtByte(off), off}
}

// Malformed is a syntax error that needs more words.
func (s *Scanner) Malformed(off int, message string) *Error {
	return &Error{CodeBadJSON, s.options.Path(nil), message + AtByte(off), off}
}

// Duplicate is the error of a name that its object has twice.
func (s *Scanner) Duplicate(off int, key []byte) *Error {
	return &Error{CodeBadJSON, s.options.Path(key), "member " + strconv.Quote(Shown(key)) + " is there twice; send it once" + AtByte(off), off}
}

// TooDeep is the error of a container inside as many as are allowed.
func (s *Scanner) TooDeep(off int) *Error {
	return s.Malformed(off, "more than "+strconv.Itoa(s.options.Depth)+" objects and arrays inside one another")
}
