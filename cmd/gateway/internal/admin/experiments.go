package admin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"hotpath/abtest"
)

// Experiments is what serves, and how the latest reload went.
type Experiments struct {
	// Plan serves now; never nil.
	Plan *abtest.Plan
	// File is the experiments file; empty: there is none.
	File string
	// ReloadedAt is when the file was read last; zero: never.
	ReloadedAt time.Time
	// ReloadErr is why what was read last does not serve; nil when it does.
	ReloadErr error
	// DefaultModel decides for requests that name none; empty: there is none.
	DefaultModel string
}

// ExperimentList is the answer of /admin/experiments.
type ExperimentList struct {
	ExperimentsStatus
	List []Experiment `json:"list"`
}

// Experiment is one compiled experiment.
type Experiment struct {
	Name    string `json:"name"`
	Model   string `json:"model"`
	Enabled bool   `json:"enabled"`
	Salt    string `json:"salt"`
	Layer   string `json:"layer,omitempty"`
	// Range is [from, to) of the layer's 10,000 buckets.
	Range    [2]int    `json:"range"`
	Targeted bool      `json:"targeted"`
	Fallback string    `json:"fallback,omitempty"`
	Variants []Variant `json:"variants"`
}

// Variant is one arm of an experiment.
type Variant struct {
	Name  string `json:"name"`
	Model string `json:"model"`
	// Version 0 is the model's current one.
	Version int `json:"version"`
	// Weight and Sample are percent; Sample is a shadow's.
	Weight float64 `json:"weight"`
	Shadow bool    `json:"shadow,omitempty"`
	Sample float64 `json:"sample,omitempty"`
}

func (e Experiments) status() ExperimentsStatus {
	s := ExperimentsStatus{File: e.File, Digest: e.Plan.Digest().String()}
	for _, x := range e.Plan.Experiments() {
		s.Experiments++
		if x.Enabled() {
			s.Enabled++
		}
	}
	if !e.ReloadedAt.IsZero() {
		s.ReloadedAt = &e.ReloadedAt
	}
	if e.ReloadErr != nil {
		s.ReloadError = e.ReloadErr.Error()
	}
	return s
}

func (e Experiments) list() ExperimentList {
	out := ExperimentList{ExperimentsStatus: e.status(), List: []Experiment{}}
	for _, x := range e.Plan.Experiments() {
		low, high := x.Range()
		one := Experiment{Name: x.Name(), Model: x.Model(), Enabled: x.Enabled(), Salt: x.Salt(), Layer: x.Layer(),
			Range: [2]int{low, high}, Targeted: x.Targeted()}
		if f := x.Fallback(); f != nil {
			one.Fallback = f.Name()
		}
		for _, v := range x.Variants() {
			one.Variants = append(one.Variants, Variant{Name: v.Name(), Model: v.Model(), Version: v.Version(),
				Weight: float64(v.Weight()) / 100, Shadow: v.Shadow(), Sample: float64(v.Sample()) / 100})
		}
		out.List = append(out.List, one)
	}
	return out
}

func (h *handler) experiments(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	return writeJSON(w, http.StatusOK, h.o.Experiments().list())
}

// reload reads the experiments again and answers with what serves then.
func (h *handler) reload(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if err := h.o.Reload(r.Context()); err != nil {
		return &failure{status: http.StatusUnprocessableEntity, code: codeBadExperiments, err: err, problems: problemsOf(err)}
	}
	return h.experiments(w, r, q)
}

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
	// order of the file. The first override decides, else the first split.
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
	attrs := queryAttributes(q)
	a := plan.Assign([]byte(user), attrs, nil)
	out := Assignment{Model: model, UserID: user, Digest: e.Plan.Digest().String(), Reason: a.Reason.String(),
		ServedModel: model, ServedVersion: status.Current, Considered: []Considered{}}
	if a.Variant != nil {
		out.Experiment, out.Variant = a.Experiment.Name(), a.Variant.Name()
		out.ServedModel, out.ServedVersion = a.Variant.Model(), h.version(a.Variant)
		for i, v := range a.Experiment.Shadows() {
			if a.Experiment.ShadowHit(i, []byte(user)) {
				out.Shadows = append(out.Shadows, v.Name())
			}
		}
	}
	for _, c := range plan.Explain(nil, []byte(user), attrs) {
		one := Considered{Experiment: c.Experiment.Name(), Reason: c.Reason.String(), Bucket: int(c.Bucket)}
		if c.Variant != nil {
			one.Variant = c.Variant.Name()
		}
		out.Considered = append(out.Considered, one)
	}
	return writeJSON(w, http.StatusOK, out)
}

// version is a variant's, or the current one of its model.
func (h *handler) version(v *abtest.Variant) int {
	if v.Version() != 0 {
		return v.Version()
	}
	m, _ := h.o.Repository.List().Model(v.Model())
	return m.Current
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
	var v any
	if json.Unmarshal([]byte(text[0]), &v) == nil {
		switch v := v.(type) {
		case string:
			return abtest.Value{Kind: abtest.String, Str: []byte(v)}, true
		case float64:
			return abtest.Value{Kind: abtest.Number, Num: v}, true
		case bool:
			return abtest.Value{Kind: abtest.Bool, Bool: v}, true
		}
	}
	return abtest.Value{Kind: abtest.String, Str: []byte(text[0])}, true
}
