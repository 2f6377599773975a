package httpapi

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"hotpath/abtest/exposure"
	"hotpath/router"
	"hotpath/router/httpapi/jsonscan"
	"hotpath/router/httpapi/jsonwire"
	"hotpath/router/identity"
	"hotpath/router/oip"
)

// Options of a Handler.
type Options struct {
	// DefaultDeadline applies to requests that bring none; MaxDeadline caps those
	// that do.
	DefaultDeadline, MaxDeadline time.Duration
	// ForcedHeader is the header by which a request may force a variant; empty:
	// forcing is off and the header is ignored.
	ForcedHeader string
	// Forcing says what that header may hold.
	Forcing router.Forcing
	// AllowExplain lets requests ask for ?explain=true.
	AllowExplain bool
	Limits       jsonwire.Limits
	// MaxBody and MaxBatchBody bound the bodies of /predict and /predict/batch,
	// MaxInferBody those of the protocols with tensors, in bytes.
	MaxBody, MaxBatchBody, MaxInferBody int
	// BodyMemory bounds the large bodies being read or scored together, in bytes.
	BodyMemory int64
	// CompressOver is the size from which answers to the protocols with tensors are
	// compressed for clients that accept it, in bytes; 0: never.
	CompressOver int
	// Catalog answers what the protocols ask about the server and its models.
	Catalog oip.Catalog
	// RepositoryAPI lets clients load and unload models, for at most
	// RepositoryTimeout a request.
	RepositoryAPI     bool
	RepositoryTimeout time.Duration
	// ServerTiming adds a Server-Timing header with the time spent per stage.
	ServerTiming bool
	// AccessSample is the share of requests that get a log line, 0 to 1.
	AccessSample float64
	// Feedback takes an outcome that a client reports, without waiting; false: there
	// is no room for it. Nil: nobody takes any, and the endpoint says so.
	Feedback func(*exposure.Feedback) bool
	// Access says who may do what; nil: everybody may do everything.
	Access *identity.Access
	// ClientCertificates says that clients may show one, of which headers know nothing.
	ClientCertificates bool
	// Ready reports the state of the dependencies for the readiness probe.
	Ready func() Readiness
	Log   *slog.Logger
}

// Handler answers the traffic port's requests.
type Handler struct {
	pipeline *router.Pipeline
	codec    *router.Metrics
	options  Options
	metrics  *metrics
	decoders sync.Pool
	batches  sync.Pool
	assigns  sync.Pool
	outcomes sync.Pool
	flags    sync.Pool
	infers   sync.Pool
	bodies   *bodyBudget
	access   *access // nil: everybody may do everything
	// compressors of answers, by encoding.
	compressors [numEncodings]sync.Pool
	ids         router.RequestIDs
	log         accessLog
	lameDuck    atomic.Bool
}

// New makes a handler for a pipeline.
func New(p *router.Pipeline, m *router.Metrics, o Options, reg prometheus.Registerer) (*Handler, error) {
	if err := o.Limits.Validate(); err != nil {
		return nil, err
	}
	if err := o.Forcing.Validate(); err != nil {
		return nil, fmt.Errorf("experiments.force_key: %w", err)
	}
	if o.DefaultDeadline <= 0 || o.MaxDeadline < o.DefaultDeadline {
		return nil, fmt.Errorf("deadline.default (%s) must be positive and at most deadline.max (%s)", o.DefaultDeadline, o.MaxDeadline)
	}
	if o.Catalog == nil || o.MaxInferBody <= 0 || o.BodyMemory < int64(o.MaxInferBody) {
		return nil, fmt.Errorf("a catalog, a largest body with tensors (got %d bytes) and memory for one (got %d bytes) are needed", o.MaxInferBody, o.BodyMemory)
	}
	bodies := newBodyBudget(o.BodyMemory)
	own, err := newMetrics(reg, bodies)
	if err != nil {
		return nil, err
	}
	h := &Handler{pipeline: p, codec: m, options: o, metrics: own, bodies: bodies, access: newAccess(o.Access, o.ClientCertificates)}
	h.decoders.New = func() any { return jsonwire.NewDecoder(o.Limits) }
	h.batches.New = func() any { return &batchRun{} }
	h.assigns.New = func() any { return &assignRun{} }
	h.flags.New = func() any { return &flagRun{} }
	h.outcomes.New = func() any { return &jsonwire.FeedbackBatch{} }
	for encoding := range h.compressors {
		h.compressors[encoding].New = func() any { return newCompressor(encoding) }
	}
	h.infers.New = func() any { return h.newInferRequest() }
	h.ids.Init()
	h.log = newAccessLog(o.Log, o.AccessSample)
	return h, nil
}

// Serve is the fasthttp handler.
func (h *Handler) Serve(ctx *fasthttp.RequestCtx) {
	start := time.Now()
	r, code := routeOther, router.BadRequest
	received := ctx.PostBody()
	if wellFormed(ctx.Request.Header.RawHeaders()) {
		r = routeOf(ctx.Path())
		code = h.answer(ctx, r, start, arrival(ctx.Conn(), start))
	} else {
		h.refuse(ctx, nil, errMalformed)
		ctx.SetConnectionClose()
	}
	if h.lameDuck.Load() || h.pipeline.Draining() {
		ctx.SetConnectionClose()
	}
	h.releaseBody(ctx, received)
	took := time.Since(start)
	h.metrics.observe(r, code, took)
	h.log.sample(ctx, r, code, took, len(received))
}

// answer keeps a panic to the one request that caused it. start is when the
// handler began, arrived when the first byte of the request was read.
func (h *Handler) answer(ctx *fasthttp.RequestCtx, r route, start, arrived time.Time) (code router.Code) {
	defer func() {
		if p := recover(); p != nil {
			h.options.Log.Error("panic in a request", "route", routeNames[r], "panic", fmt.Sprint(p))
			h.metrics.panics.Inc()
			code = h.refuse(ctx, nil, &router.Error{Code: router.Internal, Message: "the gateway failed on this request"})
		}
	}()
	if refusal := h.admit(ctx, r, start); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	switch r {
	case routePredict, routeBatch, routeAssign, routeFeedback:
		if refusal := plainPost(ctx); refusal != nil {
			return h.refuse(ctx, nil, refusal)
		}
		switch r {
		case routeBatch:
			return h.predictBatch(ctx, arrived)
		case routeAssign:
			return h.assign(ctx, arrived)
		case routeFeedback:
			return h.feedback(ctx, arrived)
		}
		return h.predict(ctx, start, arrived)
	case routeHealth:
		return h.health(ctx)
	case routeOFREP:
		return h.ofrep(ctx)
	case routeInfer, routeV2:
		return h.v2(ctx, start, arrived)
	case routeV1Predict, routeV1:
		return h.v1(ctx, start, arrived)
	}
	return h.refuse(ctx, nil, &router.Error{Code: router.NotFound,
		Message: "no such path; predictions are at POST /predict, POST /predict/batch and POST /v2/models/{model}/infer"})
}

// plainPost is the refusal of what is no POST, or has a compressed body.
func plainPost(ctx *fasthttp.RequestCtx) *router.Error {
	if !ctx.IsPost() {
		ctx.Response.Header.Set("Allow", "POST")
		return &router.Error{Code: router.MethodNotAllowed, Message: "send a POST request"}
	}
	if e := ctx.Request.Header.ContentEncoding(); len(e) > 0 && string(e) != "identity" {
		return &router.Error{Code: router.UnsupportedEncoding, Field: "Content-Encoding",
			Message: "compressed bodies are not accepted; send the JSON as it is"}
	}
	return nil
}

// predict answers POST /predict.
func (h *Handler) predict(ctx *fasthttp.RequestCtx, start, arrived time.Time) router.Code {
	x, refusal := h.pipeline.Begin()
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	defer h.pipeline.Finish(x)

	d := h.decoders.Get().(*jsonwire.Decoder)
	err := d.Decode(ctx.PostBody(), &x.Request)
	h.decoders.Put(d)
	if err != nil {
		return h.refuse(ctx, x.Request.RequestID, decodeError(err))
	}
	h.setRequestID(ctx, &x.Request)
	t, refusal := h.readHeaders(ctx, arrived)
	if refusal != nil {
		return h.refuse(ctx, x.Request.RequestID, refusal)
	}
	t.apply(x)
	x.Stages[router.StageDecode] = time.Since(start)
	if refusal := h.pipeline.Predict(x); refusal != nil {
		return h.refuse(ctx, x.Request.RequestID, refusal)
	}
	encoding := time.Now()
	x.Buffer = appendPrediction(x.Buffer[:0], x, h.explain(ctx))
	h.setHeaders(ctx, x, x.Buffer)
	x.Stages[router.StageEncode] = time.Since(encoding)
	h.codec.ObserveCodec(x)
	return router.OK
}

// setHeaders puts an answer into the response.
func (h *Handler) setHeaders(ctx *fasthttp.RequestCtx, x *router.Exchange, body []byte) {
	ctx.Response.SetBody(body)
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	if x.Degraded != 0 {
		ctx.Response.Header.SetBytesV("X-Degraded", appendDegraded(nil, x.Degraded, ""))
	}
	if h.options.ServerTiming {
		ctx.Response.Header.SetBytesV("Server-Timing", appendServerTiming(nil, x))
	}
}

var jsonType = []byte("application/json")

// refuse answers with an error. id is the request's identifier where it was
// read; without one it is the header's, else one of our own.
func (h *Handler) refuse(ctx *fasthttp.RequestCtx, id []byte, e *router.Error) router.Code {
	return h.refuseAs(ctx, routeOf(ctx.Path()), id, e)
}

// refuseAs is refuse in the form of a route's errors.
func (h *Handler) refuseAs(ctx *fasthttp.RequestCtx, r route, id []byte, e *router.Error) router.Code {
	switch {
	case r.protocol():
		writeProtocolError(ctx, e)
		return e.Code
	case r == routeOFREP:
		writeFlagError(ctx, e)
		return e.Code
	}
	if len(id) == 0 {
		id = headerID(ctx)
	}
	if id == nil {
		id = h.ids.Append(nil)
	}
	writeError(ctx, e, id)
	return e.Code
}

// decodeError turns the codec's complaint into an answer; nil for none.
func decodeError(err error) *router.Error {
	if err == nil {
		return nil
	}
	e, ok := err.(*jsonscan.Error)
	if !ok {
		return &router.Error{Code: router.BadJSON, Message: "the body could not be read"}
	}
	code, ok := router.ParseCode(e.Code)
	if !ok {
		code = router.BadRequest
	}
	return &router.Error{Code: code, Field: e.Field, Message: e.Message}
}
