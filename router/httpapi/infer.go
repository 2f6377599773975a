package httpapi

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/models"
	"hotpath/router"
	"hotpath/router/httpapi/oipwire"
)

// inferRequest is the memory of one request with tensors, pooled. The exchange owns
// it and frees it, which can be after the answer.
type inferRequest struct {
	*oipwire.Request
	// counted is what its body counts in the budget, in bytes.
	counted int64
}

func (h *Handler) newInferRequest() *inferRequest {
	q := &inferRequest{}
	l := h.options.Limits
	q.Request = oipwire.NewRequest(oipwire.Limits{Depth: l.Depth, IDBytes: l.IDBytes, Entities: l.Entities, Context: l.Context, KeyBytes: l.KeyBytes,
		TensorBytes: h.options.MaxInferBody}, func() {
		h.bodies.give(q.counted)
		q.counted = 0
		h.infers.Put(q)
	})
	return q
}

// call says what a request with tensors is for, and in which form it comes.
type call struct {
	model, version []byte
	// v1 is TensorFlow Serving's form.
	v1 bool
	// header is the length of the JSON, -1 where all of the body is JSON, and 0
	// where none is.
	header int
}

// run takes a request with tensors through the pipeline and answers it.
func (h *Handler) run(ctx *fasthttp.RequestCtx, c *call, start, arrived time.Time) router.Code {
	x, refusal := h.pipeline.Begin()
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	defer h.pipeline.Finish(x)
	q := h.infers.Get().(*inferRequest)
	x.Tensors.Owner = q.Request
	if refusal := h.takeBody(ctx, q); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	if refusal := h.decode(q, c); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	x.Request.Model, x.Request.UserID, x.Request.RequestID = c.model, q.UserID, q.ID
	x.Request.Entities, x.Request.Context = append(x.Request.Entities[:0], q.Entities...), append(x.Request.Context[:0], q.Context...)
	x.Tensors.Version, x.Tensors.Inputs = c.version, append(x.Tensors.Inputs[:0], q.Inputs...)
	h.setRequestID(ctx, &x.Request)
	t, refusal := h.readHeaders(ctx, arrived)
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	h.shorten(&t, arrived, q.Timeout)
	t.apply(x)
	x.Stages[router.StageDecode] = time.Since(start)
	if refusal := h.pipeline.Infer(x); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	encoding := time.Now()
	if refusal := h.encode(ctx, q, x, c); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	h.setInferHeaders(ctx, x)
	x.Stages[router.StageEncode] = time.Since(encoding)
	h.codec.ObserveCodec(x)
	return router.OK
}

func (h *Handler) setInferHeaders(ctx *fasthttp.RequestCtx, x *router.Exchange) {
	if x.Degraded != 0 {
		ctx.Response.Header.SetBytesV("X-Degraded", appendDegraded(nil, x.Degraded, ""))
	}
	if h.options.ServerTiming {
		ctx.Response.Header.SetBytesV("Server-Timing", appendServerTiming(nil, x))
	}
	h.compress(ctx)
}

// takeBody takes the body out of fasthttp, which gets memory of an earlier one in
// its place.
func (h *Handler) takeBody(ctx *fasthttp.RequestCtx, q *inferRequest) *router.Error {
	if encoding := ctx.Request.Header.ContentEncoding(); len(encoding) > 0 && string(encoding) != "identity" {
		return h.inflate(ctx, q, string(encoding))
	}
	q.Body = ctx.Request.SwapBody(q.Body)
	if len(q.Body) > smallBody {
		q.counted = h.bodies.claim(&ctx.Request.Header)
	}
	return nil
}

const headerLength = "Inference-Header-Content-Length"

// infer answers POST /v2/models/{model}/infer.
func (h *Handler) infer(ctx *fasthttp.RequestCtx, model, version []byte, start, arrived time.Time) router.Code {
	header, refusal := inferHeader(ctx)
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	return h.run(ctx, &call{model: model, version: version, header: header}, start, arrived)
}

// decode fills the request from its body.
func (h *Handler) decode(q *inferRequest, c *call) *router.Error {
	switch {
	case c.v1:
		return h.decodeV1(q, c)
	case c.header == 0:
		return h.decodeRaw(q, c)
	}
	return decodeError(q.Decode(c.header))
}

// encode writes the answer where fasthttp keeps it: a copy of a large one would be
// felt.
func (h *Handler) encode(ctx *fasthttp.RequestCtx, q *inferRequest, x *router.Exchange, c *call) *router.Error {
	body, header := ctx.Response.SwapBody(nil)[:0], -1
	var err error
	if c.v1 {
		body, err = q.AppendPredictions(body, x.Outputs())
	} else {
		a := answerOf(q, x)
		body, header, err = q.AppendAnswer(body, &a)
	}
	ctx.Response.SwapBody(body)
	if err != nil {
		return decodeError(err)
	}
	if header < 0 {
		ctx.Response.Header.SetContentTypeBytes(jsonType)
	} else {
		ctx.Response.Header.SetContentTypeBytes(binaryType)
		ctx.Response.Header.Set(headerLength, strconv.Itoa(header))
	}
	return nil
}

var binaryType = []byte("application/octet-stream")

// inferHeader reads the length of a request's JSON; -1 where all of it is JSON.
func inferHeader(ctx *fasthttp.RequestCtx) (n int, refusal *router.Error) {
	v := ctx.Request.Header.Peek(headerLength)
	if len(v) == 0 {
		return -1, nil
	}
	u, err := strconv.ParseUint(string(v), 10, 31)
	if err != nil {
		return 0, &router.Error{Code: router.BadRequest, Field: headerLength,
			Message: "must be a number of bytes, got " + strconv.Quote(string(v[:min(len(v), 32)]))}
	}
	return int(u), nil
}

func answerOf(q *inferRequest, x *router.Exchange) oipwire.Answer {
	a := oipwire.Answer{ID: q.ID, Model: x.Lane.Model, Version: x.Lane.Version, Signature: &x.Lane.Signature, Outputs: x.Outputs()}
	if e := x.Assignment.Experiment; e != nil && x.Variant != nil {
		a.Experiment, a.Variant, a.Reason = e.Name(), x.Variant.Name(), x.Assignment.Reason.String()
		a.Payload = x.Variant.Payload()
	}
	if x.Degraded != 0 {
		a.Degraded = appendDegraded(nil, x.Degraded, "")
	}
	return a
}

// decodeRaw takes the whole body as the data of the model's only input, and answers
// in binary form.
func (h *Handler) decodeRaw(q *inferRequest, c *call) *router.Error {
	m, refusal := h.options.Catalog.Model(string(c.model), string(c.version))
	if refusal != nil {
		return refusal
	}
	if len(m.Inputs) != 1 {
		return &router.Error{Code: router.BadRequest, Field: headerLength,
			Message: "is 0, which stands for a body that is the model's only input; this one has " + strconv.Itoa(len(m.Inputs))}
	}
	config, refusal := h.options.Catalog.Config(string(c.model), string(c.version))
	if refusal != nil {
		return refusal
	}
	input := &m.Inputs[0]
	dtype, err := models.ParseDType(input.Datatype)
	if err != nil {
		return &router.Error{Code: router.Internal, Message: err.Error()}
	}
	q.BinaryOutput = true
	return decodeError(q.DecodeRaw(input.Name, dtype, input.Shape, config.MaxBatchSize > 0))
}
