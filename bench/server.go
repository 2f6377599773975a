package bench

import (
	"context"
	"net"
	"strings"
)

// server is the gateway or the floor, running.
type server struct {
	*child
	addr  string // traffic, host:port
	admin string // host:port; empty for the floor
}

// metricsURL is where the server's Prometheus metrics are; empty for the floor.
func (s *server) metricsURL() string {
	if s.admin == "" {
		return ""
	}
	return "http://" + s.admin + "/metrics"
}

// launcher starts a fresh process of a server.
type launcher struct {
	name  string
	start func(ctx context.Context) (*server, error)
}

// core is the core that a process is pinned to; -1 without pinning.
func (o Options) core(isServer bool) int {
	switch {
	case !o.Pin:
		return -1
	case isServer:
		return 0
	default:
		return lastCore()
	}
}

// gatewayLauncher starts `gateway serve` on free ports.
func (o Options) gatewayLauncher(dir, redis string) launcher {
	return launcher{"gateway", func(ctx context.Context) (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		admin, err := freeAddr()
		if err != nil {
			return nil, err
		}
		args := []string{"serve", "--listen", addr, "--admin", admin, "--set", "server.grpc_listen=off", "--models", o.Models, "--redis", redis}
		if o.GatewayConfig != "" {
			args = append(args, "--config", o.GatewayConfig)
		}
		if o.Schema != "" {
			args = append(args, "--set", "features.schema="+o.Schema)
		}
		path, err := firstExisting(o.Gateway)
		if err != nil {
			return nil, err
		}
		c, err := start("gateway", dir, o.core(true), path, append(args, o.GatewayArgs...)...)
		if err != nil {
			return nil, err
		}
		s := &server{child: c, addr: addr, admin: admin}
		return s, s.await(ctx, "http://"+admin+"/readyz")
	}}
}

// floorLauncher starts the floor with the headline scenario's model.
func (o Options) floorLauncher(dir, redis, library string, b binding) launcher {
	return launcher{"floor", func(ctx context.Context) (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		path, err := firstExisting(o.Floor)
		if err != nil {
			return nil, err
		}
		c, err := start("floor", dir, o.core(true), path, "-listen", addr, "-redis", redis,
			"-model", b.file, "-lib", library, "-key", keyPrefix, "-fields", strings.Join(b.fields, ","))
		if err != nil {
			return nil, err
		}
		s := &server{child: c, addr: addr}
		return s, s.await(ctx, "http://"+addr+"/readyz")
	}}
}

// await waits until url answers and the traffic port accepts connections, and
// stops the process when they do not.
func (s *server) await(ctx context.Context, url string) error {
	answers := answers200(url)
	err := s.ready(ctx, func(ctx context.Context) error {
		if err := answers(ctx); err != nil {
			return err
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp4", s.addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		s.stop()
	}
	return err
}
