package grpcapi

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
)

// open opens a stream.
func open(t testing.TB, p *port) pb.GRPCInferenceService_ModelStreamInferClient {
	t.Helper()
	s, err := p.client.ModelStreamInfer(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func numbered(model string, n int) *pb.ModelInferRequest {
	in := request(model, 1)
	in.Id = fmt.Sprint(n)
	return in
}

func TestAStreamAnswersInOrder(t *testing.T) {
	p := start(t, nil)
	s := open(t, p)
	const requests = 50
	go func() {
		for i := range requests {
			model := "risk"
			if i%7 == 3 {
				model = "nobody"
			}
			if err := s.Send(numbered(model, i)); err != nil {
				t.Error(err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Error(err)
		}
	}()
	for i := range requests {
		out, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got := out.GetInferResponse().GetId(); got != fmt.Sprint(i) {
			t.Fatalf("answer %d is for request %s", i, got)
		}
		refused := i%7 == 3
		if refused != (out.GetErrorMessage() != "") || refused != (len(out.GetInferResponse().GetOutputs()) == 0) {
			t.Errorf("answer %d is %v", i, out)
		}
		if final := out.GetInferResponse().GetParameters()["triton_final_response"]; !refused && !final.GetBoolParam() {
			t.Errorf("answer %d is not marked as the last of its request", i)
		}
		if refused && !strings.HasPrefix(out.GetErrorMessage(), `unknown_model: model: no model named "nobody"`) {
			t.Errorf("answer %d: %s", i, out.GetErrorMessage())
		}
	}
	if _, err := s.Recv(); err != io.EOF {
		t.Errorf("the stream ends with %v", err)
	}
	eventually(t, "the requests are counted", func() bool {
		return p.Metric(t, "hotpath_grpc_requests_total", "method", "stream_request", "code", "unknown_model") == 7 &&
			p.Metric(t, "hotpath_grpc_requests_total", "method", "model_stream_infer", "code", "ok") == 1
	})
}

func TestRequestsOfAStreamRunBesideEachOtherWithinABound(t *testing.T) {
	var inside, most atomic.Int64
	full, leave := make(chan struct{}, 100), make(chan struct{})
	p := startEcho(t, &echo{onScore: func(time.Time) error {
		n := inside.Add(1)
		defer inside.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		full <- struct{}{}
		<-leave
		return nil
	}}, nil)
	s := open(t, p)
	for i := range 20 {
		in := echoRequest(1, 0)
		in.Id = fmt.Sprint(i)
		if err := s.Send(in); err != nil {
			t.Fatal(err)
		}
	}
	// One more than the limit: its answer is the next to be written.
	for range p.server.api.options.StreamInFlight {
		<-full
	}
	time.Sleep(50 * time.Millisecond)
	close(leave)
	for i := range 20 {
		if out, err := s.Recv(); err != nil || out.GetInferResponse().GetId() != fmt.Sprint(i) {
			t.Fatalf("answer %d: %v %v", i, out, err)
		}
	}
	if limit := int64(p.server.api.options.StreamInFlight); most.Load() < 2 || most.Load() > limit+1 {
		t.Errorf("%d requests ran at once; the limit is %d", most.Load(), limit)
	}
}

func TestAStreamSaysWhyItRefuses(t *testing.T) {
	p := start(t, nil)
	s := open(t, p)
	p.Pipeline.Drain()
	in := numbered("risk", 1)
	in.RawInputContents[0] = make([]byte, 40_000)
	if err := s.Send(in); err != nil {
		t.Fatal(err)
	}
	out, err := s.Recv()
	if err != nil || !strings.HasPrefix(out.GetErrorMessage(), "draining: ") || out.GetInferResponse().GetId() != "1" {
		t.Errorf("%v %v", out, err)
	}
}

func TestAStreamThatFallsSilentEnds(t *testing.T) {
	p := start(t, func(s *setup) { s.options.StreamIdle = 50 * time.Millisecond })
	s := open(t, p)
	if err := s.Send(numbered("risk", 1)); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Recv(); err != nil || out.GetErrorMessage() != "" {
		t.Fatalf("%v %v", out, err)
	}
	_, err := s.Recv()
	if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "server.grpc_stream_idle") {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := startEcho(t, &echo{onScore: func(time.Time) error { entered <- struct{}{}; <-leave; return nil }}, nil)
	s, idle := open(t, p), open(t, p)
	in := echoRequest(1, 0)
	in.Id = "last"
	if err := s.Send(in); err != nil {
		t.Fatal(err)
	}
	<-entered
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.stop(t, 5*time.Second)
	}()
	if _, err := idle.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("an idle stream ends with %v", err)
	}
	close(leave)
	if out, err := s.Recv(); err != nil || out.GetInferResponse().GetId() != "last" || out.GetErrorMessage() != "" {
		t.Errorf("the request in progress: %v %v", out, err)
	}
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ends with %v", err)
	}
	<-stopped
}

func TestAClientThatLeavesEndsItsStream(t *testing.T) {
	p := start(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := p.client.ModelStreamInfer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(numbered("risk", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "the stream ends", func() bool {
		return p.Metric(t, "hotpath_grpc_in_flight") == 0 && p.Metric(t, "hotpath_grpc_requests_total", "method", "model_stream_infer", "code", router.ClientTooSlow.String()) == 1
	})
}

// A client that sends requests and reads no answers: the stream ends, whatever
// blocks.
func TestAStreamThatIsNotReadEnds(t *testing.T) {
	p := startEcho(t, &echo{}, func(s *setup) {
		s.options.StreamIdle, s.options.WriteTimeout, s.options.MaxDeadline, s.options.DefaultDeadline = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	})
	s := open(t, p)
	for range 100 {
		if s.Send(echoRequest(50_000, 0)) != nil {
			break
		}
	}
	eventually(t, "the stream ends and holds nothing", func() bool {
		return p.Metric(t, "hotpath_grpc_in_flight") == 0 && p.server.api.lent.Load() == 0 && p.server.api.messages.used.Load() == 0
	})
}
