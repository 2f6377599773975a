package admin

import (
	"net/http"
	"net/url"
	"time"

	"hotpath/abtest"
)

// Assignment is the answer of /admin/experiments/assign: what a request would
// get that forces no variant.
type Assignment struct {
	Model      string `json:"model"`
	UserID     string `json:"user_id"`
	Digest     string `json:"digest"`
	Experiment string `json:"experiment,omitempty"`
	Variant    string `json:"variant,omitempty"`
	Reason     string `json:"reason"`
	// ServedModel and ServedVersion are those that would answer; version 0 when
	// the model is not loaded.
	ServedModel   string `json:"served_model"`
	ServedVersion int    `json:"served_version"`
	// Shadows that would score the request too.
	Shadows []string `json:"shadows,omitempty"`
	// Considered is what every experiment about the model says by itself, in the
	// order of the file. The first override decides, else the first sticky one, else
	// the first split or paused.
	Considered []Considered `json:"considered"`
}

// Considered is what one experiment says of a unit.
type Considered struct {
	Experiment string `json:"experiment"`
	Reason     string `json:"reason"`
	// Variant is empty when the experiment does not enrol the unit.
	Variant string `json:"variant,omitempty"`
	// Bucket is the unit's, of 10,000.
	Bucket int `json:"bucket"`
}

// attributePrefix begins the parameters that are context attributes.
const attributePrefix = "attr."

// maxUserBytes is the limit of the traffic port.
const maxUserBytes = 256

func (h *handler) assign(w http.ResponseWriter, _ *http.Request, q url.Values) error {
	e := h.o.Experiments()
	user, model := q.Get("user_id"), q.Get("model")
	if model == "" {
		model = e.DefaultModel
	}
	switch {
	case user == "" || len(user) > maxUserBytes:
		return badRequest("parameter user_id has %d bytes, want 1 to %d", len(user), maxUserBytes)
	case model == "":
		return badRequest("parameter model is missing, and there is no default model (models.default)")
	}
	plan := e.Plan.ModelExperiments(model)
	status, inRepository := h.o.Repository.List().Model(model)
	if plan == nil && !inRepository {
		return failf(http.StatusNotFound, "unknown_model", "there is no model named %.140q, and no experiment about one", model)
	}
	r := abtest.Request{User: []byte(user), Attributes: queryAttributes(q), Now: time.Now().Unix()}
	a := plan.Assign(&r)
	out := Assignment{Model: model, UserID: user, Digest: e.Plan.Digest().String(), Reason: a.Reason.String(),
		ServedModel: model, ServedVersion: status.Current, Considered: []Considered{}}
	if a.Variant != nil {
		out.Experiment, out.Variant = a.Experiment.Name(), a.Variant.Name()
		out.ServedModel, out.ServedVersion = a.Variant.Model(), h.version(a.Variant)
		for i, v := range a.Experiment.Shadows() {
			if a.ShadowHit(i) {
				out.Shadows = append(out.Shadows, v.Name())
			}
		}
	}
	for _, c := range plan.Explain(nil, &r) {
		one := Considered{Experiment: c.Experiment.Name(), Reason: c.Reason.String(), Bucket: int(c.Bucket)}
		if c.Variant != nil {
			one.Variant = c.Variant.Name()
		}
		out.Considered = append(out.Considered, one)
	}
	return writeJSON(w, http.StatusOK, out)
}

// version is a variant's, by number or label, or the current one of its model.
func (h *handler) version(v *abtest.Variant) int {
	if v.Version() != 0 {
		return v.Version()
	}
	m, _ := h.o.Repository.List().Model(v.Model())
	if v.Label() == "" {
		return m.Current
	}
	for _, l := range m.Labels {
		if l.Label == v.Label() {
			return l.Version
		}
	}
	return 0
}

// queryAttributes are the attr.NAME parameters. Targeting decides by type, so a
// value that reads as a JSON number, bool or string is one, and anything else is
// a string: attr.age=18 is a number, attr.zip="018" a string.
type queryAttributes url.Values

// Attribute implements abtest.Attributes.
func (q queryAttributes) Attribute(name string) (abtest.Value, bool) {
	text, ok := q[attributePrefix+name]
	if !ok {
		return abtest.Value{}, false
	}
	if v, ok := abtest.JSONValue([]byte(text[0])); ok {
		return v, true
	}
	return abtest.Value{Kind: abtest.String, Str: []byte(text[0])}, true
}
