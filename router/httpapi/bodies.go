package httpapi

import (
	"bytes"
	"sync"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/httpapi/oipwire"
)

// smallBody is the size up to which bodies are not counted, in bytes: what they
// can take together is bounded by the number of connections.
const smallBody = 64 << 10

// bodyBudget bounds the memory of large bodies together. A body is counted when
// its header has been read, since fasthttp takes the memory for all of it then,
// and until nothing reads it any more. fasthttp shows the header alone at that
// moment; its address stays the same until the request has been handled.
type bodyBudget struct {
	limit int64

	mu      sync.Mutex
	used    int64
	charged map[*fasthttp.RequestHeader]*charge
}

// charge is what is known of a request whose body is being read. The budget's lock
// guards bytes.
type charge struct {
	header  *fasthttp.RequestHeader
	bytes   int64 // 0 once they are given back, or somebody has claimed them
	route   route
	refusal *router.Error // nil where it may be read
}

func newBodyBudget(limit int64) *bodyBudget {
	return &bodyBudget{limit: limit, charged: map[*fasthttp.RequestHeader]*charge{}}
}

// reserve counts a body that is about to be read; false where there is no room.
func (b *bodyBudget) reserve(header *fasthttp.RequestHeader, r route, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A connection that ended without a word may have left something behind.
	b.dropLocked(b.charged[header])
	c := &charge{header: header, bytes: bytes, route: r}
	if b.used+bytes > b.limit {
		c.bytes, c.refusal = 0, errBodyMemory
	}
	b.used += c.bytes
	b.charged[header] = c
	return c.refusal == nil
}

// refuse keeps a body that is about to be read from being read.
func (b *bodyBudget) refuse(header *fasthttp.RequestHeader, r route, e *router.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked(b.charged[header])
	b.charged[header] = &charge{header: header, route: r, refusal: e}
}

// of is what is known of a request; nil where its body is not counted.
func (b *bodyBudget) of(header *fasthttp.RequestHeader) *charge {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.charged[header]
}

// claim hands over what was counted for a request: the caller gives it back.
func (b *bodyBudget) claim(header *fasthttp.RequestHeader) (bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.charged[header]; c != nil {
		bytes, c.bytes = c.bytes, 0
	}
	return bytes
}

// settle gives back what a request still has counted, and says what it was.
func (b *bodyBudget) settle(header *fasthttp.RequestHeader) charge {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.charged[header]
	if c == nil {
		return charge{}
	}
	was := *c
	b.dropLocked(c)
	delete(b.charged, header)
	return was
}

// drop gives back what is left of a charge, whose header may be another request's by
// now; nil is none.
func (b *bodyBudget) drop(c *charge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked(c)
	if c != nil && b.charged[c.header] == c {
		delete(b.charged, c.header) // which would keep the header's memory
	}
}

func (b *bodyBudget) dropLocked(c *charge) {
	if c != nil {
		b.used -= c.bytes
		c.bytes = 0
	}
}

// take counts memory beside that of a body; false where there is no room.
func (b *bodyBudget) take(bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+bytes > b.limit {
		return false
	}
	b.used += bytes
	return true
}

// give gives back.
func (b *bodyBudget) give(bytes int64) {
	if bytes == 0 {
		return
	}
	b.mu.Lock()
	b.used -= bytes
	b.mu.Unlock()
}

// inUse is the number of bytes counted, for metrics.
func (b *bodyBudget) inUse() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return float64(b.used)
}

// releaseBody ends the life of a request's body, unless somebody has claimed it.
// Large buffers with little in them do not go back into fasthttp's pools: small
// requests would keep the memory of large ones.
func (h *Handler) releaseBody(ctx *fasthttp.RequestCtx, received []byte) {
	if ctx.Request.Header.ContentLength() > smallBody {
		h.bodies.settle(&ctx.Request.Header)
	}
	if oipwire.Oversized(received) {
		ctx.Request.SwapBody(nil)
	}
	if body := ctx.Response.Body(); oipwire.Oversized(body) {
		ctx.Response.SwapBody(bytes.Clone(body))
	}
}
