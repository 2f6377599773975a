package grpcapi

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/oip"
	"hotpath/router/routertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup is what a test may change before the server starts.
type setup struct {
	options Options
	router  router.Options
	// serve puts models and experiments into the pipeline; nil: one model, risk.
	serve   func(r *routertest.Rig)
	catalog oip.Catalog
}

// port is a running server and a client of it.
type port struct {
	*routertest.Rig
	server *Server
	addr   string
	log    *routertest.LogBuffer
	served chan error
	ready  *atomic.Bool
	conn   *grpc.ClientConn
	client pb.GRPCInferenceServiceClient
}

// testMaxMessage is the limit of the test profile.
const testMaxMessage = 1 << 20

// start runs a server for the length of a test.
func start(t testing.TB, change func(s *setup)) *port {
	t.Helper()
	log, ready := &routertest.LogBuffer{}, &atomic.Bool{}
	ready.Store(true)
	s := setup{
		options: Options{DefaultDeadline: 2 * time.Second, MaxDeadline: 5 * time.Second, ForcedHeader: "X-Hotpath-Variant",
			MaxMessageBytes: testMaxMessage, MaxConnections: 20, MaxStreams: 100, StreamInFlight: 4, MaxHeaderBytes: 16 << 10,
			ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second, IdleTimeout: 10 * time.Second, StreamIdle: 10 * time.Second,
			LoadTimeout: 10 * time.Second, MaxInFlight: 64, MemoryBytes: 64 << 20, Ready: ready.Load, Log: slog.New(slog.NewTextHandler(log, nil))},
		router:  routertest.Options(),
		catalog: &fakeCatalog{},
	}
	if change != nil {
		change(&s)
	}
	s.router.MaxInFlight = s.options.MaxInFlight
	p := &port{Rig: routertest.NewRig(t, s.router), log: log, served: make(chan error, 1), ready: ready}
	if s.serve == nil {
		s.serve = func(r *routertest.Rig) { r.Serve(abtest.Config{}, r.Version("risk", 1)) }
	}
	s.serve(p.Rig)
	var err error
	if p.server, err = New(p.Pipeline, p.Metrics, s.catalog, s.options, p.Registry); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	go func() { p.served <- p.server.Serve(ln) }()
	p.conn = p.dial(t)
	p.client = pb.NewGRPCInferenceServiceClient(p.conn)
	t.Cleanup(func() {
		p.conn.Close()
		p.stop(t, 10*time.Second)
	})
	return p
}

// stop shuts the server down within a time and waits for Serve.
func (p *port) stop(t testing.TB, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := p.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	select {
	case err := <-p.served:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
		p.served <- nil
	case <-time.After(10 * time.Second):
		t.Error("serve did not return")
	}
}

// dial opens a client connection that ends with the test.
func (p *port) dial(t testing.TB, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20))}, options...)
	conn, err := grpc.NewClient("passthrough:///"+p.addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// within is a context for one test's calls.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// request is a raw request for rows rows of the fake model: row i has id i and
// x = [i, i/2].
func request(model string, rows int) *pb.ModelInferRequest {
	var ids, versions, xs []byte
	for i := range rows {
		ids = binary.LittleEndian.AppendUint64(ids, uint64(i))
		versions = binary.LittleEndian.AppendUint64(versions, 7)
		xs = binary.LittleEndian.AppendUint64(xs, math.Float64bits(float64(i)))
		xs = binary.LittleEndian.AppendUint64(xs, math.Float64bits(float64(i)/2))
	}
	n := int64(rows)
	return &pb.ModelInferRequest{ModelName: model, Inputs: []*pb.ModelInferRequest_InferInputTensor{
		{Name: "id", Datatype: "INT64", Shape: []int64{n}},
		{Name: "version", Datatype: "INT64", Shape: []int64{n}},
		{Name: "x", Datatype: "FP64", Shape: []int64{n, 2}},
	}, RawInputContents: [][]byte{ids, versions, xs}}
}

func stringParameter(s string) *pb.InferParameter {
	return &pb.InferParameter{ParameterChoice: &pb.InferParameter_StringParam{StringParam: s}}
}

func intParameter(n int64) *pb.InferParameter {
	return &pb.InferParameter{ParameterChoice: &pb.InferParameter_Int64Param{Int64Param: n}}
}

// eventually polls for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}
