package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
)

// ServerOptions bound what the traffic port takes on. All are finite.
type ServerOptions struct {
	MaxConnections int
	// MaxHeaderBytes bounds the request line and headers together.
	MaxHeaderBytes int
	ReadTimeout    time.Duration // of one request, from its first byte
	WriteTimeout   time.Duration
	IdleTimeout    time.Duration // between two requests of a connection
	Log            *slog.Logger
}

// Server is the traffic port.
type Server struct {
	http    *fasthttp.Server
	handler *Handler
}

// NewServer makes a server for a handler; Serve starts it.
func NewServer(h *Handler, o ServerOptions) *Server {
	s := &Server{handler: h}
	s.http = &fasthttp.Server{
		Handler:            h.Serve,
		ErrorHandler:       h.refuseBroken,
		HeaderReceived:     h.limitBody,
		Name:               "hotpath",
		Concurrency:        o.MaxConnections,
		ReadBufferSize:     o.MaxHeaderBytes,
		WriteBufferSize:    4096,
		ReadTimeout:        o.ReadTimeout,
		WriteTimeout:       o.WriteTimeout,
		IdleTimeout:        o.IdleTimeout,
		MaxRequestBodySize: h.options.MaxBody,
		// The deadline is the request's own and starts with it.
		TCPKeepalive:                  true,
		DisablePreParseMultipartForm:  true,
		DisableHeaderNamesNormalizing: false,
		CloseOnShutdown:               true,
		NoDefaultContentType:          true,
		SecureErrorLogMessage:         true,
		Logger:                        quietLogger{o.Log},
	}
	return s
}

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(ln net.Listener) error { return s.http.Serve(ln) }

// LameDuck asks clients to close their connections after each answer, while
// everything is still answered: they reconnect elsewhere once a load balancer
// has seen that this replica is not ready.
func (s *Server) LameDuck() { s.handler.lameDuck.Store(true) }

// Shutdown closes the listener and waits for the open connections: idle ones are
// closed, busy ones after their answer. fasthttp counts a connection that never
// sent a byte as idle only after 5 s, so ctx should allow more than that or the
// error be ignored.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.ShutdownWithContext(ctx) }

// limitBody gives each endpoint its own bound for the body, before it is read.
func (h *Handler) limitBody(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := strings.Cut(string(header.RequestURI()), "?")
	if routeOf([]byte(path)) == routeBatch {
		return fasthttp.RequestConfig{MaxRequestBodySize: h.options.MaxBatchBody}
	}
	return fasthttp.RequestConfig{}
}

// refuseBroken answers a request that fasthttp could not read. The connection is
// closed after it: what follows cannot be trusted to be a request.
func (h *Handler) refuseBroken(ctx *fasthttp.RequestCtx, err error) {
	e := &router.Error{Code: router.BadRequest, Message: "the HTTP request is malformed"}
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		e = &router.Error{Code: router.HeadersTooLarge, Message: "the request line and headers are over the limit (server.max_header_bytes)"}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = &router.Error{Code: router.BodyTooLarge, Message: "the body is over the limit (server.max_body_bytes, server.max_batch_body_bytes)"}
	case errors.As(err, &netErr) && netErr.Timeout():
		e = &router.Error{Code: router.ClientTooSlow, Message: "the request did not arrive in time (server.read_timeout)"}
	}
	writeError(ctx, e, nil)
	ctx.SetConnectionClose()
	h.metrics.observe(routeOther, e.Code, 0)
}

// Listen opens a TCP listener for the traffic port.
func Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// quietLogger passes fasthttp's own messages on at debug level: they are about
// what clients did to their connections.
type quietLogger struct{ log *slog.Logger }

func (q quietLogger) Printf(format string, args ...any) {
	q.log.Debug("fasthttp", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}
