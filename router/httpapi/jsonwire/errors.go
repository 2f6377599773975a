package jsonwire

import (
	"strconv"
	"strings"

	"hotpath/router/httpapi/jsonscan"
)

// The codes of an Error.
const (
	// CodeBadJSON is a body that is not the JSON that the API accepts.
	CodeBadJSON = jsonscan.CodeBadJSON
	// CodeBadRequest is well-formed JSON that does not say what the API wants.
	CodeBadRequest = jsonscan.CodeBadRequest
)

// Error is why a body or an instance of a batch was refused.
type Error = jsonscan.Error

// field names a member of the section being read, or with nil the section.
func (d *Decoder) field(key []byte) string {
	switch {
	case key == nil:
		return d.section
	case d.section == "":
		return jsonscan.Shown(key)
	}
	return d.section + "." + jsonscan.Shown(key)
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

// refuse notes that well-formed JSON does not say what the API wants; key is the
// member of the section being read, or nil for the section itself. The first
// mistake of a request or of an instance is kept. Decoding goes on, so that what
// is not JSON is always found, whatever else is wrong with it.
func (d *Decoder) refuse(off int, key []byte, message ...string) {
	if d.fault == nil {
		d.fault = &Error{Code: CodeBadRequest, Field: d.field(key), Message: strings.Join(message, "") + jsonscan.AtByte(off), Offset: off}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
