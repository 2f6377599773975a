package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"hotpath/router"
	"hotpath/router/identity"
)

// registrar registers services with their methods wrapped: counted, kept from
// ending the process by a panic, and with errors in our vocabulary.
type registrar struct {
	*grpc.Server
	api *api
}

// RegisterService is grpc's.
func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	wrapped := *desc
	wrapped.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		need := r.api.needs.Of("/" + desc.ServiceName + "/" + m.MethodName)
		wrapped.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: r.api.unary(m.MethodName, need, m.Handler)}
	}
	wrapped.Streams = make([]grpc.StreamDesc, len(desc.Streams))
	for i, s := range desc.Streams {
		name := "/" + desc.ServiceName + "/" + s.StreamName
		if s.ClientStreams || s.ServerStreams {
			r.api.streams[name] = true
		}
		s.Handler = r.api.stream(s.StreamName, r.api.needs.Of(name), s.Handler)
		wrapped.Streams[i] = s
	}
	r.Server.RegisterService(&wrapped, impl)
}

// methodLabel is a method's name in metrics: model_infer for ModelInfer.
func methodLabel(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// unary wraps a method of one request and one answer.
func (a *api) unary(name string, need identity.Scopes, handle grpc.MethodHandler) grpc.MethodHandler {
	metrics := a.metrics.method(methodLabel(name))
	return func(srv any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (reply any, err error) {
		start := time.Now()
		a.metrics.inFlight.Inc()
		defer func() {
			if p := recover(); p != nil {
				reply, err = nil, a.panicked(name, p)
			}
			var code router.Code
			if code, err = a.outcome(ctx, err, grpc.SetTrailer); err != nil {
				reply = nil
			}
			a.metrics.inFlight.Dec()
			metrics.observe(code, time.Since(start))
		}()
		if refusal := a.admit(ctx, need, start); refusal != nil {
			return nil, refusal
		}
		return handle(srv, ctx, a.decoder(dec), nil)
	}
}

// maxControlBytes bounds the messages that bring no tensors, in bytes.
const maxControlBytes = 1 << 20

var errControlSize = &router.Error{Code: router.BodyTooLarge, Message: "the message is larger than 1 MiB, which no message without tensors needs to be"}

// decoder reads a message and then decodes it, so that what is wrong with it can be
// answered in our words: grpc answers what its codec refuses with INTERNAL.
func (a *api) decoder(dec func(any) error) func(any) error {
	return func(v any) error {
		if _, ok := v.(*message); ok {
			return dec(v)
		}
		m := a.messages.get()
		defer m.Free()
		if err := dec(m); err != nil {
			return err
		}
		if m.received.Len() > maxControlBytes {
			return errControlSize
		}
		if proto.Unmarshal(m.bytes(), v.(proto.Message)) != nil {
			return errMalformed
		}
		return nil
	}
}

func (a *api) panicked(name string, p any) *router.Error {
	a.options.Log.Error("panic in a gRPC request", "method", name, "panic", fmt.Sprint(p))
	a.metrics.panics.Inc()
	return &router.Error{Code: router.Internal, Message: "the gateway failed on this request"}
}

// outcome turns a handler's error into a status.
func (a *api) outcome(ctx context.Context, err error, setTrailer func(context.Context, metadata.MD) error) (router.Code, error) {
	if err == nil {
		return router.OK, nil
	}
	if refusal := (*router.Error)(nil); errors.As(err, &refusal) {
		id := a.errorID(ctx)
		// It fails only behind the end of the call.
		_ = setTrailer(ctx, trailer(refusal, id))
		return refusal.Code, statusOf(refusal, id).Err()
	}
	// The library's own: a message that did not arrive, or was too large.
	return codeOf(status.Code(err)), err
}

// stream wraps a streaming method. Its handler must end when the server stops.
func (a *api) stream(name string, need identity.Scopes, handle grpc.StreamHandler) grpc.StreamHandler {
	metrics := a.metrics.method(methodLabel(name))
	return func(srv any, stream grpc.ServerStream) (err error) {
		start := time.Now()
		a.metrics.inFlight.Inc()
		defer func() {
			if p := recover(); p != nil {
				err = a.panicked(name, p)
			}
			var code router.Code
			code, err = a.outcome(stream.Context(), err, func(_ context.Context, md metadata.MD) error { stream.SetTrailer(md); return nil })
			a.metrics.inFlight.Dec()
			metrics.observe(code, time.Since(start))
		}()
		if refusal := a.admit(stream.Context(), need, start); refusal != nil {
			return refusal
		}
		return handle(srv, stream)
	}
}

// untilStopping makes a handler that ends when the server stops out of one that only
// ends with its client. What it leaves behind ends with the call.
func (a *api) untilStopping(name string, handle grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, stream grpc.ServerStream) error {
		done := make(chan error, 1)
		a.handlers.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					done <- a.panicked(name, p)
				}
			}()
			done <- handle(srv, stream)
		})
		select {
		case err := <-done:
			return err
		case <-a.stopping:
			return errStopping
		}
	}
}

var errStopping = &router.Error{Code: router.Draining, RetryAfter: time.Second,
	Message: "the gateway is shutting down; send the request to another replica"}

var errUnknownMethod = &router.Error{Code: router.NotFound, Message: "this server has no such method; docs/protocol.md lists those that it has"}

// unknown answers methods that do not exist.
func (a *api) unknown(any, grpc.ServerStream) error {
	return errUnknownMethod
}
