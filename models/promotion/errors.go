package promotion

import "fmt"

// Code says what kind of refusal an Error is, in the words of the admin API.
type Code string

// The codes.
const (
	CodeBadRequest        Code = "bad_request"
	CodeUnknownModel      Code = "unknown_model"
	CodeUnknownVersion    Code = "unknown_version"
	CodeUnknownDeployment Code = "unknown_deployment"
	// CodeConflict is a deployment that does not fit the state of things, such as a
	// second one of a model.
	CodeConflict Code = "conflict"
	// CodeKeyReused is an idempotency key that came with another request before.
	CodeKeyReused Code = "idempotency_key_reused"
	CodeTooLarge  Code = "body_too_large"
	// CodeBadModel is an upload that is not what the caller said it is.
	CodeBadModel Code = "bad_model"
	// CodeUpload is an upload that did not arrive whole.
	CodeUpload Code = "upload_failed"
	// CodeStorage is a repository or journal that cannot be written.
	CodeStorage Code = "storage"
	CodeClosed  Code = "closed"
)

// Error is what the Manager's methods give.
type Error struct {
	Code Code
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func fail(code Code, format string, args ...any) *Error {
	return &Error{code, fmt.Errorf(format, args...)}
}
