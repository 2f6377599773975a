package httpapi

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

// batchParallel bounds the instances of one body that are on their way at once.
// It is as large as a default batch of a model, so that they can run together.
const batchParallel = 64

// batchRun is the working memory of one POST /predict/batch, pooled.
type batchRun struct {
	decoded   jsonwire.Batch
	exchanges []*router.Exchange
	errors    []*router.Error
	body      []byte
	next      atomic.Int64
	workers   sync.WaitGroup
}

// predictBatch answers POST /predict/batch. The JSON is read whole first; then
// each instance goes its own way through the pipeline, and fails alone.
func (h *Handler) predictBatch(ctx *fasthttp.RequestCtx, arrived time.Time) router.Code {
	if refusal := h.pipeline.Refusing(); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	run := h.batches.Get().(*batchRun)
	defer h.putBatch(run)
	d := h.decoders.Get().(*jsonwire.Decoder)
	err := d.DecodeBatch(ctx.PostBody(), &run.decoded)
	h.decoders.Put(d)
	if err != nil {
		return h.refuse(ctx, run.decoded.RequestID, decodeError(err))
	}
	h.setBatchID(ctx, &run.decoded)
	t, refusal := h.readHeaders(ctx, arrived)
	if refusal != nil {
		return h.refuse(ctx, run.decoded.RequestID, refusal)
	}
	run.predict(h, &t)
	run.body = run.encode(h, run.body[:0], h.explain(ctx))
	ctx.Response.SetBody(run.body)
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	return router.OK
}

// predict takes every instance through the pipeline. The goroutines are the
// handler's: it waits for them, and the deadline bounds the wait.
func (r *batchRun) predict(h *Handler, t *terms) {
	n := len(r.decoded.Items)
	r.exchanges = append(r.exchanges[:0], make([]*router.Exchange, n)...)
	r.errors = append(r.errors[:0], make([]*router.Error, n)...)
	r.next.Store(0)
	for range min(n, batchParallel) {
		r.workers.Go(func() {
			for i := int(r.next.Add(1)) - 1; i < n; i = int(r.next.Add(1)) - 1 {
				r.exchanges[i], r.errors[i] = h.predictInstance(&r.decoded.Items[i], i, &r.decoded, t)
			}
		})
	}
	r.workers.Wait()
}

// predictInstance takes one instance through the pipeline. The exchange that it
// gives is to be finished by the caller, after encoding; it can be nil.
func (h *Handler) predictInstance(item *jsonwire.Item, i int, b *jsonwire.Batch, t *terms) (x *router.Exchange, refusal *router.Error) {
	if item.Err != nil {
		return nil, decodeError(item.Err)
	}
	if x, refusal = h.pipeline.Begin(); refusal != nil {
		return nil, refusal
	}
	defer func() {
		if p := recover(); p != nil {
			h.options.Log.Error("panic in an instance of a batch", "panic", fmt.Sprint(p))
			h.metrics.panics.Inc()
			refusal = &router.Error{Code: router.Internal, Message: "the gateway failed on this instance"}
		}
	}()
	// The exchange and the batch swap their requests, so that each keeps the
	// memory of one; finishBatch swaps them back.
	x.Request, item.Request = item.Request, x.Request
	if len(x.Request.RequestID) == 0 {
		from := len(x.Request.Scratch)
		x.Request.Scratch = appendInstanceID(x.Request.Scratch, b, i)
		x.Request.RequestID = x.Request.Scratch[from:]
	}
	t.apply(x)
	return x, h.pipeline.Predict(x)
}

// appendInstanceID adds the id of an instance that brings none: the batch's and
// its place.
func appendInstanceID(dst []byte, b *jsonwire.Batch, i int) []byte {
	return strconv.AppendInt(append(append(dst, b.RequestID...), '.'), int64(i), 10)
}

// instanceID is the id of an instance, in memory of its own where it has none.
func (r *batchRun) instanceID(i int) []byte {
	if x := r.exchanges[i]; x != nil {
		return x.Request.RequestID
	}
	if id := r.decoded.Items[i].Request.RequestID; len(id) > 0 {
		return id
	}
	return appendInstanceID(nil, &r.decoded, i)
}

// encode writes the answers in the order of the instances.
func (r *batchRun) encode(h *Handler, dst []byte, explain bool) []byte {
	dst = jsonwire.AppendBytes(append(dst, `{"request_id":`...), r.decoded.RequestID)
	dst = append(dst, `,"predictions":[`...)
	for i, x := range r.exchanges {
		if i > 0 {
			dst = append(dst, ',')
		}
		if refusal := r.errors[i]; refusal != nil {
			dst = jsonwire.AppendError(dst, refusal.Code.String(), refusal.Message, refusal.Field, r.instanceID(i))
			h.metrics.instance(refusal.Code)
			continue
		}
		dst = appendPrediction(dst, x, explain)
		h.metrics.instance(router.OK)
	}
	return append(dst, "]}"...)
}

// keepBatchBody is the largest body that a pooled run keeps, in bytes.
const keepBatchBody = 256 << 10

// putBatch finishes the exchanges and returns the memory.
func (h *Handler) putBatch(r *batchRun) {
	for i, x := range r.exchanges {
		if x != nil {
			x.Request, r.decoded.Items[i].Request = r.decoded.Items[i].Request, x.Request
			h.pipeline.Finish(x)
		}
	}
	clear(r.exchanges)
	clear(r.errors)
	r.exchanges, r.errors = r.exchanges[:0], r.errors[:0]
	if cap(r.body) > keepBatchBody {
		r.body = nil
	}
	r.decoded.Reset()
	h.batches.Put(r)
}

// setBatchID settles the id of the whole: the body's, else the header's, else
// one of our own.
func (h *Handler) setBatchID(ctx *fasthttp.RequestCtx, b *jsonwire.Batch) {
	if len(b.RequestID) > 0 {
		return
	}
	if b.RequestID = headerID(ctx); b.RequestID == nil {
		b.RequestID = h.ids.Append(nil)
	}
}
