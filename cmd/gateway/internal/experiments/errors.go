package experiments

import (
	"context"
	"errors"
	"fmt"
)

// Code is the stable name of what went wrong, as in the admin API.
type Code string

// The codes.
const (
	CodeBadRequest        Code = "bad_request"
	CodeBadExperiments    Code = "bad_experiments"
	CodePrecondition      Code = "precondition_failed"
	CodeNoPrecondition    Code = "precondition_required"
	CodeReadOnly          Code = "read_only"
	CodeNoFile            Code = "no_experiments_file"
	CodeConflict          Code = "conflict"
	CodeUnknownRevision   Code = "unknown_revision"
	CodeUnknownExperiment Code = "unknown_experiment"
	CodeUnknownVariant    Code = "unknown_variant"
	CodeStorage           Code = "storage"
	CodeNotReady          Code = "not_ready"
	CodeDeadline          Code = "deadline"
)

// Error is why something was not done. Err may hold strictyaml.Problems.
type Error struct {
	Code Code
	Err  error
	// ETag is the file's, where it is not the one that was asked for.
	ETag string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// waited is the error of a wait that ctx ended.
func waited(ctx context.Context, what string) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errorf(CodeDeadline, "the time was over before %s: another change may be loading a model; try again", what)
	}
	return errorf(CodeDeadline, "given up before %s", what)
}
