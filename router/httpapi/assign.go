package httpapi

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

// assignRun is the working memory of one POST /v1/assign, pooled.
type assignRun struct {
	decoded jsonwire.AssignBatch
	body    []byte
}

// assign answers POST /v1/assign, single or batch. No model runs, so the instances
// of a batch are taken one after the other.
func (h *Handler) assign(ctx *fasthttp.RequestCtx, arrived time.Time) router.Code {
	if refusal := h.pipeline.Refusing(); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	run := h.assigns.Get().(*assignRun)
	defer h.putAssign(run)
	b := &run.decoded
	d := h.decoders.Get().(*jsonwire.Decoder)
	err := d.DecodeAssign(ctx.PostBody(), b)
	h.decoders.Put(d)
	if err != nil {
		return h.refuse(ctx, b.RequestID, decodeError(err))
	}
	if len(b.RequestID) == 0 {
		b.RequestID = h.newID(ctx)
	}
	t, refusal := h.readHeaders(ctx, arrived)
	if refusal != nil {
		return h.refuse(ctx, b.RequestID, refusal)
	}
	explain := h.explain(ctx)
	if b.Single {
		b.Items[0].Request.RequestID = b.RequestID
		if run.body, refusal = h.assignOne(run.body[:0], &b.Items[0], &t, explain); refusal != nil {
			return h.refuse(ctx, b.RequestID, refusal)
		}
	} else {
		run.body = h.assignEach(run.body[:0], b, &t, explain)
	}
	ctx.Response.SetBody(run.body)
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	return router.OK
}

// newID is the id of a request whose body brings none: the header's, else one of our
// own.
func (h *Handler) newID(ctx *fasthttp.RequestCtx) []byte {
	if id := headerID(ctx); id != nil {
		return id
	}
	return h.ids.Append(nil)
}

// putAssign returns the memory.
func (h *Handler) putAssign(r *assignRun) {
	if cap(r.body) > keepBatchBody {
		r.body = nil
	}
	r.decoded.Reset()
	h.assigns.Put(r)
}

// assignEach adds the answers of a batch, in the order of the instances.
func (h *Handler) assignEach(dst []byte, b *jsonwire.AssignBatch, t *terms, explain bool) []byte {
	dst = jsonwire.AppendBytes(append(dst, `{"request_id":`...), b.RequestID)
	dst = append(dst, `,"assignments":[`...)
	for i := range b.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		item := &b.Items[i]
		if len(item.Request.RequestID) == 0 {
			item.Request.RequestID = strconv.AppendInt(append(append([]byte(nil), b.RequestID...), '.'), int64(i), 10)
		}
		// The request goes to an exchange and comes back emptied.
		id := item.Request.RequestID
		var refusal *router.Error
		if item.Err != nil {
			refusal = decodeError(item.Err)
		} else {
			dst, refusal = h.assignOne(dst, item, t, explain)
		}
		if refusal != nil {
			dst = jsonwire.AppendError(dst, refusal.Code.String(), refusal.Message, refusal.Field, id)
		}
	}
	return append(dst, "]}"...)
}

// assignOne adds the answer to one request, or nothing where it is refused.
func (h *Handler) assignOne(dst []byte, a *jsonwire.Assign, t *terms, explain bool) ([]byte, *router.Error) {
	x, refusal := h.pipeline.Begin()
	if refusal != nil {
		return dst, refusal
	}
	defer h.pipeline.Finish(x)
	// The exchange and the item swap their requests, so that each keeps the memory
	// of one.
	x.Request, a.Request = a.Request, x.Request
	defer func() { x.Request, a.Request = a.Request, x.Request }()
	t.apply(x)
	x.Via, x.Look = router.ViaAssign, a.Look
	d, refusal := h.pipeline.Assign(x, a.Experiment)
	if refusal != nil {
		return dst, refusal
	}
	return appendDecision(dst, x, &d, explain), nil
}

// appendDecision adds the JSON of a decision.
func appendDecision(dst []byte, x *router.Exchange, d *router.Decision, explain bool) []byte {
	dst = jsonwire.AppendBytes(append(dst, `{"request_id":`...), x.Request.RequestID)
	dst = jsonwire.AppendString(append(dst, `,"model":`...), d.Lane.Model)
	dst = strconv.AppendInt(append(dst, `,"version":`...), int64(d.Lane.Version), 10)
	if d.Variant != nil && d.Variant.Label() != "" {
		dst = jsonwire.AppendString(append(dst, `,"label":`...), d.Variant.Label())
	}
	if d.Experiment != nil {
		dst = jsonwire.AppendString(append(dst, `,"experiment":`...), d.Experiment.Name())
	}
	if d.Variant != nil {
		dst = appendVariant(dst, d.Variant)
	}
	dst = jsonwire.AppendString(append(dst, `,"reason":`...), d.Reason.String())
	if d.Other != nil {
		dst = jsonwire.AppendString(append(dst, `,"decided_by":`...), d.Other.Name())
	}
	if explain {
		dst = append(dst, `,"explain":{`...)
		if d.Experiment != nil {
			dst = append(strconv.AppendInt(append(dst, `"bucket":`...), int64(d.Bucket), 10), ',')
		}
		dst = append(appendConsidered(append(dst, `"considered":[`...), x.Considered()), "]}"...)
	}
	return append(dst, '}')
}

// appendConsidered adds what each experiment says by itself.
func appendConsidered(dst []byte, all []abtest.Assignment) []byte {
	for i := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		a := &all[i]
		dst = jsonwire.AppendString(append(dst, `{"experiment":`...), a.Experiment.Name())
		if a.Variant != nil {
			dst = jsonwire.AppendString(append(dst, `,"variant":`...), a.Variant.Name())
		}
		dst = jsonwire.AppendString(append(dst, `,"reason":`...), a.Reason.String())
		dst = append(strconv.AppendInt(append(dst, `,"bucket":`...), int64(a.Bucket), 10), '}')
	}
	return dst
}
