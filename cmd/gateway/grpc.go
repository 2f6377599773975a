package main

import (
	"context"
	"fmt"
	"net"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/router"
	"hotpath/router/grpcapi"
	"hotpath/router/httpapi"
)

// grpcPort is the gRPC port; its zero is a port that is off.
type grpcPort struct {
	server   *grpcapi.Server
	listener net.Listener
	// served is closed when serve has returned.
	served chan struct{}
}

// openGRPCListener takes the port, unless it is off.
func (g *gateway) openGRPCListener() (err error) {
	addr := g.config.Server.GRPCListen
	if addr == config.Off {
		return nil
	}
	if g.grpc.listener, err = listenTraffic(addr); err != nil {
		return fmt.Errorf("server.grpc_listen: %w", err)
	}
	g.onUndo(func() { g.grpc.listener.Close() })
	return nil
}

// openGRPC makes the server of the port.
func (g *gateway) openGRPC(metrics *router.Metrics) (err error) {
	if g.grpc.listener == nil {
		return nil
	}
	c, d := g.config.Server, g.config.Deadline
	header, forcing := g.forcing()
	g.grpc.served = make(chan struct{})
	g.grpc.server, err = grpcapi.New(g.pipeline, metrics, g.catalog, grpcapi.Options{
		DefaultDeadline: d.Default, MaxDeadline: d.Max, ForcedHeader: header, Forcing: forcing,
		MaxMessageBytes: int(c.GRPCMaxMessageBytes), MaxConnections: c.GRPCMaxConnections,
		MaxStreams: c.GRPCMaxStreams, StreamInFlight: c.GRPCStreamInFlight, StreamIdle: c.GRPCStreamIdle,
		MaxHeaderBytes: int(c.MaxHeaderBytes), ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout,
		LoadTimeout: g.config.Models.LoadTimeout, MaxInFlight: c.MaxInFlight, MemoryBytes: int64(c.BodyMemoryBytes), Repository: c.RepositoryAPI,
		Access: g.callers.access, TLS: g.callers.grpc(),
		Ready: func() bool { return g.readiness().Status == httpapi.StatusReady }, Log: g.log.Logger,
	}, g.reg)
	return err
}

// serve answers on the port until stop.
func (p *grpcPort) serve() error {
	defer close(p.served)
	return p.server.Serve(p.listener)
}

// stopGRPC ends the port, a step before the traffic port: clients are told to go
// elsewhere, which those of gRPC do by themselves, and are answered until they know,
// so that no request is refused. A call cannot take longer than the time given here.
func (g *gateway) stopGRPC(ctx context.Context) error {
	if g.grpc.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.Server.ReadTimeout+g.config.Deadline.Max)
	defer cancel()
	emptyBacklog(g.grpc.listener)
	err := g.grpc.server.Shutdown(ctx)
	<-g.grpc.served
	if err != nil {
		return fmt.Errorf("gRPC: %w", err)
	}
	return nil
}

// address is where the port listens; off where it does not.
func (p *grpcPort) address() string {
	if p.listener == nil {
		return config.Off
	}
	return p.listener.Addr().String()
}
