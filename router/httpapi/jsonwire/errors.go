package jsonwire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The codes of an Error.
const (
	// CodeBadJSON is a body that is not the JSON that the API accepts.
	CodeBadJSON = "bad_json"
	// CodeBadRequest is well-formed JSON that does not say what the API wants.
	CodeBadRequest = "bad_request"
)

// Error is why a body or an instance of a batch was refused. It owns its text.
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

// shown shortens a name from the body to what is fit for a message.
func shown(name []byte) string {
	if len(name) <= shownBytes {
		return string(name)
	}
	n := shownBytes
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return string(name[:n]) + "…"
}

func atByte(off int) string { return " (byte " + itoa(off) + ")" }

// field names a member of the section being read, or with nil the section.
func (d *Decoder) field(key []byte) string {
	switch {
	case key == nil:
		return d.section
	case d.section == "":
		return shown(key)
	}
	return d.section + "." + shown(key)
}

// path is field for an error about the whole body: in a batch it begins with
// the instance.
func (d *Decoder) path(key []byte) string {
	field := d.field(key)
	if d.index < 0 {
		return field
	}
	instance := "instances[" + itoa(d.index) + "]"
	if field == "" {
		return instance
	}
	return instance + "." + field
}

// syntax is the error of a byte that JSON does not allow at off.
func (d *Decoder) syntax(off int, expected string) *Error {
	found := "the end of the body"
	if off < len(d.body) {
		r, _ := utf8.DecodeRune(d.body[off:])
		found = strconv.QuoteRune(r)
	}
	return &Error{CodeBadJSON, d.path(nil), "expected " + expected + ", found " + found + atByte(off), off}
}

// malformed is a syntax error that needs more words.
func (d *Decoder) malformed(off int, message string) *Error {
	return &Error{CodeBadJSON, d.path(nil), message + atByte(off), off}
}

func (d *Decoder) duplicate(off int, key []byte) *Error {
	return &Error{CodeBadJSON, d.path(key), "member " + strconv.Quote(shown(key)) + " is there twice; send it once" + atByte(off), off}
}

// refuse notes that well-formed JSON does not say what the API wants; key is the
// member of the section being read, or nil for the section itself. The first
// mistake of a request or of an instance is kept. Decoding goes on, so that what
// is not JSON is always found, whatever else is wrong with it.
func (d *Decoder) refuse(off int, key []byte, message ...string) {
	if d.fault == nil {
		d.fault = &Error{CodeBadRequest, d.field(key), strings.Join(message, "") + atByte(off), off}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
