package router

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"hotpath/abtest"
	"hotpath/resilience"
)

// Snapshot is one consistent world: every model version that serves and the
// plan of the experiments, resolved against each other. It is immutable.
type Snapshot struct {
	generation uint64
	plan       *abtest.Plan
	models     map[string]*Model
	// byDefault serves requests that name no model; nil when there is no default.
	byDefault *Model
	// arms[experiment][variant] is the lane of each variant, by their indexes.
	arms  [][]*arm
	lanes []*Lane // each once: what the snapshot holds
	// entities are the names that some lane reads features of, or that experiments
	// assign.
	entities map[string]bool
	holds    atomic.Int64
	drained  chan struct{}
}

// Model is one model of a snapshot.
type Model struct {
	name     string
	current  *Lane
	versions []*Lane
	// labels name versions; one that is not loaded resolves to nothing.
	labels map[string]int
	plan   *abtest.ModelPlan
}

// arm is a variant resolved to its lane and its counters.
type arm struct {
	lane    *Lane
	metrics *ArmMetrics
	// guard of a shadow, so that its failures and its load are its own even
	// where another experiment serves the same version; nil for other variants.
	guard *resilience.Guard
}

// ModelLanes are the versions of one model that are loaded, for NewSnapshot.
type ModelLanes struct {
	Name string
	// Current is the one of Versions that serves by default.
	Current  *Lane
	Versions []*Lane
	// Labels name versions, such as stable or canary.
	Labels map[string]int
}

// SnapshotOptions say what a snapshot is made of.
type SnapshotOptions struct {
	Generation uint64
	Plan       *abtest.Plan
	Models     []ModelLanes
	// Default is the model for requests that name none. Empty: the only model,
	// if there is exactly one.
	Default string
	Metrics *Metrics
	// ShadowGuard gives the guard of a shadow variant, the same one each time.
	ShadowGuard func(experiment, variant string) (*resilience.Guard, error)
}

// NewSnapshot resolves the plan against the models and takes a hold on every
// lane. It reports every variant whose model or version is not loaded, with the
// path in the experiments file, and holds nothing then.
func NewSnapshot(o SnapshotOptions) (*Snapshot, error) {
	s := &Snapshot{generation: o.Generation, plan: o.Plan, models: map[string]*Model{}, drained: make(chan struct{})}
	for _, m := range o.Models {
		if !slices.Contains(m.Versions, m.Current) {
			return nil, fmt.Errorf("model %q has no current version among the %d loaded", m.Name, len(m.Versions))
		}
		s.models[m.Name] = &Model{name: m.Name, current: m.Current, versions: m.Versions, labels: m.Labels, plan: o.Plan.ModelExperiments(m.Name)}
		s.lanes = append(s.lanes, m.Versions...)
	}
	if err := s.resolveArms(o); err != nil {
		return nil, err
	}
	switch {
	case o.Default != "":
		// May be nil while the model is not loaded: requests that need it get 404.
		s.byDefault = s.models[o.Default]
	case len(o.Models) == 1:
		s.byDefault = s.models[o.Models[0].Name]
	}
	s.holds.Store(1)
	s.entities = map[string]bool{}
	for _, name := range o.Plan.Units() {
		s.entities[name] = true
	}
	for _, l := range s.lanes {
		l.Hold()
		if l.View == nil {
			continue
		}
		for _, name := range l.View.Entities() {
			s.entities[name] = true
		}
	}
	return s, nil
}

// resolveArms makes nothing before it is known that all resolve: a refused plan
// must leave no series and no guards behind. A disabled experiment has no arms.
func (s *Snapshot) resolveArms(o SnapshotOptions) error {
	var missing abtest.Problems
	for i, e := range s.plan.Experiments() {
		for j, v := range e.Variants() {
			if e.Enabled() && s.laneOf(v) == nil {
				key := "version"
				if v.Label() != "" {
					key = "label"
				}
				missing = append(missing, abtest.Problem{
					Path:    fmt.Sprintf("experiments[%d].variants[%d].%s", i, j, key),
					Message: fmt.Sprintf("variant %q of experiment %q: %s", v.Name(), e.Name(), s.describeMissing(v))})
			}
		}
	}
	if len(missing) > 0 {
		return missing
	}
	for _, e := range s.plan.Experiments() {
		arms := make([]*arm, len(e.Variants()))
		for j, v := range e.Variants() {
			if !e.Enabled() {
				continue
			}
			arms[j] = &arm{lane: s.laneOf(v), metrics: o.Metrics.arm(armKey{e.Name(), v.Name(), v.Shadow()})}
			if !v.Shadow() {
				continue
			}
			var err error
			if arms[j].guard, err = o.ShadowGuard(e.Name(), v.Name()); err != nil {
				return err
			}
		}
		s.arms = append(s.arms, arms)
	}
	return nil
}

// laneOf finds the version that a variant names by number or label, or the
// current one where it names none; nil when it is not loaded.
func (s *Snapshot) laneOf(v *abtest.Variant) *Lane {
	m, version := s.models[v.Model()], v.Version()
	switch {
	case m == nil:
		return nil
	case v.Label() != "":
		version = m.labels[v.Label()]
	case version == 0:
		return m.current
	}
	for _, l := range m.versions {
		if l.Version == version {
			return l
		}
	}
	return nil
}

func (s *Snapshot) describeMissing(v *abtest.Variant) string {
	m := s.models[v.Model()]
	if m == nil {
		return fmt.Sprintf("model %q is not loaded", v.Model())
	}
	if v.Label() != "" {
		return fmt.Sprintf("no loaded version of model %q has the label %s; set it in its config.yaml, or by `gateway models label %s %s VERSION`",
			v.Model(), v.Label(), v.Model(), v.Label())
	}
	var have []string
	for _, l := range m.versions {
		have = append(have, fmt.Sprint(l.Version))
	}
	return fmt.Sprintf("model %q has no version %d loaded (it has %s)", v.Model(), v.Version(), strings.Join(have, ", "))
}

// model finds the model that a request asks for.
func (s *Snapshot) model(name []byte) *Model {
	if len(name) == 0 {
		return s.byDefault
	}
	return s.models[string(name)]
}

// Generation counts the snapshots of this process.
func (s *Snapshot) Generation() uint64 { return s.generation }

// Plan is the snapshot's experiments.
func (s *Snapshot) Plan() *abtest.Plan { return s.plan }

// Drained is closed when the last request has left a snapshot that was swapped out.
func (s *Snapshot) Drained() <-chan struct{} { return s.drained }

// tryHold takes a hold unless the last one is gone already.
func (s *Snapshot) tryHold() bool { return tryHold(&s.holds) }

// tryHold adds one to a count of holds that has not come down to zero.
func tryHold(holds *atomic.Int64) bool {
	for {
		n := holds.Load()
		if n == 0 {
			return false
		}
		if holds.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *Snapshot) release() {
	if s.holds.Add(-1) > 0 {
		return
	}
	close(s.drained)
	for _, l := range s.lanes {
		l.Release()
	}
}
