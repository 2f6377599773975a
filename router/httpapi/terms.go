package httpapi

import (
	"bytes"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
)

// terms are what a request may say outside of its body.
type terms struct {
	until   time.Time
	hurried bool
	// asked says that the deadline was asked for.
	asked      bool
	forced     []byte
	forcedFrom string
}

func (t *terms) apply(x *router.Exchange) {
	x.Until, x.Hurried, x.Forced, x.ForcedFrom = t.until, t.hurried, t.forced, t.forcedFrom
}

// readHeaders reads a request's terms. The time that it has begins with its
// first byte.
func (h *Handler) readHeaders(ctx *fasthttp.RequestCtx, arrived time.Time) (t terms, refusal *router.Error) {
	timeout := h.options.DefaultDeadline
	if v := ctx.Request.Header.Peek("X-Request-Timeout-Ms"); len(v) > 0 {
		ms, err := strconv.ParseUint(string(v), 10, 32)
		if err != nil || ms == 0 {
			return t, &router.Error{Code: router.BadRequest, Field: "X-Request-Timeout-Ms",
				Message: "must be a whole number of milliseconds, at least 1; got " + strconv.Quote(string(v[:min(len(v), 32)]))}
		}
		timeout = min(time.Duration(ms)*time.Millisecond, h.options.MaxDeadline)
		t.asked = true
	}
	t.until, t.hurried = arrived.Add(timeout), timeout < h.options.DefaultDeadline
	if h.options.ForcedHeader != "" {
		t.forcedFrom = h.options.ForcedHeader
		t.forced, refusal = h.options.Forcing.Read(t.forcedFrom, ctx.Request.Header.Peek(t.forcedFrom), arrived)
	}
	return t, refusal
}

// shorten applies the time that the body asks for: the smaller one where a header
// asks too.
func (h *Handler) shorten(t *terms, arrived time.Time, asked time.Duration) {
	if asked <= 0 {
		return
	}
	asked = min(asked, h.options.MaxDeadline)
	if until := arrived.Add(asked); !t.asked || until.Before(t.until) {
		t.until, t.hurried = until, asked < h.options.DefaultDeadline
	}
}

// explain says whether the request asks for the details of its answer.
func (h *Handler) explain(ctx *fasthttp.RequestCtx) bool {
	if !h.options.AllowExplain || len(ctx.URI().QueryString()) == 0 {
		return false
	}
	v := ctx.QueryArgs().Peek("explain")
	return bytes.Equal(v, []byte("true")) || bytes.Equal(v, []byte("1"))
}
