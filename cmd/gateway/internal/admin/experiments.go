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
