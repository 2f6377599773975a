package httpapi

import (
	"github.com/valyala/fasthttp"

	"hotpath/router"
)

// maxRequestID bounds an id taken from the header, in bytes.
const maxRequestID = 256

// headerID is the caller's X-Request-Id if it is fit to repeat, else nil.
func headerID(ctx *fasthttp.RequestCtx) []byte {
	id := ctx.Request.Header.Peek("X-Request-Id")
	if len(id) == 0 || len(id) > maxRequestID {
		return nil
	}
	for _, c := range id {
		if c < '!' || c > '~' {
			return nil
		}
	}
	return id
}

// setRequestID settles a request's id: the body's, else the header's, else one
// of our own.
func (h *Handler) setRequestID(ctx *fasthttp.RequestCtx, r *router.Request) {
	if len(r.RequestID) > 0 {
		return
	}
	if r.RequestID = headerID(ctx); r.RequestID != nil {
		return
	}
	from := len(r.Scratch)
	r.Scratch = h.ids.Append(r.Scratch)
	r.RequestID = r.Scratch[from:]
}
