package grpcapi

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	// The compression that clients use. Its decoder is bounded by the message size.
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/identity"
	"hotpath/router/oip"
)

// Server is the gRPC port.
type Server struct {
	api    *api
	grpc   *grpc.Server
	health *health
	// stopped says that Shutdown has begun: what Serve returns is then no failure.
	stopped atomic.Bool
}

// The keepalive of connections. A client may ask as often as every ten seconds
// whether the server is there; the server asks a client that has been silent for
// half a minute during a call.
const (
	minClientPing = 10 * time.Second
	pingAfter     = 30 * time.Second
	pingTimeout   = 10 * time.Second
)

// lentShare is the part of the pipeline's places that answers may hold while they
// wait to be written.
const lentShare = 8

// New makes a server for a pipeline; Serve starts it.
func New(p *router.Pipeline, m *router.Metrics, c oip.Catalog, o Options, reg prometheus.Registerer) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	own, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	a := &api{pipeline: p, codec: m, catalog: c, options: o, metrics: own, messages: newMessages(),
		forcedKey: strings.ToLower(o.ForcedHeader), maxLent: int64(max(o.MaxInFlight/lentShare, 1)), needs: identity.NeedsOf(identity.GRPCPort), streams: map[string]bool{}, stopping: make(chan struct{})}
	a.ids.Init()
	s := &Server{api: a, health: &health{api: a}}
	s.grpc = grpc.NewServer(
		grpc.Creds(newTransport(o.TLS)), experimental.BufferPool(&a.messages.memory),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}),
		grpc.MaxRecvMsgSize(o.MaxMessageBytes), grpc.MaxSendMsgSize(o.MaxMessageBytes),
		grpc.MaxConcurrentStreams(uint32(o.MaxStreams)), grpc.MaxHeaderListSize(uint32(o.MaxHeaderBytes)),
		grpc.ConnectionTimeout(o.ReadTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: o.IdleTimeout, Time: pingAfter, Timeout: pingTimeout}),
		grpc.InTapHandle(a.bound), grpc.UnknownServiceHandler(a.stream("unknown", identity.Public, a.unknown)),
		grpc.WaitForHandlers(true),
	)
	s.register()
	return s, nil
}

// register adds the services.
func (s *Server) register() {
	r := registrar{s.grpc, s.api}
	r.RegisterService(s.api.inference(), s.api)
	grpc_health_v1.RegisterHealthServer(r, s.health)
	reflection.Register(ending{r})
}

const modelInferName = "ModelInfer"

// inference is the inference service, with the two methods that carry tensors
// taking messages as they were received.
func (a *api) inference() *grpc.ServiceDesc {
	desc := pb.GRPCInferenceService_ServiceDesc
	desc.Methods = slices.DeleteFunc(slices.Clone(desc.Methods), func(m grpc.MethodDesc) bool { return m.MethodName == modelInferName })
	desc.Streams = slices.Clone(desc.Streams)
	for i := range desc.Streams {
		desc.Streams[i].Handler = a.modelStreamInfer
	}
	// Of one message each way: a stream's handler writes its answer itself.
	desc.Streams = append(desc.Streams, grpc.StreamDesc{StreamName: modelInferName, Handler: a.modelInfer})
	return &desc
}

// ending registers services whose streams only end with their clients.
type ending struct{ registrar }

// RegisterService is grpc's.
func (r ending) RegisterService(desc *grpc.ServiceDesc, impl any) {
	wrapped := *desc
	wrapped.Streams = append([]grpc.StreamDesc(nil), desc.Streams...)
	for i := range wrapped.Streams {
		s := &wrapped.Streams[i]
		s.Handler = r.api.untilStopping(s.StreamName, s.Handler)
	}
	r.registrar.RegisterService(&wrapped, impl)
}

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	bounded := newListener(ln, s.api.options.MaxConnections, s.api.metrics)
	ctx, cancel := context.WithCancel(context.Background())
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		bounded.watch(ctx, s.api.options.WriteTimeout)
	}()
	err := s.grpc.Serve(bounded)
	cancel()
	<-watching
	if s.stopped.Load() {
		return nil
	}
	return err
}

// Shutdown asks clients to go elsewhere and closes the listener, ends the streams,
// and waits for the calls in progress, until the context ends: then it ends them, and
// the error says how many requests for inference were among them. New calls are still
// answered until their clients have been told.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.stopped.Swap(true) {
		return nil
	}
	close(s.api.stopping)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
		s.api.handlers.Wait()
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		lost := s.api.inferring.Load()
		s.grpc.Stop()
		<-stopped
		if lost == 0 {
			return nil
		}
		return fmt.Errorf("%d requests in progress: %w", lost, ctx.Err())
	}
}
