package serving

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"hotpath/abtest"
	"hotpath/batcher"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/router"
)

// World composes snapshots of what is loaded and what is wanted.
type World struct {
	pipeline *router.Pipeline
	metrics  *router.Metrics
	options  WorldOptions

	mu struct {
		sync.Mutex
		started bool // the repository has been read once
		set     *repository.Set
		// active is the plan of the serving snapshot. wanted is the one asked for
		// last; it differs while it does not resolve, and is tried again with
		// every change of the models.
		active, wanted *abtest.Plan
		wantedErr      error
		generation     uint64 // of the serving snapshot
		shadows        map[string]*resilience.Guard
	}
}

// WorldOptions of a World.
type WorldOptions struct {
	// DefaultModel serves requests that name none.
	DefaultModel string
	// ShadowGuard are the options of each shadow's guard.
	ShadowGuard resilience.Options
	Log         *slog.Logger
}

// NewWorld makes a world without models or experiments; the pipeline answers
// not_ready until Start.
func NewWorld(p *router.Pipeline, m *router.Metrics, o WorldOptions) (*World, error) {
	w := &World{pipeline: p, metrics: m, options: o}
	empty, err := abtest.Compile(abtest.Config{})
	if err != nil {
		return nil, err
	}
	w.mu.active, w.mu.wanted = empty, empty
	w.mu.set = &repository.Set{}
	w.mu.shadows = map[string]*resilience.Guard{}
	return w, nil
}

// Start begins to serve, once the repository has loaded what it found. An
// experiment that names a version that is not there does not keep the gateway
// from starting: it serves without experiments, and says so.
func (w *World) Start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.started = true
	return w.rebuildLocked(w.mu.set)
}

// ModelsChanged is the repository's OnChange.
func (w *World) ModelsChanged(set *repository.Set) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mu.started {
		w.mu.set = set
		return nil
	}
	return w.rebuildLocked(set)
}

// SetPlan makes another set of experiments the one that serves. It is refused
// whole when a variant's model version is not loaded, but is remembered, and
// begins to serve when the version arrives.
func (w *World) SetPlan(plan *abtest.Plan) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.wanted = plan
	if !w.mu.started {
		return nil
	}
	snapshot, err := w.snapshotLocked(w.mu.set, plan)
	w.mu.wantedErr = err
	if err != nil {
		return err
	}
	w.swapLocked(snapshot, plan)
	return nil
}

// KeepPlan forgets a plan that was asked for and does not resolve: its file has
// been replaced by one that is broken. What serves goes on.
func (w *World) KeepPlan() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.wanted, w.mu.wantedErr = w.mu.active, nil
}

// rebuildLocked serves a new set of models, with the experiments that are wanted
// if they resolve, else with those that serve.
func (w *World) rebuildLocked(set *repository.Set) error {
	if w.mu.wanted != w.mu.active {
		snapshot, err := w.snapshotLocked(set, w.mu.wanted)
		if err == nil {
			w.mu.set, w.mu.wantedErr = set, nil
			w.swapLocked(snapshot, w.mu.wanted)
			w.options.Log.Info("experiments serve now that their models are loaded", "digest", w.mu.wanted.Digest().String())
			return nil
		}
		w.mu.wantedErr = err
	}
	snapshot, err := w.snapshotLocked(set, w.mu.active)
	if err != nil {
		return fmt.Errorf("an experiment needs it: %w", err)
	}
	w.mu.set = set
	w.swapLocked(snapshot, w.mu.active)
	return nil
}

func (w *World) snapshotLocked(set *repository.Set, plan *abtest.Plan) (*router.Snapshot, error) {
	o := router.SnapshotOptions{Generation: w.mu.generation + 1, Plan: plan, Default: w.options.DefaultModel,
		Metrics: w.metrics, ShadowGuard: w.shadowGuardLocked}
	for name, m := range set.Models {
		lanes := router.ModelLanes{Name: name, Labels: m.Labels}
		for _, v := range m.Versions {
			lane := v.Served.(*served).lane
			lanes.Versions = append(lanes.Versions, lane)
			if v.Version == m.Current {
				lanes.Current = lane
			}
		}
		o.Models = append(o.Models, lanes)
	}
	return router.NewSnapshot(o)
}

func (w *World) swapLocked(s *router.Snapshot, plan *abtest.Plan) {
	w.mu.active, w.mu.generation = plan, s.Generation()
	w.pipeline.Swap(s)
	w.dropShadowsLocked()
}

// dropShadowsLocked lets go of the guards of shadows that no plan names any more:
// names come and go with every reload.
func (w *World) dropShadowsLocked() {
	named := map[string]bool{}
	for _, plan := range []*abtest.Plan{w.mu.active, w.mu.wanted} {
		for _, e := range plan.Experiments() {
			for _, v := range e.Shadows() {
				named[shadowName(e.Name(), v.Name())] = true
			}
		}
	}
	maps.DeleteFunc(w.mu.shadows, func(name string, _ *resilience.Guard) bool { return !named[name] })
}

func shadowName(experiment, variant string) string { return "shadow:" + experiment + "/" + variant }

// shadowGuardLocked keeps one guard per shadow from snapshot to snapshot.
func (w *World) shadowGuardLocked(experiment, variant string) (*resilience.Guard, error) {
	name := shadowName(experiment, variant)
	if g := w.mu.shadows[name]; g != nil {
		return g, nil
	}
	g, err := resilience.New(name, w.options.ShadowGuard)
	if err == nil {
		w.mu.shadows[name] = g
	}
	return g, err
}

// Pinned names the versions of a model that the experiments need.
func (w *World) Pinned(model string) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var versions []int
	for _, plan := range []*abtest.Plan{w.mu.active, w.mu.wanted} {
		for _, e := range plan.Experiments() {
			for _, v := range e.Variants() {
				if n := w.versionLocked(v); v.Model() == model && n > 0 && e.Enabled() && !slices.Contains(versions, n) {
					versions = append(versions, n)
				}
			}
		}
	}
	return versions
}

// versionLocked is the version that a variant names by number or label; 0 when
// it takes the current one, and when the label names none now: it is the
// repository's to load what a label shall name.
func (w *World) versionLocked(v *abtest.Variant) int {
	if m := w.mu.set.Models[v.Model()]; v.Label() != "" && m != nil {
		return m.Labels[v.Label()]
	}
	return v.Version()
}

// Ref names a model version.
type Ref struct {
	Model   string
	Version int
}

// Missing lists the versions that a plan names and that are not loaded.
func (w *World) Missing(plan *abtest.Plan) []Ref {
	w.mu.Lock()
	defer w.mu.Unlock()
	var missing []Ref
	for _, e := range plan.Experiments() {
		for _, v := range e.Variants() {
			ref := Ref{v.Model(), w.versionLocked(v)}
			if e.Enabled() && ref.Version > 0 && w.mu.set.Models[ref.Model].Version(ref.Version) == nil && !slices.Contains(missing, ref) {
				missing = append(missing, ref)
			}
		}
	}
	return missing
}

// State is the world's condition, for readiness and the admin page.
type State struct {
	Started    bool
	Generation uint64
	Models     int
	Plan       *abtest.Plan
	// PlanErr is why the experiments asked for last do not serve.
	PlanErr error
}

// State reads the world's condition.
func (w *World) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return State{w.mu.started, w.mu.generation, len(w.mu.set.Models), w.mu.active, w.mu.wantedErr}
}

// Guards lists the guards of the loaded versions and the shadows.
func (w *World) Guards() []*resilience.Guard {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*resilience.Guard
	for _, m := range w.mu.set.Models {
		for _, v := range m.Versions {
			all = append(all, v.Served.(*served).guard)
		}
	}
	for _, g := range w.mu.shadows {
		all = append(all, g)
	}
	return all
}

// MemoryBytes implements repository.Sized.
func (s *served) MemoryBytes() int64 { return s.info.MemoryBytes }

// Queues lists the batchers of the loaded versions by model and version. each is
// called without the world's lock, since it may wait for somebody who needs it.
func (w *World) Queues(each func(model string, version int, s batcher.Stats, i Info)) {
	type queue struct {
		model   string
		version int
		served  *served
	}
	var all []queue
	w.mu.Lock()
	for name, m := range w.mu.set.Models {
		for _, v := range m.Versions {
			all = append(all, queue{name, v.Version, v.Served.(*served)})
		}
	}
	w.mu.Unlock()
	for _, q := range all {
		each(q.model, q.version, q.served.batcher.Stats(), q.served.info)
	}
}
