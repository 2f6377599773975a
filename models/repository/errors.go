package repository

import (
	"fmt"
	"strconv"
)

// Code says what kind of refusal an Error is, in the words of the admin API.
type Code string

// The codes.
const (
	CodeUnknownModel   Code = "unknown_model"
	CodeUnknownVersion Code = "unknown_version"
	CodeUnknownLabel   Code = "unknown_label"
	CodeBadRequest     Code = "bad_request"
	// CodeBadModel is a version that failed a check or its load.
	CodeBadModel Code = "bad_model"
	// CodeConflict is an operation that does not fit the state of things.
	CodeConflict Code = "conflict"
	// CodeDeadline is an operation that was not over in time; a load goes on.
	CodeDeadline Code = "deadline"
	CodeClosed   Code = "closed"
)

// Error is what operations give.
type Error struct {
	Code    Code
	Model   string
	Version int // 0 when it is about the whole model
	Reason  string
	Err     error // may be nil
}

func (e *Error) Error() string {
	s := "model " + strconv.Quote(e.Model)
	if e.Version != 0 {
		s += " version " + strconv.Itoa(e.Version)
	}
	return s + ": " + e.Reason
}

func (e *Error) Unwrap() error { return e.Err }

func fail(code Code, model string, version int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Model: model, Version: version, Reason: err.Error(), Err: err}
}
