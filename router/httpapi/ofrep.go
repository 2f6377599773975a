package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

// ofrepEndpoints are those of the OpenFeature Remote Evaluation Protocol. A flag is
// an experiment.
var ofrepEndpoints = []endpoint{
	{"POST", "/ofrep/v1/evaluate/flags", (*Handler).evaluateAll},
	{"POST", "/ofrep/v1/evaluate/flags/{key}", (*Handler).evaluateFlag},
	{"GET", "/ofrep/v1/configuration", (*Handler).flagConfiguration},
}

// ofrep answers the paths under /ofrep/v1.
func (h *Handler) ofrep(ctx *fasthttp.RequestCtx) router.Code {
	return h.answerEndpoint(ctx, ofrepEndpoints)
}

// flagRun is the working memory of an evaluation of flags, pooled.
type flagRun struct{ body []byte }

// exposeHeader says whether an evaluation exposes its unit. The protocol itself has
// no place for that.
const exposeHeader = "X-Hotpath-Expose"

// beginFlags admits an evaluation and reads it. The exchange, where there is one, is
// the caller's to finish, also after a refusal. look is what counts where the request
// does not say.
func (h *Handler) beginFlags(ctx *fasthttp.RequestCtx, look bool) (x *router.Exchange, refusal *router.Error) {
	if refusal := plainPost(ctx); refusal != nil {
		return nil, refusal
	}
	if x, refusal = h.pipeline.Begin(); refusal != nil {
		return nil, refusal
	}
	d := h.decoders.Get().(*jsonwire.Decoder)
	err := d.DecodeFlag(ctx.PostBody(), &x.Request)
	h.decoders.Put(d)
	if err != nil {
		return x, decodeError(err)
	}
	h.setRequestID(ctx, &x.Request)
	t, refusal := h.readHeaders(ctx, arrival(ctx.Conn(), time.Now()))
	if refusal != nil {
		return x, refusal
	}
	t.apply(x)
	x.Via, x.Look = router.ViaFlag, look
	switch v := ctx.Request.Header.Peek(exposeHeader); string(v) {
	case "":
	case "true":
		x.Look = false
	case "false":
		x.Look = true
	default:
		return x, &router.Error{Code: router.BadRequest, Field: exposeHeader, Message: "must be true or false"}
	}
	return x, nil
}

// evaluateFlag answers for one flag, and exposes the unit to it.
func (h *Handler) evaluateFlag(ctx *fasthttp.RequestCtx, t target) router.Code {
	x, refusal := h.beginFlags(ctx, false)
	if x != nil {
		defer h.pipeline.Finish(x)
	}
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	d, refusal := h.pipeline.Assign(x, t.flag)
	switch {
	case refusal != nil:
		return h.refuse(ctx, nil, refusal)
	case !flagged(&d):
		return h.refuse(ctx, nil, errNoFlag)
	case keyMissing(x, &d):
		return h.refuse(ctx, nil, errTargetingKey)
	}
	x.Buffer = appendFlag(x.Buffer[:0], &d, []byte(x.Plan().Digest().String()))
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	ctx.Response.SetBody(x.Buffer)
	return router.OK
}

// evaluateAll answers for all flags. Clients do that to have them at hand, so that
// nobody is exposed unless the request says so.
func (h *Handler) evaluateAll(ctx *fasthttp.RequestCtx, _ target) router.Code {
	x, refusal := h.beginFlags(ctx, true)
	if x != nil {
		defer h.pipeline.Finish(x)
	}
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	run := h.flags.Get().(*flagRun)
	defer h.putFlags(run)
	run.body = append(run.body[:0], `{"flags":[`...)
	none := len(run.body)
	refusal = h.pipeline.AssignAll(x, func(d *router.Decision) {
		if len(run.body) > none {
			run.body = append(run.body, ',')
		}
		if keyMissing(x, d) {
			run.body = appendFlagError(run.body, d.Experiment.Name(), "TARGETING_KEY_MISSING", errTargetingKey.Message)
			return
		}
		run.body = appendFlag(run.body, d, nil)
	})
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	run.body = append(run.body, `],"metadata":{"digest":"`...)
	run.body = append(append(run.body, x.Plan().Digest().String()...), `"}}`...)
	return writeTagged(ctx, run.body)
}

func (h *Handler) putFlags(r *flagRun) {
	if cap(r.body) > keepBatchBody {
		r.body = nil
	}
	h.flags.Put(r)
}

// writeTagged answers with a body and its tag, or says that the client has it.
func writeTagged(ctx *fasthttp.RequestCtx, body []byte) router.Code {
	sum := sha256.Sum256(body)
	tag := append(hex.AppendEncode([]byte{'"'}, sum[:16]), '"')
	ctx.Response.Header.SetBytesV("ETag", tag)
	if matches(ctx.Request.Header.Peek("If-None-Match"), tag) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return router.OK
	}
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	ctx.Response.SetBody(body)
	return router.OK
}

// matches says whether a tag is among those of an If-None-Match header.
func matches(header, tag []byte) bool {
	for known := range bytes.SplitSeq(header, []byte(",")) {
		known = bytes.TrimPrefix(bytes.TrimSpace(known), []byte("W/"))
		if bytes.Equal(known, tag) || string(known) == "*" {
			return true
		}
	}
	return false
}

// flagConfig is what clients may ask about the server. Later versions of the protocol
// have done without.
const flagConfig = `{"name":"hotpath","capabilities":{"cacheInvalidation":{"polling":{"enabled":true,"minPollingIntervalMs":1000}},` +
	`"flagEvaluation":{"supportedTypes":["int","float","string","boolean","object"]},"caching":{"enabled":false}}}`

func (h *Handler) flagConfiguration(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return writeTagged(ctx, []byte(flagConfig))
}

var (
	errNoFlag       = &router.Error{Code: router.UnknownExperiment, Message: "there is no such flag: a flag is an experiment that is not a draft or archived"}
	errTargetingKey = &router.Error{Code: router.BadRequest, Field: "context.targetingKey", Message: "is required: it names the user, and the context has no other id that the experiment assigns"}
)

// appendFlagError adds the failure of one evaluation.
func appendFlagError(dst []byte, key, code, details string) []byte {
	dst = append(dst, '{')
	if key != "" {
		dst = append(jsonwire.AppendString(append(dst, `"key":`...), key), ',')
	}
	dst = jsonwire.AppendString(append(dst, `"errorCode":`...), code)
	return append(jsonwire.AppendString(append(dst, `,"errorDetails":`...), details), '}')
}

// writeFlagError answers with an error in the protocol's form; our own code is in a
// header.
func writeFlagError(ctx *fasthttp.RequestCtx, e *router.Error) {
	details := codedError(ctx, e)
	key := ""
	if flag, ok := bytes.CutPrefix(ctx.Path(), []byte("/ofrep/v1/evaluate/flags/")); ok {
		key = string(bytes.TrimSuffix(flag, slash))
	}
	ctx.Response.SetBodyRaw(appendFlagError(nil, key, flagErrorCode(e), details))
}

// flagErrorCode is OpenFeature's word for an error.
func flagErrorCode(e *router.Error) string {
	switch {
	case e == errTargetingKey:
		return "TARGETING_KEY_MISSING"
	case e.Code == router.UnknownExperiment:
		return "FLAG_NOT_FOUND"
	case e.Code == router.BadJSON:
		return "PARSE_ERROR"
	case e.Code == router.BadRequest && bytes.HasPrefix([]byte(e.Field), []byte("context")):
		return "INVALID_CONTEXT"
	}
	return "GENERAL"
}
