package httpapi

import (
	"bytes"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/models"
	"hotpath/router"
	"hotpath/router/oip"
)

// v1Endpoints are TensorFlow Serving's and KServe's, but for those of predict.
var v1Endpoints = []endpoint{
	{"GET", "/v1/models", (*Handler).listV1},
	{"GET", "/v1/models/{model}", (*Handler).statusV1},
	{"GET", "/v1/models/{model}/versions/{version}", (*Handler).statusV1},
	{"GET", "/v1/models/{model}/labels/{label}", (*Handler).statusV1},
	{"GET", "/v1/models/{model}/metadata", (*Handler).metadataV1},
	{"GET", "/v1/models/{model}/versions/{version}/metadata", (*Handler).metadataV1},
	{"GET", "/v1/models/{model}/labels/{label}/metadata", (*Handler).metadataV1},
}

// v1 answers the paths under /v1/models.
func (h *Handler) v1(ctx *fasthttp.RequestCtx, start, arrived time.Time) router.Code {
	path := bytes.TrimSuffix(ctx.Path(), slash)
	t, ok := predictTarget(path)
	if !ok && bytes.IndexByte(path, ':') >= 0 {
		return h.refuse(ctx, nil, &router.Error{Code: router.NotFound, Message: "no such path; of TensorFlow Serving's methods only :predict is served"})
	}
	if !ok {
		return h.answerEndpoint(ctx, v1Endpoints)
	}
	if !ctx.IsPost() {
		return h.otherMethod(ctx, "POST")
	}
	return h.run(ctx, &call{model: t.model, version: t.version, v1: true, header: -1}, start, arrived)
}

// predictTarget takes a path of predict apart: /v1/models/{model}:predict, with
// /versions/{version} or /labels/{label} before the colon.
func predictTarget(path []byte) (t target, ok bool) {
	if path, ok = bytes.CutPrefix(path, []byte("/v1/models/")); !ok {
		return t, false
	}
	if path, ok = bytes.CutSuffix(path, []byte(":predict")); !ok {
		return t, false
	}
	if model, label, ok := bytes.Cut(path, []byte("/labels/")); ok {
		return target{model: model, version: label}, len(model) > 0 && len(label) > 0 && bytes.IndexByte(model, '/') < 0 && bytes.IndexByte(label, '/') < 0
	}
	return modelTarget(path)
}

// decodeV1 reads a request whose types are the model's.
func (h *Handler) decodeV1(q *inferRequest, c *call) *router.Error {
	m, refusal := h.options.Catalog.Model(string(c.model), string(c.version))
	if refusal != nil {
		return refusal
	}
	inputs := make([]models.Port, len(m.Inputs))
	for i := range m.Inputs {
		dtype, err := models.ParseDType(m.Inputs[i].Datatype)
		if err != nil {
			return &router.Error{Code: router.Internal, Message: err.Error()}
		}
		inputs[i] = models.Port{Name: m.Inputs[i].Name, DType: dtype}
	}
	return decodeError(q.DecodeV1(inputs))
}

// listV1 is KServe's list of the models that serve.
func (h *Handler) listV1(ctx *fasthttp.RequestCtx, _ target) router.Code {
	names := []string{}
	for _, e := range h.options.Catalog.Index(true) {
		if len(names) == 0 || names[len(names)-1] != e.Name {
			names = append(names, e.Name)
		}
	}
	return h.writeJSON(ctx, struct {
		Models []string `json:"models"`
	}{names})
}

// versionStatus is TensorFlow Serving's state of one version.
type versionStatus struct {
	Version string `json:"version"`
	State   string `json:"state"`
	Status  struct {
		Code    string `json:"error_code"`
		Message string `json:"error_message"`
	} `json:"status"`
}

// modelStatus is TensorFlow Serving's status of a model, with what KServe reads.
type modelStatus struct {
	Name     string          `json:"name"`
	Ready    bool            `json:"ready"`
	Versions []versionStatus `json:"model_version_status"`
}

func (h *Handler) statusV1(ctx *fasthttp.RequestCtx, t target) router.Code {
	name, version := string(t.model), string(t.version)
	s := modelStatus{Name: name, Ready: h.options.Catalog.ModelReady(name, version)}
	number := version
	if s.Ready && version != "" { // it may be a label
		var refusal *router.Error
		if number, refusal = h.versionNumber(name, version); refusal != nil {
			return h.refuse(ctx, nil, refusal)
		}
	}
	for _, e := range h.options.Catalog.Index(false) {
		if e.Name == name && (number == "" || e.Version == number) {
			s.Versions = append(s.Versions, statusOf(e))
		}
	}
	if len(s.Versions) == 0 {
		message := fmt.Sprintf("no model named %.80q is in the repository", name)
		if version != "" {
			message = fmt.Sprintf("model %.80q has no version or label %.80q in the repository", name, version)
		}
		return h.refuse(ctx, nil, &router.Error{Code: router.UnknownModel, Field: "model", Message: message})
	}
	return h.writeJSON(ctx, s)
}

// versionNumber is the version that a label stands for; a number stands for itself.
func (h *Handler) versionNumber(model, version string) (string, *router.Error) {
	stats, refusal := h.options.Catalog.Statistics(model, version)
	if refusal != nil {
		return "", refusal
	}
	if len(stats) != 1 {
		return "", &router.Error{Code: router.UnknownModel, Field: "version", Message: "there is no such version"}
	}
	return stats[0].Version, nil
}

// statusOf puts a version's state into TensorFlow Serving's words.
func statusOf(e oip.IndexEntry) (s versionStatus) {
	s.Version, s.State, s.Status.Code = e.Version, "END", "OK"
	switch e.State {
	case oip.StateReady:
		s.State = "AVAILABLE"
	case oip.StateLoading:
		s.State = "LOADING"
	default:
		s.Status.Code, s.Status.Message = "FAILED_PRECONDITION", e.Reason
	}
	return s
}
