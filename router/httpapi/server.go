package httpapi

import (
	"bytes"
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
	http           *fasthttp.Server
	handler        *Handler
	maxConnections int
}

// NewServer makes a server for a handler; Serve starts it.
func NewServer(h *Handler, o ServerOptions) *Server {
	s := &Server{handler: h, maxConnections: o.MaxConnections}
	s.http = &fasthttp.Server{
		Handler:        h.Serve,
		ErrorHandler:   h.refuseBroken,
		HeaderReceived: h.limitBody,
		ExpectHandler:  h.expect,
		Name:           "hotpath",
		// The listener keeps to the limit. A worker outlives its connection by a
		// moment, for which there is room here.
		Concurrency:                   2 * o.MaxConnections,
		ReadBufferSize:                o.MaxHeaderBytes,
		WriteBufferSize:               4096,
		ReadTimeout:                   o.ReadTimeout,
		WriteTimeout:                  o.WriteTimeout,
		IdleTimeout:                   o.IdleTimeout,
		MaxRequestBodySize:            h.options.MaxBody,
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
func (s *Server) Serve(ln net.Listener) error {
	bounded := newBoundedListener(ln, s.maxConnections, s.handler.metrics)
	defer bounded.wait()
	return s.http.Serve(bounded)
}

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
	return fasthttp.RequestConfig{MaxRequestBodySize: h.maxBody(header)}
}

// maxBody is the bound for the body of a request, by its path as it was sent: a
// spelling that fasthttp will find to mean the batch gets the smaller bound.
func (h *Handler) maxBody(header *fasthttp.RequestHeader) int {
	path, _, _ := bytes.Cut(header.RequestURI(), []byte("?"))
	if routeOf(path) == routeBatch {
		return h.options.MaxBatchBody
	}
	return h.options.MaxBody
}

// expect answers who asks before sending a body (Expect: 100-continue).
func (h *Handler) expect(ctx *fasthttp.RequestCtx) int {
	if ctx.Request.Header.ContentLength() <= h.maxBody(&ctx.Request.Header) {
		return fasthttp.StatusContinue
	}
	h.refuse(ctx, nil, errBodyTooLarge)
	h.metrics.observe(routeOther, router.BodyTooLarge, 0)
	return router.BodyTooLarge.Status()
}

// The refusals of a request that could not be read.
var (
	errMalformed       = &router.Error{Code: router.BadRequest, Message: "the HTTP request is malformed"}
	errHeadersTooLarge = &router.Error{Code: router.HeadersTooLarge, Message: "the request line and headers are over the limit (server.max_header_bytes)"}
	errBodyTooLarge    = &router.Error{Code: router.BodyTooLarge, Message: "the body is over the limit (server.max_body_bytes, server.max_batch_body_bytes)"}
	errClientTooSlow   = &router.Error{Code: router.ClientTooSlow, Message: "the request did not arrive in time (server.read_timeout)"}
)

// refuseBroken answers a request that fasthttp could not read. The connection is
// closed after it: what follows cannot be trusted to be a request.
func (h *Handler) refuseBroken(ctx *fasthttp.RequestCtx, err error) {
	e, broken := errMalformed, false
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		e = errHeadersTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = errBodyTooLarge
	case !errors.As(err, &netErr):
	case netErr.Timeout():
		e = errClientTooSlow
	default:
		broken = true // nobody reads the answer, and there was no request to count
	}
	h.refuse(ctx, nil, e)
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*trafficConn); ok {
		c.linger.Store(true)
	}
	if !broken {
		h.metrics.observe(routeOther, e.Code, 0)
	}
}

// wellFormed checks what fasthttp lets pass, and a proxy before it may read in
// another way: a header folded over two lines, and a name with a blank in it.
func wellFormed(headers []byte) bool {
	for len(headers) > 0 {
		if headers[0] == '\t' {
			return false
		}
		for i := 0; i < len(headers) && headers[i] != ':' && headers[i] != '\n'; i++ {
			if headers[i] == ' ' {
				return false
			}
		}
		end := bytes.IndexByte(headers, '\n')
		if end < 0 {
			return true
		}
		headers = headers[end+1:]
	}
	return true
}

// quietLogger passes fasthttp's own messages on at debug level: they are about
// what clients did to their connections.
type quietLogger struct{ log *slog.Logger }

func (q quietLogger) Printf(format string, args ...any) {
	q.log.Debug("fasthttp", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}
