package grpcapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/identity"
	"hotpath/router/oip"
)

// Options of a Server. All limits are finite.
type Options struct {
	// DefaultDeadline applies to requests that bring none; MaxDeadline caps those
	// that do.
	DefaultDeadline, MaxDeadline time.Duration
	// ForcedHeader is the metadata by which a request may force a variant; empty:
	// forcing is off and the metadata is ignored.
	ForcedHeader string
	// Forcing says what that metadata may hold.
	Forcing router.Forcing
	// MaxMessageBytes bounds a request, and an answer.
	MaxMessageBytes int
	MaxConnections  int
	// MaxStreams bounds the calls in progress of one connection, StreamInFlight the
	// requests in progress of one ModelStreamInfer.
	MaxStreams, StreamInFlight int
	// MaxHeaderBytes bounds the metadata of a call.
	MaxHeaderBytes int
	ReadTimeout    time.Duration // of one request, from its headers on
	WriteTimeout   time.Duration // for the client to take an answer
	IdleTimeout    time.Duration // between two calls of a connection
	// StreamIdle is how long a ModelStreamInfer may bring no request.
	StreamIdle time.Duration
	// LoadTimeout bounds loading and unloading a model.
	LoadTimeout time.Duration
	// MemoryBytes bounds what messages over 64 KiB take together, from when they have
	// been received until nothing reads them.
	MemoryBytes int64
	// MaxInFlight is the pipeline's, of which answers that wait to be written may
	// hold a part.
	MaxInFlight int
	// Repository lets clients load and unload models.
	Repository bool
	// Access says who may do what; nil: everybody may do everything.
	Access *identity.Access
	// TLS is how connections are secured; nil: they are not.
	TLS *tls.Config
	// Ready says whether the server wants traffic, for grpc.health.v1.
	Ready func() bool
	Log   *slog.Logger
}

func (o Options) validate() error {
	if err := o.Forcing.Validate(); err != nil {
		return fmt.Errorf("experiments.force_key: %w", err)
	}
	for _, limit := range []struct {
		name string
		ok   bool
	}{
		{"deadline.default", o.DefaultDeadline > 0}, {"deadline.max", o.MaxDeadline >= o.DefaultDeadline},
		{"server.grpc_max_message_bytes", o.MaxMessageBytes > 0}, {"server.grpc_max_connections", o.MaxConnections > 0},
		{"server.grpc_max_streams", o.MaxStreams > 0}, {"server.grpc_stream_in_flight", o.StreamInFlight > 0},
		{"server.max_header_bytes", o.MaxHeaderBytes > 0}, {"server.read_timeout", o.ReadTimeout > 0},
		{"server.write_timeout", o.WriteTimeout > 0}, {"server.idle_timeout", o.IdleTimeout > 0},
		{"server.grpc_stream_idle", o.StreamIdle > 0}, {"models.load_timeout", o.LoadTimeout > 0}, {"server.max_in_flight", o.MaxInFlight > 0}, {"server.body_memory_bytes", o.MemoryBytes > 0},
	} {
		if !limit.ok {
			return fmt.Errorf("%s must be positive, and deadline.max at least deadline.default", limit.name)
		}
	}
	return nil
}

// api answers the calls.
type api struct {
	pb.UnimplementedGRPCInferenceServiceServer
	pipeline *router.Pipeline
	codec    *router.Metrics
	catalog  oip.Catalog
	options  Options
	metrics  *metrics
	messages *messages
	ids      router.RequestIDs
	// needs are the scopes that methods take, by full name.
	needs identity.Needs
	// forcedKey is Options.ForcedHeader as metadata has it.
	forcedKey string
	// inferring counts the requests for inference that are not answered yet.
	inferring atomic.Int64
	// lent counts the exchanges that wait for their answers to be written.
	lent    atomic.Int64
	maxLent int64
	// streams are the methods that are streams of many messages, by full name. It is complete before
	// the first call.
	streams map[string]bool
	// stopping is closed when streams are to end.
	stopping chan struct{}
	// handlers are the goroutines of streams that outlive their calls by a moment.
	handlers sync.WaitGroup
}

// modelInfer answers ModelInfer.
func (a *api) modelInfer(_ any, stream grpc.ServerStream) error {
	start, ctx := time.Now(), stream.Context()
	m := a.messages.get()
	if err := stream.RecvMsg(m); err != nil {
		m.Free()
		return err
	}
	if id := callerID(ctx); id != "" {
		// It fails only behind the end of the call.
		_ = stream.SetHeader(metadata.MD{requestIDKey: {id}})
	}
	ans, refusal := a.infer(ctx, m, start, connectionOf(ctx), false)
	if refusal != nil {
		return refusal
	}
	return ans.send(stream)
}

// infer takes one request through the pipeline. It takes over the message. In a
// stream a refusal comes with the answer that says it.
func (a *api) infer(ctx context.Context, m *message, start time.Time, c *connection, stream bool) (ans *answer, refusal *router.Error) {
	taken := time.Now()
	x, refusal := a.begin()
	if refusal != nil {
		if stream {
			ans = streamError(refusal.Error(), m.peekID())
		}
		m.Free()
		return ans, refusal
	}
	x.Tensors.Owner = m
	delivered := false
	a.inferring.Add(1)
	defer func() {
		a.inferring.Add(-1)
		if delivered {
			return
		}
		if stream && refusal != nil {
			ans = streamError(refusal.Error(), m.request.id)
		}
		a.pipeline.Finish(x)
	}()
	if refusal = a.read(ctx, m, start, x); refusal != nil {
		return nil, refusal
	}
	x.Stages[router.StageDecode] = time.Since(taken)
	if refusal = a.pipeline.Infer(x); refusal != nil {
		return nil, refusal
	}
	outputs, refusal := m.outputs(x)
	if refusal != nil {
		return nil, refusal
	}
	ans, refusal = a.deliver(x, m.request.id, outputs, c, stream)
	delivered = refusal == nil
	return ans, refusal
}

// begin admits a request, whose message was received.
func (a *api) begin() (*router.Exchange, *router.Error) {
	if a.messages.used.Load() > a.options.MemoryBytes {
		return nil, errMemory
	}
	return a.pipeline.Begin()
}

var errMemory = &router.Error{Code: router.Overloaded, RetryAfter: time.Second,
	Message: "the messages in progress take too much memory together (server.body_memory_bytes)"}

// read fills an exchange with the request of a message.
func (a *api) read(ctx context.Context, m *message, start time.Time, x *router.Exchange) *router.Error {
	if refusal := m.request.parse(m.bytes()); refusal != nil {
		return refusal
	}
	if refusal := a.readTerms(ctx, start, &m.request, x); refusal != nil {
		return refusal
	}
	var refusal *router.Error
	x.Tensors.Inputs, refusal = m.tensors(x.Tensors.Inputs[:0], a.options.MaxMessageBytes)
	return refusal
}
