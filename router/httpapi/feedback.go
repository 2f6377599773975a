package httpapi

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

var (
	errNoFeedback   = &router.Error{Code: router.NotFound, Message: "no feedback is taken here, since there are no experiments: set experiments.file"}
	errFeedbackFull = &router.Error{Code: router.Overloaded, RetryAfter: time.Second, Message: "the queue of exposures and feedback is full"}
)

// feedback answers POST /feedback. What it accepts is queued, not yet stored.
func (h *Handler) feedback(ctx *fasthttp.RequestCtx, arrived time.Time) router.Code {
	if h.options.Feedback == nil {
		return h.refuse(ctx, nil, errNoFeedback)
	}
	// An exchange is what counts a request in: the log is closed when all have left.
	x, refusal := h.pipeline.Begin()
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	defer h.pipeline.Finish(x)
	b := h.outcomes.Get().(*jsonwire.FeedbackBatch)
	defer func() {
		b.Reset()
		h.outcomes.Put(b)
	}()
	d := h.decoders.Get().(*jsonwire.Decoder)
	err := d.DecodeFeedback(ctx.PostBody(), arrived, b)
	h.decoders.Put(d)
	if err != nil {
		return h.refuse(ctx, nil, decodeError(err))
	}
	refusals, accepted, full := h.record(b)
	if accepted == 0 && full {
		return h.refuse(ctx, nil, errFeedbackFull)
	}
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	x.Buffer = appendRecorded(x.Buffer[:0], accepted, refusals)
	ctx.Response.SetBody(x.Buffer)
	return router.OK
}

// record hands the outcomes on. It says why others are refused, by their places, and
// whether there was no room for one.
func (h *Handler) record(b *jsonwire.FeedbackBatch) (refusals []*router.Error, accepted int, full bool) {
	refusals = make([]*router.Error, len(b.Items))
	for i := range b.Items {
		switch item := &b.Items[i]; {
		case item.Err != nil:
			refusals[i] = decodeError(item.Err)
		case h.options.Feedback(&item.Feedback):
			accepted++
		default:
			refusals[i], full = errFeedbackFull, true
		}
	}
	return refusals, accepted, full
}

// appendRecorded adds the answer.
func appendRecorded(dst []byte, accepted int, refusals []*router.Error) []byte {
	dst = strconv.AppendInt(append(dst, `{"accepted":`...), int64(accepted), 10)
	dst = append(dst, `,"rejected":[`...)
	first := true
	for i, e := range refusals {
		if e == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = strconv.AppendInt(append(dst, `{"index":`...), int64(i), 10)
		dst = jsonwire.AppendString(append(dst, `,"code":`...), e.Code.String())
		if e.Field != "" {
			dst = jsonwire.AppendString(append(dst, `,"field":`...), e.Field)
		}
		dst = append(jsonwire.AppendString(append(dst, `,"message":`...), e.Message), '}')
	}
	return append(dst, "]}"...)
}
