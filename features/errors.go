package features

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
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
	errPaced          = errors.New("next attempt to connect is not due yet")
	errStarting       = errors.New("not connected yet")
)

// fetchError joins a sentinel and its cause. Values are shared by every request
// of a pipeline and must not be changed.
type fetchError struct{ sentinel, cause error }

func (e *fetchError) Error() string   { return e.sentinel.Error() + ": " + e.cause.Error() }
func (e *fetchError) Unwrap() []error { return []error{e.sentinel, e.cause} }

// errKind is a value of the kind label of hotpath_feature_errors_total.
type errKind uint8

const (
	kindTimeout errKind = iota
	kindRefused
	kindTransport
	kindAuth
	kindLoading
	kindBusy
	kindReadonly
	kindMasterDown
	kindClusterDown
	kindOOM
	kindRedirect
	kindReply
	kindQueue
	kindPanic
	kindWrongType
	kindOversize
	kindUnparsable
	numErrKinds
)

var errKindNames = [numErrKinds]string{"timeout", "refused", "transport", "auth", "loading", "busy", "readonly",
	"masterdown", "clusterdown", "oom", "redirect", "reply", "queue", "panic", "wrongtype", "oversize", "unparsable"}

// replyKinds maps the first word of an error reply.
var replyKinds = []struct {
	prefix string
	kind   errKind
}{
	{"WRONGTYPE", kindWrongType}, {"LOADING", kindLoading}, {"BUSY", kindBusy}, {"NOAUTH", kindAuth},
	{"WRONGPASS", kindAuth}, {"NOPERM", kindAuth}, {"READONLY", kindReadonly}, {"MASTERDOWN", kindMasterDown},
	{"CLUSTERDOWN", kindClusterDown}, {"OOM", kindOOM}, {"MOVED", kindRedirect}, {"ASK", kindRedirect},
	{"TRYAGAIN", kindRedirect},
}

// classify names what went wrong with a command.
func classify(err error) errKind {
	var reply *rueidis.RedisError
	if errors.As(err, &reply) {
		text := reply.Error()
		for _, r := range replyKinds {
			if strings.HasPrefix(text, r.prefix) {
				return r.kind
			}
		}
		if strings.Contains(text, "invalid password") || strings.Contains(text, "without any password configured") {
			return kindAuth
		}
		return kindReply
	}
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return kindTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return kindRefused
	}
	return kindTransport
}
