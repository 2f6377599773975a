package grpcapi

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"

	"hotpath/router"
	"hotpath/router/identity"
)

// modelStreamInfer answers ModelStreamInfer. Requests run beside each other, at most
// StreamInFlight of them, and are answered in the order in which they came. An error
// is the answer to its request; the stream goes on.
func (a *api) modelStreamInfer(_ any, stream grpc.ServerStream) error {
	s := &inferStream{api: a, stream: stream, connection: connectionOf(stream.Context()), credentials: credentialsOf(stream.Context()),
		received: make(chan *message), left: make(chan struct{}),
		pending: make(chan chan *answer, a.options.StreamInFlight), failed: make(chan struct{}), sent: make(chan struct{})}
	a.handlers.Go(s.receive)
	a.handlers.Go(s.send)
	err := s.dispatch()
	close(s.left)
	close(s.pending)
	// A client that does not read must not hold the handler. Its end also ends send.
	patience := time.NewTimer(a.options.MaxDeadline + a.options.WriteTimeout)
	defer patience.Stop()
	select {
	case <-s.sent:
	case <-patience.C:
		return errGone
	}
	return err
}

// inferStream is one ModelStreamInfer. Three goroutines serve it: the handler's own
// starts a goroutine for each request, one receives and one sends.
type inferStream struct {
	api        *api
	stream     grpc.ServerStream
	connection *connection
	// credentials are those of the call, for each of its requests.
	credentials identity.Credentials
	received    chan *message
	// ended is why received was closed. It belongs to receive until then.
	ended error
	// left is closed when dispatch takes no more requests.
	left chan struct{}
	// pending are the answers to come, in order, each sent once. Its capacity bounds
	// the requests in progress.
	pending chan chan *answer
	// failed is closed when an answer could not be written, sent when all are.
	failed, sent chan struct{}
}

// receive takes requests off the stream. It cannot be stopped while it waits for
// one: it ends with the call, which is a moment after the handler.
func (s *inferStream) receive() {
	defer close(s.received)
	for {
		m := s.api.messages.get()
		if s.ended = s.stream.RecvMsg(m); s.ended != nil {
			m.Free()
			return
		}
		select {
		case s.received <- m:
		case <-s.left:
			m.Free()
			return
		}
	}
}

// dispatch starts the requests, until the client has sent its last, goes away or
// falls silent, or the server stops.
func (s *inferStream) dispatch() error {
	idle := time.NewTimer(s.api.options.StreamIdle)
	defer idle.Stop()
	for {
		select {
		case m, more := <-s.received:
			if !more {
				if s.ended == io.EOF {
					return nil
				}
				return s.ended
			}
			idle.Reset(s.api.options.StreamIdle)
			if err := s.start(m, idle.C); err != nil {
				return err
			}
		case <-s.failed:
			return errGone
		case <-idle.C:
			return errStreamIdle
		case <-s.api.stopping:
			return errStopping
		}
	}
}

var (
	errStreamIdle = &router.Error{Code: router.ClientTooSlow, Message: "no request came over the stream in time (server.grpc_stream_idle), or its answers were not read"}
	errGone       = &router.Error{Code: router.ClientTooSlow, Message: "the client did not take the answers of the stream"}
)

// start runs a request, once there is a place for its answer.
func (s *inferStream) start(m *message, idle <-chan time.Time) error {
	done := make(chan *answer, 1)
	select {
	case s.pending <- done:
		s.api.handlers.Go(func() { done <- s.answer(m) })
		return nil
	case <-s.failed:
		m.Free()
		return errGone
	case <-idle:
		m.Free()
		return errStreamIdle
	}
}

// answer takes one request through the pipeline.
func (s *inferStream) answer(m *message) (ans *answer) {
	start, code := time.Now(), router.OK
	s.api.metrics.inFlight.Inc()
	defer func() {
		if p := recover(); p != nil {
			refusal := s.api.panicked("ModelStreamInfer", p)
			ans, code = streamError(refusal.Error(), nil), refusal.Code
		}
		s.api.metrics.inFlight.Dec()
		s.api.metrics.streamed.observe(code, time.Since(start))
	}()
	if refusal := s.api.admitWith(s.credentials, identity.Predict, start); refusal != nil {
		ans, code = streamError(refusal.Error(), m.peekID()), refusal.Code
		m.Free()
		return ans
	}
	ans, refusal := s.api.infer(streamContext{s.stream.Context()}, m, start, s.connection, true)
	if refusal != nil {
		code = refusal.Code
	}
	return ans
}

// send writes the answers in their order. Behind a write that failed it only frees
// them.
func (s *inferStream) send() {
	defer close(s.sent)
	gone := false
	for done := range s.pending {
		ans := <-done
		if gone {
			ans.buffers.Free()
		} else if ans.send(s.stream) != nil {
			gone = true
			close(s.failed)
		}
	}
}

// streamContext is the context of one request of a stream: the stream's deadline is
// not the request's.
type streamContext struct{ context.Context }

// Deadline is none.
func (streamContext) Deadline() (time.Time, bool) { return time.Time{}, false }
