package grpcapi

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/tap"
)

// boundContext carries a deadline that the server set because the caller set none,
// or a later one. Its Value tells the former.
type boundContext struct {
	context.Context
	// cancel need not be called: the context ends with its parent, when the call does.
	cancel context.CancelFunc
	// asked says that the caller set one.
	asked bool
}

type boundKey struct{}

// Value is true for boundKey where the caller set no deadline.
func (c boundContext) Value(key any) any {
	if key == (boundKey{}) {
		return !c.asked
	}
	return c.Context.Value(key)
}

// repositoryPrefix begins the names of the methods that may take as long as loading
// a model does.
const repositoryPrefix = "/inference.GRPCInferenceService/RepositoryModel"

// bound gives every call that takes one message a time in which it must end, so
// that a client that never sends it holds nothing for ever. It runs in the reading
// goroutine of a connection, before anything of the call is set up.
func (a *api) bound(ctx context.Context, info *tap.Info) (context.Context, error) {
	limit := a.options.ReadTimeout + a.options.MaxDeadline
	switch method := info.FullMethodName; {
	case a.streams[method]:
		return ctx, nil // bounded by its own handler, and by the end of its connection
	case strings.HasPrefix(method, repositoryPrefix):
		limit = a.options.LoadTimeout
	}
	until, asked := ctx.Deadline()
	if asked && time.Until(until) <= limit {
		return ctx, nil
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	return boundContext{bounded, cancel, asked}, nil
}

// timeLeft is the time from start on that the caller gave by grpc-timeout, or the
// bound where that is less.
func timeLeft(ctx context.Context, start time.Time) (time.Duration, bool) {
	until, ok := ctx.Deadline()
	if !ok || ctx.Value(boundKey{}) == true {
		return 0, false
	}
	return until.Sub(start), true
}
