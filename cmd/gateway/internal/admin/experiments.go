package admin

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
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
	// ETag names the content of the file as it lies on the disk, which need not serve;
	// empty: it cannot be read, or there is none.
	ETag string `json:"etag,omitempty"`
	// Revision is the one of that content; 0: it never served.
	Revision int `json:"revision"`
	// Writable says that edits can be saved; ReadOnly why they cannot.
	Writable bool   `json:"writable"`
	ReadOnly string `json:"read_only,omitempty"`
	// HistoryStored says that the history and the holds outlast the process.
	HistoryStored bool `json:"history_stored"`
	// Holds keep experiments and variants from serving, on top of the file.
	Holds []experiments.Held `json:"holds"`
	List  []Experiment       `json:"list"`
}

// Experiment is one compiled experiment.
type Experiment struct {
	Name  string `json:"name"`
	Model string `json:"model"`
	// State is draft, running, paused, stopped or archived.
	State string `json:"state"`
	Salt  string `json:"salt"`
	// Unit is what is assigned, such as user.
	Unit  string `json:"unit"`
	Layer string `json:"layer,omitempty"`
	// Range is [from, to) of the layer's 10,000 buckets.
	Range [2]int `json:"range"`
	// Start and End are when it assigns; absent: open.
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
	// Ramp is the share of the targeted units in it at the moment, in percent.
	Ramp     float64   `json:"ramp"`
	Sticky   bool      `json:"sticky,omitempty"`
	Targeted bool      `json:"targeted"`
	Fallback string    `json:"fallback,omitempty"`
	Variants []Variant `json:"variants"`
}

// Variant is one arm of an experiment.
type Variant struct {
	Name  string `json:"name"`
	Model string `json:"model"`
	// Version 0 is that of Label, or without one the model's current one.
	Version int    `json:"version"`
	Label   string `json:"label,omitempty"`
	// Weight and Sample are percent; Sample is a shadow's.
	Weight float64 `json:"weight"`
	Canary bool    `json:"canary,omitempty"`
	Shadow bool    `json:"shadow,omitempty"`
	Sample float64 `json:"sample,omitempty"`
	// Payload is handed out with the variant.
	Payload json.RawMessage `json:"payload,omitempty"`
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
	out := ExperimentList{ExperimentsStatus: e.status(), Holds: []experiments.Held{}, List: []Experiment{}}
	for _, x := range e.Plan.Experiments() {
		out.List = append(out.List, describe(x, time.Now().Unix()))
	}
	return out
}

// describe shows a compiled experiment at a moment.
func describe(x *abtest.Experiment, now int64) Experiment {
	low, high := x.Range()
	out := Experiment{Name: x.Name(), Model: x.Model(), State: x.State().String(), Salt: x.Salt(), Unit: x.Unit(), Layer: x.Layer(),
		Range: [2]int{low, high}, Ramp: float64(x.RampShare(now)) / 100, Sticky: x.Sticky(), Targeted: x.Targeted()}
	start, end, hasStart, hasEnd := x.Schedule()
	if hasStart {
		out.Start = new(time.Unix(start, 0).UTC())
	}
	if hasEnd {
		out.End = new(time.Unix(end, 0).UTC())
	}
	if f := x.Fallback(); f != nil {
		out.Fallback = f.Name()
	}
	for _, v := range x.Variants() {
		out.Variants = append(out.Variants, Variant{Name: v.Name(), Model: v.Model(), Version: v.Version(), Label: v.Label(),
			Weight: float64(v.Weight()) / 100, Canary: v.Canary(), Shadow: v.Shadow(), Sample: float64(v.Sample()) / 100, Payload: v.Payload()})
	}
	return out
}

// experiments lists what serves, or gives the file.
func (h *handler) experiments(w http.ResponseWriter, r *http.Request, q url.Values) error {
	yaml := false
	switch format := q.Get("format"); {
	case format == "yaml":
		yaml = true
	case format == "json":
	case q.Has("format"):
		return badRequest("parameter format is %.40q, want yaml or json", format)
	default:
		yaml = prefersYAML(r.Header.Get("Accept"))
	}
	if !yaml {
		return h.listExperiments(w)
	}
	d, err := h.o.Editor.Document()
	if err != nil {
		return err
	}
	w.Header().Set("ETag", strongETag(d.ETag))
	writeBody(w, http.StatusOK, kindYAML, d.Text)
	return nil
}

// prefersYAML says that YAML stands first in an Accept header.
func prefersYAML(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	kind, _, err := mime.ParseMediaType(first)
	return err == nil && kind == kindYAML
}

// listExperiments answers with what serves, what is held, and the file's ETag.
func (h *handler) listExperiments(w http.ResponseWriter) error {
	out := h.o.Experiments().list()
	out.Holds = append(out.Holds, h.o.Editor.Holds()...)
	// Without a file, or with one that cannot be read, there is nothing to edit.
	if d, err := h.o.Editor.Document(); err == nil {
		out.ETag, out.Revision, out.HistoryStored, out.Writable = d.ETag, d.Revision, d.Stored, d.ReadOnly == nil
		if d.ReadOnly != nil {
			out.ReadOnly = d.ReadOnly.Error()
		}
		w.Header().Set("ETag", strongETag(d.ETag))
	}
	return writeJSON(w, http.StatusOK, out)
}

// reload reads the experiments again and answers with what serves then.
func (h *handler) reload(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if err := h.o.Reload(r.Context()); err != nil {
		return &failure{status: http.StatusUnprocessableEntity, code: codeBadExperiments, err: err, problems: problemsOf(err)}
	}
	return h.listExperiments(w)
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
