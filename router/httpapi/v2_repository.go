package httpapi

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/oip"
)

// readBody reads a body of the repository's requests, which may be left out.
// Members that are not known are refused.
func (h *Handler) readBody(ctx *fasthttp.RequestCtx, v any) *router.Error {
	body := ctx.PostBody()
	if len(body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return &router.Error{Code: router.BadJSON, Message: "the body is not what this request takes: " + err.Error()}
	}
	if d.More() {
		return &router.Error{Code: router.BadJSON, Message: "expected nothing after the JSON object"}
	}
	return nil
}

func (h *Handler) repositoryIndex(ctx *fasthttp.RequestCtx, _ target) router.Code {
	var body struct {
		Ready bool `json:"ready"`
	}
	if refusal := h.readBody(ctx, &body); refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	return h.writeJSON(ctx, append([]oip.IndexEntry{}, h.options.Catalog.Index(body.Ready)...))
}

var errRepositoryOff = &router.Error{Code: router.Forbidden,
	Message: "models cannot be loaded and unloaded by clients: switch server.repository_api on where every client may do so, or use the admin port"}

func (h *Handler) repositoryLoad(ctx *fasthttp.RequestCtx, t target) router.Code {
	return h.changeRepository(ctx, func(until context.Context, p oip.Parameters) *router.Error {
		return h.options.Catalog.Load(until, string(t.model), p)
	})
}

func (h *Handler) repositoryUnload(ctx *fasthttp.RequestCtx, t target) router.Code {
	return h.changeRepository(ctx, func(until context.Context, _ oip.Parameters) *router.Error {
		return h.options.Catalog.Unload(until, string(t.model))
	})
}

// changeRepository does what a client asks of the repository, and waits for it.
func (h *Handler) changeRepository(ctx *fasthttp.RequestCtx, change func(context.Context, oip.Parameters) *router.Error) router.Code {
	if !h.options.RepositoryAPI {
		return h.refuse(ctx, nil, errRepositoryOff)
	}
	var body struct {
		Parameters map[string]any `json:"parameters"`
	}
	refusal := h.readBody(ctx, &body)
	if refusal == nil {
		if refusal = plainParameters(body.Parameters); refusal == nil {
			until, cancel := context.WithTimeout(context.Background(), h.options.RepositoryTimeout)
			defer cancel()
			refusal = change(until, body.Parameters)
		}
	}
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	return h.writeJSON(ctx, struct{}{})
}

// plainParameters turns numbers into int64s, and refuses what is no parameter.
func plainParameters(p oip.Parameters) *router.Error {
	for name, v := range p {
		switch v := v.(type) {
		case string, bool:
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return &router.Error{Code: router.BadRequest, Field: "parameters." + name, Message: "must be a string, a bool or an integer, got " + v.String()}
			}
			p[name] = n
		default:
			return &router.Error{Code: router.BadRequest, Field: "parameters." + name, Message: "must be a string, a bool or an integer"}
		}
	}
	return nil
}
