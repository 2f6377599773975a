package httpapi

import (
	"bytes"
	"context"
	"crypto/tls"
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
	// TLS is how connections are secured; nil: they are not.
	TLS *tls.Config
	Log *slog.Logger
}

// idleWorker is how long the goroutine of a connection that has ended waits for
// another one: after a burst of connections their stacks are soon given back.
const idleWorker = time.Second

// Server is the traffic port.
type Server struct {
	http           *fasthttp.Server
	handler        *Handler
	maxConnections int
	log            *slog.Logger
	tls            *tls.Config
}

// NewServer makes a server for a handler; Serve starts it.
func NewServer(h *Handler, o ServerOptions) *Server {
	s := &Server{handler: h, maxConnections: o.MaxConnections, log: o.Log, tls: o.TLS}
	s.http = &fasthttp.Server{
		Handler:        h.Serve,
		ErrorHandler:   s.refuseBroken,
		HeaderReceived: h.limitBody,
		ExpectHandler:  s.expect,
		Name:           "hotpath",
		// The listener keeps to the limit. A worker outlives its connection by a
		// moment, for which there is room here.
		Concurrency:                   2 * o.MaxConnections,
		ReadBufferSize:                o.MaxHeaderBytes,
		WriteBufferSize:               4096,
		ReadTimeout:                   o.ReadTimeout,
		WriteTimeout:                  o.WriteTimeout,
		IdleTimeout:                   o.IdleTimeout,
		MaxIdleWorkerDuration:         idleWorker,
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
	bounded := newBoundedListener(patientListener{ln, s.log}, s.maxConnections, s.tls, s.handler.metrics, s.handler.bodies)
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

// limitBody gives each endpoint its own bound for the body, before it is read, and
// counts large ones.
func (h *Handler) limitBody(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	limit, r := h.maxBody(header)
	if n := header.ContentLength(); n > smallBody && n <= limit && !h.mayRead(header, r, int64(n)) {
		limit = 1 // which the body is over; refuseBroken says why
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: limit}
}

// mayRead says whether a large body is to be read: of whom we would hear, and where there
// is room. Who asks is looked at again with the whole request, which knows more.
func (h *Handler) mayRead(header *fasthttp.RequestHeader, r route, bytes int64) bool {
	if refusal := h.stranger(header, r); refusal != nil {
		h.bodies.refuse(header, r, refusal)
		return false
	}
	return h.bodies.reserve(header, r, bytes)
}

// maxBody is the bound for the body of a request, by its path as it was sent: a
// spelling that fasthttp will find to mean another one gets the smaller bound. So
// does a body that does not say how large it is, since it is not counted.
func (h *Handler) maxBody(header *fasthttp.RequestHeader) (bytes int, r route) {
	switch r = routeOf(rawPath(header)); {
	case r == routeBatch, r == routeAssign, r == routeFeedback:
		return h.options.MaxBatchBody, r
	case (r == routeInfer || r == routeV1Predict) && header.ContentLength() >= 0:
		return h.options.MaxInferBody, r
	}
	return h.options.MaxBody, r
}

func rawPath(header *fasthttp.RequestHeader) []byte {
	path, _, _ := bytes.Cut(header.RequestURI(), []byte("?"))
	return path
}

// expect answers who asks before sending a body (Expect: 100-continue).
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	refusal := s.handler.unexpected(ctx)
	if refusal != nil {
		s.handler.refuse(ctx, nil, refusal)
		s.handler.metrics.observe(routeOther, refusal.Code, 0)
		return refusal.Code.Status()
	}
	s.giveWriteTime(ctx)
	return fasthttp.StatusContinue
}

// giveWriteTime begins the time for an answer that fasthttp writes under the deadline
// of the connection's last one, and gives up in silence where that is over.
func (s *Server) giveWriteTime(ctx *fasthttp.RequestCtx) {
	// An error means that the write will fail, too.
	_ = ctx.Conn().SetWriteDeadline(time.Now().Add(s.http.WriteTimeout))
}

// refuseBroken is Handler.refuseBroken, with time to write the answer.
func (s *Server) refuseBroken(ctx *fasthttp.RequestCtx, err error) {
	s.handler.refuseBroken(ctx, err)
	s.giveWriteTime(ctx)
}

// unexpected is the refusal of a body that is announced; nil where it may come.
func (h *Handler) unexpected(ctx *fasthttp.RequestCtx) *router.Error {
	if refusal := h.announce(ctx); refusal != nil {
		return refusal
	}
	header := &ctx.Request.Header
	if limit, _ := h.maxBody(header); header.ContentLength() > limit {
		return errBodyTooLarge
	}
	if header.ContentLength() <= smallBody {
		return nil
	}
	c := h.bodies.of(header)
	if c != nil && c.refusal != nil {
		h.bodies.settle(header)
		return c.refusal
	}
	if conn, ok := ctx.Conn().(*trafficConn); ok {
		conn.charge.Store(c)
	}
	return nil
}

// The refusals of a request that could not be read.
var (
	errMalformed       = &router.Error{Code: router.BadRequest, Message: "the HTTP request is malformed"}
	errHeadersTooLarge = &router.Error{Code: router.HeadersTooLarge, Message: "the request line and headers are over the limit (server.max_header_bytes)"}
	errBodyTooLarge    = &router.Error{Code: router.BodyTooLarge, Message: "the body is over the limit (server.max_body_bytes, server.max_batch_body_bytes, server.max_infer_body_bytes; the first of them without a Content-Length)"}
	errBodyMemory      = &router.Error{Code: router.Overloaded, RetryAfter: time.Second, Message: "too many large bodies at once (server.body_memory_bytes)"}
	errClientTooSlow   = &router.Error{Code: router.ClientTooSlow, Message: "the request did not arrive in time (server.read_timeout)"}
)

// refuseBroken answers a request that fasthttp could not read. The connection is
// closed after it: what follows cannot be trusted to be a request.
func (h *Handler) refuseBroken(ctx *fasthttp.RequestCtx, err error) {
	body := h.bodies.settle(&ctx.Request.Header)
	e, broken := errMalformed, false
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		e = errHeadersTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge) && body.refusal != nil:
		e = body.refusal
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = errBodyTooLarge
	case !errors.As(err, &netErr):
	case netErr.Timeout():
		e = errClientTooSlow
	default:
		broken = true // nobody reads the answer, and there was no request to count
	}
	r := body.route
	if r == routeOther { // not one of the large bodies, of which the path is remembered
		r = routeOf(rawPath(&ctx.Request.Header))
	}
	h.refuseAs(ctx, r, nil, e)
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
