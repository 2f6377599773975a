package features

import (
	"errors"

	"hotpath/resilience/redislink"
)

// The ways in which a fetch fails. Both are wrapped with the cause.
var (
	// ErrUnavailable: the store did not give the features: no connection, a
	// refusing server, or no free place in the queue of the fetch workers.
	ErrUnavailable = errors.New("feature store unavailable")
	// ErrTimeout: the caller's time was over before the store answered.
	ErrTimeout = errors.New("feature store timed out")
	// ErrClosed: the store is shutting down. It is an ErrUnavailable.
	ErrClosed error = &fetchError{ErrUnavailable, errors.New("store is closed")}
	// ErrQueueFull: more requests wait for a fetch worker than Options.Queue
	// allows. It is an ErrUnavailable, but says nothing about Redis.
	ErrQueueFull error = &fetchError{ErrUnavailable, errors.New("queue of the fetch workers is full (option queue)")}

	errDeadline error = &fetchError{ErrTimeout, errors.New("no answer before the deadline")}
	errBadReply error = &fetchError{ErrUnavailable, errors.New("reply does not answer the read")}
	errPanic    error = &fetchError{ErrUnavailable, errors.New("fetch worker recovered from a panic")}
)

// fetchError joins a sentinel and its cause. Values are shared by every request
// of a pipeline and must not be changed.
type fetchError struct{ sentinel, cause error }

func (e *fetchError) Error() string   { return e.sentinel.Error() + ": " + e.cause.Error() }
func (e *fetchError) Unwrap() []error { return []error{e.sentinel, e.cause} }

// errKind is a value of the kind label of hotpath_feature_errors_total: what
// redislink tells apart, and what is the store's own.
type errKind uint8

const (
	kindQueue = errKind(redislink.NumKinds) + iota
	kindPanic
	kindOversize
	kindUnparsable
	numErrKinds
)

const (
	kindTimeout   = errKind(redislink.Timeout)
	kindReply     = errKind(redislink.Reply)
	kindWrongType = errKind(redislink.WrongType)
)

var ownKinds = [...]string{"queue", "panic", "oversize", "unparsable"}

// String is the kind's label.
func (k errKind) String() string {
	if k < kindQueue {
		return redislink.Kind(k).String()
	}
	return ownKinds[k-kindQueue]
}

// unavailable is what a fetch answers in a state of the connection.
func unavailable(s *redislink.State) error {
	if s.Code == redislink.Timeout {
		return &fetchError{ErrTimeout, s.Err}
	}
	return &fetchError{ErrUnavailable, s.Err}
}
