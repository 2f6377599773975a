package httpapi

import (
	"encoding/json"
	"strings"

	"github.com/valyala/fasthttp"

	"hotpath/router"
)

// Readiness says whether the gateway should get traffic, and why not.
type Readiness struct {
	// Status is ready, starting or draining.
	Status string `json:"status"`
	// Dependencies by name: models, features, and one per model.
	Dependencies map[string]Dependency `json:"dependencies"`
}

// Dependency is the state of something the gateway needs.
type Dependency struct {
	// Status is ok, degraded (answers go on, with fallbacks) or failed.
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// Code is how a probe is answered, on either port.
func (r Readiness) Code() router.Code {
	switch r.Status {
	case StatusDraining:
		return router.Draining
	case StatusStarting:
		return router.NotReady
	}
	return router.OK
}

// The states of Readiness and Dependency.
const (
	StatusReady    = "ready"
	StatusStarting = "starting"
	StatusDraining = "draining"

	DependencyOK       = "ok"
	DependencyDegraded = "degraded"
	DependencyFailed   = "failed"
)

// health answers the probes of Kubernetes and the like. Liveness only says that
// the process can answer; what it depends on is readiness. KServe's client asks the
// root whether the server is alive.
func (h *Handler) health(ctx *fasthttp.RequestCtx) router.Code {
	if !ctx.IsGet() && !ctx.IsHead() {
		ctx.Response.Header.Set("Allow", "GET, HEAD")
		return h.refuse(ctx, nil, &router.Error{Code: router.MethodNotAllowed, Message: "send a GET request"})
	}
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	if p := string(ctx.Path()); p == "/" || p == "/livez" || strings.HasSuffix(p, "/liveness") {
		ctx.SetBodyString(`{"status":"alive"}`)
		return router.OK
	}
	r := h.options.Ready()
	code := r.Code()
	if code != router.OK {
		ctx.Response.Header.Set("Retry-After", "1")
	}
	ctx.SetStatusCode(code.Status())
	body, err := json.Marshal(r)
	if err != nil {
		return h.refuse(ctx, nil, &router.Error{Code: router.Internal, Message: "the readiness report could not be written"})
	}
	ctx.SetBody(body)
	return code
}
