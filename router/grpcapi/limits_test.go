package grpcapi

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
)

func TestMessagesAreBounded(t *testing.T) {
	p := start(t, nil)
	for name, size := range map[string]int{"under the limit": testMaxMessage - 1000, "over it": testMaxMessage + 1} {
		in := request("risk", 1)
		in.RawInputContents[2] = make([]byte, size)
		_, err := p.client.ModelInfer(within(t, 5*time.Second), in)
		want := codes.InvalidArgument
		if size > testMaxMessage {
			want = codes.ResourceExhausted
		}
		if status.Code(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := p.Metric(t, "hotpath_grpc_requests_total", "method", "model_infer", "code", "body_too_large"); n != 1 {
		t.Errorf("%v are counted", n)
	}
	p = startEcho(t, &echo{grow: testMaxMessage / 4}, nil)
	refuses(t, p, echoRequest(1, 0), router.BodyTooLarge, "the answer has ")
	if n := p.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d requests are in flight", n)
	}
	p = start(t, func(s *setup) { s.options.MaxMessageBytes = 4 << 20 })
	var trailer metadata.MD
	_, err := p.client.ModelReady(within(t, 5*time.Second), &pb.ModelReadyRequest{Name: strings.Repeat("n", 2<<20)}, grpc.Trailer(&trailer))
	if status.Code(err) != codes.ResourceExhausted || !slices.Equal(trailer.Get(errorCodeKey), []string{"body_too_large"}) {
		t.Errorf("a long name: %v with %v", err, trailer)
	}
}

func TestMessagesThatAreMalformed(t *testing.T) {
	p := start(t, nil)
	raw := p.dial(t, grpc.WithDefaultCallOptions(grpc.ForceCodecV2(verbatim{encoding.GetCodecV2(protocodec.Name)})))
	for _, method := range []string{"ModelInfer", "ModelReady"} {
		var trailer metadata.MD
		err := raw.Invoke(within(t, 5*time.Second), "/inference.GRPCInferenceService/"+method, []byte{1<<3 | 2, 200, 1}, nil, grpc.Trailer(&trailer))
		if status.Code(err) != codes.InvalidArgument || !slices.Equal(trailer.Get(errorCodeKey), []string{"bad_request"}) {
			t.Errorf("%s: %v with %v", method, err, trailer)
		}
	}
	// No message at all is not an empty one.
	if err := raw.Invoke(within(t, 5*time.Second), "/inference.GRPCInferenceService/ModelInfer", []byte{}, nil); status.Code(err) != codes.NotFound && status.Code(err) != codes.InvalidArgument {
		t.Errorf("an empty message: %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	p := start(t, func(s *setup) { s.options.MaxConnections = 2 })
	call := func(c *grpc.ClientConn) error {
		_, err := pb.NewGRPCInferenceServiceClient(c).ServerLive(within(t, 5*time.Second), &pb.ServerLiveRequest{})
		return err
	}
	second, third := p.dial(t), p.dial(t)
	for _, c := range []*grpc.ClientConn{p.conn, second} {
		if err := call(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := call(third); status.Code(err) != codes.Unavailable {
		t.Errorf("the third connection: %v", err)
	}
	if p.Metric(t, "hotpath_grpc_connections") != 2 || p.Metric(t, "hotpath_grpc_connections_refused_total") < 1 {
		t.Errorf("%v connections, %v refused", p.Metric(t, "hotpath_grpc_connections"), p.Metric(t, "hotpath_grpc_connections_refused_total"))
	}
	second.Close()
	eventually(t, "there is room again", func() bool { third.ResetConnectBackoff(); return call(third) == nil })
}

func TestMetadataIsBounded(t *testing.T) {
	p := start(t, nil)
	ctx := metadata.AppendToOutgoingContext(within(t, 5*time.Second), "x-large", strings.Repeat("h", 20<<10))
	if _, err := p.client.ServerLive(ctx, &pb.ServerLiveRequest{}); err == nil {
		t.Error("20 KiB of metadata are accepted")
	}
	if _, err := p.client.ServerLive(within(t, 5*time.Second), &pb.ServerLiveRequest{}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestARequestThatNeverArrivesEnds(t *testing.T) {
	p := start(t, func(s *setup) {
		s.options.ReadTimeout, s.options.MaxDeadline, s.options.DefaultDeadline = 100*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	})
	for _, d := range []time.Duration{0, time.Hour} {
		ctx := context.Background()
		if d > 0 {
			ctx = within(t, d)
		}
		s, err := p.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/inference.GRPCInferenceService/ModelInfer")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := s.RecvMsg(&pb.ModelInferResponse{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it ends after %s", took)
		}
	}
	eventually(t, "both are counted", func() bool {
		return p.Metric(t, "hotpath_grpc_requests_total", "method", "model_infer", "code", router.ClientTooSlow.String()) == 2
	})
}

// frozen is a connection whose client stops reading.
type frozen struct {
	net.Conn
	stop atomic.Bool
	end  chan struct{}
	once sync.Once
}

func (f *frozen) Read(b []byte) (int, error) {
	if f.stop.Load() {
		<-f.end
	}
	return f.Conn.Read(b)
}

func (f *frozen) Close() error {
	f.once.Do(func() { close(f.end) })
	return f.Conn.Close()
}

// A client that does not take its answers loses its connection, and what was lent
// comes back.
func TestAClientThatDoesNotReadIsLetGo(t *testing.T) {
	const requests = 6
	e := &echo{grow: 1 << 20}
	p := startEcho(t, e, func(s *setup) {
		s.options.WriteTimeout, s.options.MaxInFlight, s.options.MaxMessageBytes = 300*time.Millisecond, 2*lentShare, 8<<20
	})
	f := &frozen{end: make(chan struct{})}
	conn := p.dial(t, grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		f.Conn = c
		return f, err
	}))
	client := pb.NewGRPCInferenceServiceClient(conn)
	if _, err := client.ServerLive(within(t, 5*time.Second), &pb.ServerLiveRequest{}); err != nil {
		t.Fatal(err)
	}
	f.stop.Store(true)
	var calls sync.WaitGroup
	for range requests {
		calls.Go(func() {
			if _, err := client.ModelInfer(within(t, 10*time.Second), echoRequest(1, 1)); err == nil {
				t.Error("an answer arrived")
			}
		})
	}
	a := p.server.api
	eventually(t, "the connection is closed", func() bool { return p.Metric(t, "hotpath_grpc_connections_stalled_total") >= 1 })
	f.Close()
	calls.Wait()
	eventually(t, "everything comes back", func() bool {
		return p.Pipeline.InFlight() == 0 && a.lent.Load() == 0 && a.messages.used.Load() == 0 && e.held.Load() == 0
	})
}

// Beyond the bound an answer is copied, and its exchange is free at once.
func TestAnswersAreLentWithinABound(t *testing.T) {
	p := startEcho(t, &echo{}, nil)
	a := p.server.api
	a.lent.Store(a.maxLent)
	for range 3 {
		out, err := p.client.ModelInfer(within(t, 5*time.Second), echoRequest(50_000, 7))
		if err != nil || len(out.GetRawOutputContents()[0]) != 200_000 || out.GetRawOutputContents()[0][0] != 7 {
			t.Fatalf("%v", err)
		}
	}
	if a.lent.Load() != a.maxLent || p.Pipeline.InFlight() != 0 {
		t.Errorf("%d are lent, %d in flight", a.lent.Load(), p.Pipeline.InFlight())
	}
}

func TestAConnectionTellsAnAnswerThatWaits(t *testing.T) {
	c := &connection{}
	look := func(want bool) {
		t.Helper()
		if got := c.stalled(); got != want {
			t.Errorf("stalled: %v", got)
		}
	}
	look(false)
	early := c.begin()
	look(false) // it may have come just before
	late := c.begin()
	look(true)
	c.end(early)
	look(false)
	look(true)
	c.end(late)
	look(false)
}

func TestShutdownAnswersWhatIsInProgress(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := startEcho(t, &echo{onScore: func(time.Time) error { entered <- struct{}{}; <-leave; return nil }}, nil)
	done := make(chan error, 1)
	go func() {
		_, err := p.client.ModelInfer(within(t, 10*time.Second), echoRequest(1, 0))
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- p.server.Shutdown(ctx) }()
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request in progress: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestShutdownGivesUpInTime(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := startEcho(t, &echo{onScore: func(time.Time) error { entered <- struct{}{}; <-leave; return nil }}, nil)
	done := make(chan error, 1)
	go func() {
		_, err := p.client.ModelInfer(within(t, 10*time.Second), echoRequest(1, 0))
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	time.AfterFunc(500*time.Millisecond, func() { close(leave) }) // Shutdown waits for the handler
	err := p.server.Shutdown(ctx)
	if err == nil || err.Error() != "1 requests in progress: context deadline exceeded" {
		t.Errorf("got %v", err)
	}
	if err := <-done; status.Code(err) != codes.Unavailable {
		t.Errorf("the request: %v", err)
	}
}

// No request is refused by a shutdown: clients go away on their own.
func TestShutdownUnderLoadLosesNothing(t *testing.T) {
	p := start(t, nil)
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range 6 {
		client := pb.NewGRPCInferenceServiceClient(p.dial(t))
		clients.Go(func() {
			for {
				_, err := client.ModelInfer(within(t, 10*time.Second), request("risk", 1))
				if err == nil {
					answered.Add(1)
					continue
				}
				if m := status.Convert(err).Message(); status.Code(err) != codes.Unavailable || !strings.Contains(m, "connection refused") {
					t.Errorf("lost: %v", err)
				}
				return
			}
		})
	}
	eventually(t, "there is load", func() bool { return answered.Load() > 100 })
	p.stop(t, 5*time.Second)
	clients.Wait()
}

// dropping is a stream that takes an answer and forgets it.
type dropping struct {
	grpc.ServerStream
	ctx context.Context
}

func (d dropping) Context() context.Context { return d.ctx }
func (d dropping) SendMsg(any) error        { return nil }

// TestDroppedAnswersEnd: grpc neither writes nor gives back an answer that comes right
// after its client has cancelled the call. It must not count as waiting, or its
// connection would be closed under the other calls.
func TestDroppedAnswersEnd(t *testing.T) {
	e := &echo{}
	p := startEcho(t, e, nil)
	a, cancelled := p.server.api, within(t, 0)
	for name, n := range map[string]int{"copied": 1000, "lent": 30_000} {
		for _, ctx := range []context.Context{cancelled, t.Context()} {
			c := &connection{}
			ended := func() bool {
				return c.waiting[0].Load() == 0 && c.waiting[1].Load() == 0 && len(c.lent) == 0 &&
					a.lent.Load() == 0 && p.Pipeline.InFlight() == 0 && e.held.Load() == 0
			}
			data, err := proto.Marshal(echoRequest(n, 1))
			if err != nil {
				t.Fatal(err)
			}
			m := a.messages.get()
			m.receive(mem.BufferSlice{mem.SliceBuffer(data)})
			ans, refusal := a.infer(t.Context(), m, time.Now(), c, false)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if err := ans.send(dropping{ctx: ctx}); err != nil {
				t.Fatal(err)
			}
			if over := ctx.Err() != nil; ended() != over {
				t.Errorf("%s: ended %v, while the call is over: %v", name, ended(), over)
			}
			ans.buffers.Free() // should it come back all the same
			if !ended() {
				t.Errorf("%s: given back, and not ended", name)
			}
		}
	}
}
