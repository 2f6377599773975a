package httpapi

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/oip"
)

// target is what the path of a protocol's request names: empty where it names none.
type target struct{ model, version, flag []byte }

// endpoint is a path of the protocols with its method. Segments in braces stand for
// what a target holds.
type endpoint struct {
	method, path string
	answer       func(h *Handler, ctx *fasthttp.RequestCtx, t target) router.Code
}

// v2Endpoints are the Open Inference Protocol's and Triton's, but for those of infer.
var v2Endpoints = []endpoint{
	{"GET", "/v2", (*Handler).serverMetadata},
	{"GET", "/v2/health/live", (*Handler).serverLive},
	{"GET", "/v2/health/ready", (*Handler).serverReady},
	{"GET", "/v2/models/stats", (*Handler).statistics},
	{"GET", "/v2/models/{model}", (*Handler).modelMetadata},
	{"GET", "/v2/models/{model}/versions/{version}", (*Handler).modelMetadata},
	{"GET", "/v2/models/{model}/ready", (*Handler).modelReady},
	{"GET", "/v2/models/{model}/versions/{version}/ready", (*Handler).modelReady},
	{"GET", "/v2/models/{model}/config", (*Handler).modelConfig},
	{"GET", "/v2/models/{model}/versions/{version}/config", (*Handler).modelConfig},
	{"GET", "/v2/models/{model}/stats", (*Handler).statistics},
	{"GET", "/v2/models/{model}/versions/{version}/stats", (*Handler).statistics},
	{"POST", "/v2/repository/index", (*Handler).repositoryIndex},
	{"POST", "/v2/repository/models/{model}/load", (*Handler).repositoryLoad},
	{"POST", "/v2/repository/models/{model}/unload", (*Handler).repositoryUnload},
	{"GET", "/v2/systemsharedmemory/status", (*Handler).noSharedMemory},
	{"GET", "/v2/cudasharedmemory/status", (*Handler).noSharedMemory},
	{"POST", "/v2/systemsharedmemory/region/{region}/register", (*Handler).refuseSharedMemory},
	{"POST", "/v2/cudasharedmemory/region/{region}/register", (*Handler).refuseSharedMemory},
	{"POST", "/v2/systemsharedmemory/unregister", (*Handler).unregisterSharedMemory},
	{"POST", "/v2/cudasharedmemory/unregister", (*Handler).unregisterSharedMemory},
	{"POST", "/v2/systemsharedmemory/region/{region}/unregister", (*Handler).unregisterSharedMemory},
	{"POST", "/v2/cudasharedmemory/region/{region}/unregister", (*Handler).unregisterSharedMemory},
}

// v2 answers the paths under /v2.
func (h *Handler) v2(ctx *fasthttp.RequestCtx, start, arrived time.Time) router.Code {
	path := bytes.TrimSuffix(ctx.Path(), slash)
	if t, ok := inferTarget(path); ok {
		if !ctx.IsPost() {
			return h.otherMethod(ctx, "POST")
		}
		return h.infer(ctx, t.model, t.version, start, arrived)
	}
	return h.answerEndpoint(ctx, v2Endpoints)
}

// inferTarget takes a path of infer apart: /v2/models/{model}/infer or
// /v2/models/{model}/versions/{version}/infer.
func inferTarget(path []byte) (t target, ok bool) {
	path, ok = bytes.CutPrefix(path, []byte("/v2/models/"))
	if !ok {
		return t, false
	}
	if path, ok = bytes.CutSuffix(path, []byte("/infer")); !ok {
		return t, false
	}
	return modelTarget(path)
}

// modelTarget takes {model} or {model}/versions/{version} apart.
func modelTarget(path []byte) (t target, ok bool) {
	t.model, t.version, ok = bytes.Cut(path, []byte("/versions/"))
	if bytes.IndexByte(t.model, '/') >= 0 || bytes.IndexByte(t.version, '/') >= 0 {
		return target{}, false
	}
	return t, len(t.model) > 0 && ok == (len(t.version) > 0)
}

// find is the endpoint of a request, and what its path names. Where it is none, allow
// is a method that the path takes, if there is one.
func find(ctx *fasthttp.RequestCtx, all []endpoint) (e *endpoint, t target, allow string) {
	path := bytes.TrimSuffix(ctx.Path(), slash)
	for i := range all {
		t, ok := all[i].match(path)
		switch {
		case !ok:
		case string(ctx.Method()) == all[i].method, ctx.IsHead() && all[i].method == fasthttp.MethodGet:
			return &all[i], t, ""
		default:
			allow = all[i].method
		}
	}
	return nil, target{}, allow
}

// answerEndpoint finds a request's endpoint and answers it. An empty segment is none.
func (h *Handler) answerEndpoint(ctx *fasthttp.RequestCtx, all []endpoint) router.Code {
	e, t, allow := find(ctx, all)
	if e != nil {
		return e.answer(h, ctx, t)
	}
	if allow != "" {
		return h.otherMethod(ctx, allow)
	}
	return h.refuse(ctx, nil, &router.Error{Code: router.NotFound,
		Message: "no such path; docs/protocol.md lists what is served"})
}

// match compares a path with the endpoint's, segment by segment.
func (e *endpoint) match(path []byte) (t target, ok bool) {
	pattern := e.path
	for len(pattern) > 0 && len(path) > 0 {
		want, segment := firstSegment([]byte(pattern)), firstSegment(path)
		pattern, path = pattern[len(want):], path[len(segment):]
		switch string(want) {
		case "/{model}":
			t.model = segment[1:]
		case "/{version}", "/{label}":
			t.version = segment[1:]
		case "/{key}":
			t.flag = segment[1:]
		case "/{region}":
		default:
			if !bytes.Equal(want, segment) {
				return t, false
			}
			continue
		}
		if len(segment) == 1 {
			return t, false
		}
	}
	return t, len(pattern) == 0 && len(path) == 0
}

// firstSegment is a slash and what follows it up to the next one.
func firstSegment(path []byte) []byte {
	if i := bytes.IndexByte(path[1:], '/'); i >= 0 {
		return path[:i+1]
	}
	return path
}

func (h *Handler) otherMethod(ctx *fasthttp.RequestCtx, allow string) router.Code {
	refusal := &router.Error{Code: router.MethodNotAllowed, Message: "send a " + allow + " request"}
	if allow == fasthttp.MethodGet {
		allow = "GET, HEAD"
	}
	ctx.Response.Header.Set("Allow", allow)
	return h.refuse(ctx, nil, refusal)
}

// writeJSON answers with a value.
func (h *Handler) writeJSON(ctx *fasthttp.RequestCtx, v any) router.Code {
	body, err := json.Marshal(v)
	if err != nil {
		return h.refuse(ctx, nil, &router.Error{Code: router.Internal, Message: "the answer could not be written"})
	}
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	ctx.Response.SetBodyRaw(body)
	return router.OK
}

func (h *Handler) serverMetadata(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return h.writeJSON(ctx, h.options.Catalog.Server())
}

// health is the answer to a probe of the server. Clients read live or ready,
// whichever they asked for.
type health struct {
	Live  bool `json:"live"`
	Ready bool `json:"ready"`
}

func (h *Handler) serverLive(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return h.probe(ctx, h.options.Catalog.Live())
}

func (h *Handler) serverReady(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return h.probe(ctx, h.options.Catalog.Ready())
}

func (h *Handler) probe(ctx *fasthttp.RequestCtx, ok bool) router.Code {
	return h.probed(ctx, ok, health{Live: h.options.Catalog.Live(), Ready: h.options.Catalog.Ready()})
}

// probed answers a probe with its body, whatever came out: only a 200 counts as
// yes for every client.
func (h *Handler) probed(ctx *fasthttp.RequestCtx, ok bool, body any) router.Code {
	code := h.writeJSON(ctx, body)
	if code == router.OK && !ok {
		code = router.NotReady
		ctx.SetStatusCode(code.Status())
		ctx.Response.Header.Set("X-Error-Code", code.String())
		ctx.Response.Header.Set("Retry-After", "1")
	}
	return code
}

func (h *Handler) modelMetadata(ctx *fasthttp.RequestCtx, t target) router.Code {
	m, refusal := h.options.Catalog.Model(string(t.model), string(t.version))
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	return h.writeJSON(ctx, m)
}

// readyModel is the answer to a probe of a model.
type readyModel struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

func (h *Handler) modelReady(ctx *fasthttp.RequestCtx, t target) router.Code {
	name := string(t.model)
	ready := h.options.Catalog.ModelReady(name, string(t.version))
	if !ready {
		if _, refusal := h.options.Catalog.Model(name, string(t.version)); refusal != nil && refusal.Code == router.UnknownModel {
			return h.refuse(ctx, nil, refusal)
		}
	}
	return h.probed(ctx, ready, readyModel{name, ready})
}

func (h *Handler) modelConfig(ctx *fasthttp.RequestCtx, t target) router.Code {
	c, refusal := h.options.Catalog.Config(string(t.model), string(t.version))
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	return h.writeJSON(ctx, c)
}

func (h *Handler) statistics(ctx *fasthttp.RequestCtx, t target) router.Code {
	stats, refusal := h.options.Catalog.Statistics(string(t.model), string(t.version))
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	return h.writeJSON(ctx, struct {
		Models []oip.ModelStatistics `json:"model_stats"`
	}{append([]oip.ModelStatistics{}, stats...)})
}

// noSharedMemory answers what clients look at before they register a region: there
// is none.
func (h *Handler) noSharedMemory(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return h.writeJSON(ctx, []struct{}{})
}

var errSharedMemory = &router.Error{Code: router.BadRequest,
	Message: "shared memory is not supported: send tensors in the request, and take them from the answer"}

func (h *Handler) refuseSharedMemory(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return h.refuse(ctx, nil, errSharedMemory)
}

// unregisterSharedMemory has nothing to do, and clients do it before they begin.
func (h *Handler) unregisterSharedMemory(ctx *fasthttp.RequestCtx, _ target) router.Code {
	return h.writeJSON(ctx, struct{}{})
}
