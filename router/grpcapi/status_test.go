package grpcapi

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
)

// refuses wants a request refused with a code and a message that begins so.
func refuses(t testing.TB, p *port, in *pb.ModelInferRequest, code router.Code, message string) *status.Status {
	t.Helper()
	var trailer metadata.MD
	_, err := p.client.ModelInfer(within(t, 5*time.Second), in, grpc.Trailer(&trailer))
	s := status.Convert(err)
	if s.Code() != grpcCode(code) || !strings.HasPrefix(s.Message(), message) {
		t.Errorf("got %v, want %s: %s", err, grpcCode(code), message)
	}
	if got := trailer.Get("x-error-code"); len(got) != 1 || got[0] != code.String() {
		t.Errorf("the trailer says %v, want %s", trailer, code)
	}
	return s
}

// details are an error's.
func details(s *status.Status) (info *errdetails.ErrorInfo, retry *errdetails.RetryInfo) {
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			retry = d
		}
	}
	return info, retry
}

func TestEveryCodeHasAStatus(t *testing.T) {
	want := map[string]codes.Code{
		"ok": codes.OK, "bad_json": codes.InvalidArgument, "bad_request": codes.InvalidArgument, "bad_features": codes.InvalidArgument,
		"unauthenticated": codes.Unauthenticated, "quota": codes.ResourceExhausted,
		"forbidden": codes.PermissionDenied, "unknown_model": codes.NotFound, "unknown_experiment": codes.NotFound, "not_found": codes.Unimplemented, "method_not_allowed": codes.Unimplemented,
		"unsupported_encoding": codes.Unimplemented, "client_too_slow": codes.DeadlineExceeded, "deadline": codes.DeadlineExceeded,
		"body_too_large": codes.ResourceExhausted, "headers_too_large": codes.ResourceExhausted, "overloaded": codes.ResourceExhausted,
		"draining": codes.Unavailable, "not_ready": codes.Unavailable, "breaker_open": codes.Unavailable, "features_unavailable": codes.Unavailable,
		"model_unavailable": codes.Unavailable, "internal": codes.Internal,
	}
	for _, c := range router.Codes() {
		w, ok := want[c.String()]
		if !ok {
			t.Errorf("%s is not in the table of this test: give it a status", c)
		} else if got := grpcCode(c); got != w {
			t.Errorf("%s is %s, want %s", c, got, w)
		}
	}
}

func TestOverloadIsToldFromOutage(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code router.Code
		want time.Duration
	}{
		"overload": {router.ErrOverloaded, router.Overloaded, 3 * time.Second},
		"stuck":    {router.ErrStuck, router.ModelUnavailable, time.Second},
		"deadline": {router.ErrDeadline, router.Deadline, 0},
		"row":      {router.ErrRow, router.BadFeatures, 0},
		"failure":  {errors.New("no"), router.Internal, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := startEcho(t, &echo{onScore: func(time.Time) error { return c.err }}, nil)
			s := refuses(t, p, echoRequest(1, 0), c.code, "")
			info, retry := details(s)
			if info.GetDomain() != "hotpath" || info.GetReason() != strings.ToUpper(c.code.String()) || info.GetMetadata()["code"] != c.code.String() || info.GetMetadata()["request_id"] == "" {
				t.Errorf("info is %v", info)
			}
			if retry.GetRetryDelay().AsDuration() != c.want {
				t.Errorf("try again in %s, want %s", retry.GetRetryDelay().AsDuration(), c.want)
			}
			if n := p.Metric(t, "hotpath_grpc_requests_total", "method", "model_infer", "code", c.code.String()); n != 1 {
				t.Errorf("%v requests are counted", n)
			}
		})
	}
}

func TestRefusalsBeforeParsing(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := startEcho(t, &echo{onScore: func(time.Time) error { entered <- struct{}{}; <-leave; return nil }}, func(s *setup) { s.options.MaxInFlight = 1 })
	done := make(chan error, 1)
	go func() {
		_, err := p.client.ModelInfer(within(t, 5*time.Second), echoRequest(1, 0))
		done <- err
	}()
	<-entered
	refuses(t, p, echoRequest(100_000, 0), router.Overloaded, "too many requests in flight (server.max_in_flight)")
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	p.Pipeline.Drain()
	refuses(t, p, echoRequest(1, 0), router.Draining, "the gateway is shutting down")
	if used := p.server.api.messages.used.Load(); used != 0 {
		t.Errorf("%d bytes are still in use", used)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := startEcho(t, &echo{onScore: func(time.Time) error { entered <- struct{}{}; <-leave; return nil }}, func(s *setup) { s.options.MemoryBytes = 600 << 10 })
	done := make(chan error, 1)
	go func() {
		_, err := p.client.ModelInfer(within(t, 5*time.Second), echoRequest(100_000, 0))
		done <- err
	}()
	<-entered
	refuses(t, p, echoRequest(100_000, 0), router.Overloaded, "the messages in progress take too much memory together (server.body_memory_bytes)")
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLongMessagesAreClipped(t *testing.T) {
	e := &router.Error{Code: router.BadRequest, Field: strings.Repeat("f", 5000), Message: "x"}
	if s := statusOf(e, "id"); len(s.Message()) > maxMessage+10 {
		t.Errorf("%d bytes", len(s.Message()))
	}
	if got := clipped(strings.Repeat("a", maxMessage-1) + "é"); !utf8.ValidString(got) {
		t.Errorf("%q is not UTF-8", got[len(got)-8:])
	}
}
