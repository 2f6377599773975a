package admin

import (
	"bytes"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"hotpath/batcher"
	"hotpath/features"
	"hotpath/resilience"
	"hotpath/router/httpapi"
)

// Status is the answer of /admin/status: the gateway on one page. Fields marked
// (handler) are filled in by the handler; Options.Status gives the others.
type Status struct {
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	// UptimeSeconds since StartedAt (handler).
	UptimeSeconds float64 `json:"uptime_seconds"`
	// Go is the version of the toolchain (handler).
	Go          string        `json:"go"`
	ONNXRuntime RuntimeStatus `json:"onnxruntime"`
	// Readiness is that of the probes (handler).
	Readiness httpapi.Readiness `json:"readiness"`
	// Generation counts the snapshots of this process.
	Generation uint64             `json:"snapshot_generation"`
	Models     []ModelStatus      `json:"models"`
	Guards     []resilience.State `json:"guards"` // (handler)
	Features   FeatureStatus      `json:"features"`
	// Experiments is a summary; /admin/experiments has them all (handler).
	Experiments ExperimentsStatus `json:"experiments"`
	InFlight    int64             `json:"in_flight"`
	Goroutines  int               `json:"goroutines"` // (handler)
	Draining    bool              `json:"draining"`
}

// RuntimeStatus is about ONNX Runtime.
type RuntimeStatus struct {
	Version string `json:"version"`
	Library string `json:"library"`
}

// ModelStatus is one loaded version and how busy it is.
type ModelStatus struct {
	Model    string `json:"model"`
	Version  int    `json:"version"`
	Current  bool   `json:"current"`
	Provider string `json:"execution_provider"`
	batcher.Stats
}

// FeatureStatus is about the feature store.
type FeatureStatus struct {
	// Embedded is a store inside the process, for demonstrations.
	Embedded  bool      `json:"embedded"`
	Mode      string    `json:"mode"`
	Addresses []string  `json:"addresses"`
	Connected bool      `json:"connected"`
	Kind      string    `json:"kind,omitempty"`
	Error     string    `json:"error,omitempty"`
	Since     time.Time `json:"since"`
	// Queued fetches wait for a worker.
	Queued int `json:"queued"`
}

// Of fills in what the store says of itself.
func (f FeatureStatus) Of(s *features.Store) FeatureStatus {
	state := s.State()
	f.Connected, f.Kind, f.Since, f.Queued = state.Connected, state.Kind, state.Since, s.Queued()
	if state.Err != nil {
		f.Error = state.Err.Error()
	}
	return f
}

// ExperimentsStatus summarizes the experiments.
type ExperimentsStatus struct {
	File        string     `json:"file,omitempty"`
	Digest      string     `json:"digest"`
	Experiments int        `json:"experiments"`
	Enabled     int        `json:"enabled"`
	ReloadedAt  *time.Time `json:"reloaded_at,omitempty"`
	// ReloadError is why what was asked for last does not serve.
	ReloadError string `json:"reload_error,omitempty"`
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	s := h.o.Status()
	s.UptimeSeconds = time.Since(s.StartedAt).Seconds()
	s.Go = runtime.Version()
	s.Readiness = h.o.Readiness()
	s.Guards = h.sortedGuards()
	s.Experiments = h.o.Experiments().status()
	s.Goroutines = runtime.NumGoroutine()
	s.Models = slices.Clone(s.Models)
	if s.Models == nil {
		s.Models = []ModelStatus{}
	}
	slices.SortFunc(s.Models, func(a, b ModelStatus) int {
		if c := strings.Compare(a.Model, b.Model); c != 0 {
			return c
		}
		return a.Version - b.Version
	})
	return writeJSON(w, http.StatusOK, s)
}

// sortedGuards lists the guards by name; the composition keeps them in maps.
func (h *handler) sortedGuards() []resilience.State {
	all := slices.Clone(h.o.Guards())
	if all == nil {
		all = []resilience.State{}
	}
	slices.SortFunc(all, func(a, b resilience.State) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (h *handler) config(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	var b bytes.Buffer
	if err := h.o.Config(&b); err != nil {
		return err
	}
	writeBody(w, http.StatusOK, "application/yaml", b.Bytes())
	return nil
}
