package httpapi

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/valyala/fasthttp"

	"hotpath/router"
)

// errInflated stops a body that is larger than it may be once it is decoded.
var errInflated = errors.New("over the limit")

// boundedBuffer takes a decoded body up to a limit.
type boundedBuffer struct {
	b     []byte
	limit int
}

func (w *boundedBuffer) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > w.limit {
		return 0, errInflated
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// inflate decodes a compressed body, in memory that is counted as the largest one
// until its size is known.
func (h *Handler) inflate(ctx *fasthttp.RequestCtx, q *inferRequest, encoding string) *router.Error {
	decode := fasthttp.WriteGunzip
	switch encoding {
	case "gzip":
	case "deflate":
		decode = fasthttp.WriteInflate
	default:
		return &router.Error{Code: router.UnsupportedEncoding, Field: "Content-Encoding",
			Message: "must be gzip or deflate, or left out; got " + strconv.Quote(encoding[:min(len(encoding), 32)])}
	}
	limit := h.options.MaxInferBody
	if !h.bodies.take(int64(limit)) {
		return errBodyMemory
	}
	q.counted = int64(limit)
	w := boundedBuffer{b: q.Body, limit: limit}
	_, err := decode(&w, ctx.PostBody())
	q.Body = w.b
	if q.counted = int64(len(w.b)); q.counted <= smallBody {
		q.counted = 0
	}
	h.bodies.give(int64(limit) - q.counted)
	switch {
	case errors.Is(err, errInflated):
		return errBodyTooLarge
	case err != nil:
		return &router.Error{Code: router.BadRequest, Field: "Content-Encoding", Message: "the body is not " + encoding + ": " + err.Error()}
	}
	return nil
}

// compressor is a writer of one encoding, pooled.
type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// compress encodes a large answer where the client accepts that.
func (h *Handler) compress(ctx *fasthttp.RequestCtx) {
	body := ctx.Response.Body()
	if h.options.CompressOver == 0 || len(body) < h.options.CompressOver {
		return
	}
	encoding := acceptedEncoding(ctx.Request.Header.Peek("Accept-Encoding"))
	if encoding == noEncoding {
		return
	}
	w := h.compressors[encoding].Get().(compressor)
	out := bytes.NewBuffer(make([]byte, 0, len(body)/2))
	w.Reset(out)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		return // the answer goes out as it is
	}
	h.compressors[encoding].Put(w)
	ctx.Response.SwapBody(out.Bytes())
	ctx.Response.Header.Set("Content-Encoding", encodingNames[encoding])
}

// The encodings of answers, in the order in which they are preferred.
const (
	gzipEncoding = iota
	deflateEncoding
	numEncodings
	noEncoding = -1
)

var encodingNames = [numEncodings]string{"gzip", "deflate"}

// newCompressor makes a quick one: an answer that waits for a better one is late.
func newCompressor(encoding int) compressor {
	var w compressor
	if encoding == gzipEncoding {
		w, _ = gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is one that there is
	} else {
		w, _ = zlib.NewWriterLevel(io.Discard, zlib.BestSpeed)
	}
	return w
}

// acceptedEncoding is the first encoding that a client names without refusing it.
func acceptedEncoding(header []byte) int {
	for encoding, name := range encodingNames {
		for item := range bytes.SplitSeq(header, []byte(",")) {
			what, weight, _ := bytes.Cut(item, []byte(";"))
			if string(bytes.TrimSpace(what)) != name {
				continue
			}
			if q := bytes.TrimSpace(weight); !bytes.HasPrefix(q, []byte("q=0")) || bytes.ContainsAny(q, "123456789") {
				return encoding
			}
		}
	}
	return noEncoding
}
