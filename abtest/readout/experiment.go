package readout

import (
	"slices"
	"strings"

	"hotpath/abtest"
	"hotpath/abtest/stats"
)

// experiment is what is known about one experiment under one salt.
type experiment struct {
	id  uint16
	def *abtest.Experiment // of the current plan
	// arms are the variants that answer, in the order of their names. It stays while
	// the experiment is kept.
	arms   []arm
	shares [plansKept][]float64 // of the arms, by the place of the plan; nil: in none
	// weights are the present shares.
	weights []float64
	prefix  uint64 // of the digest of a unit
	// strangers are plans of events that the readout was not given. What is known of
	// them is by comparison with the present one.
	strangers []stranger
	// halvings is how often the sample was halved, entries what is kept in the sample:
	// units and sums of values.
	halvings uint8
	entries  int
	srm      *stats.SRM
	metrics  []metric
	guards   []guard
	trips    map[tripKey]int64

	since                                    int64 // of the first event that counts; 0: none yet
	exposures, dropped, moved                int64
	overridden, forced, paused               int64
	untested                                 int64 // units dealt by shares that are not known
	weightless                               int64 // by chance in a variant of weight 0
	counted, repeated, early, late, noMetric int64 // outcomes
	notSampled                               int64
	unknownOutcomes                          []namedCount
}

// namedCount counts an outcome that no metric has.
type namedCount struct {
	name string
	n    int64
}

// arm is a variant that answers. The first line is filled anew when units leave the
// sample.
type arm struct {
	units    int64
	outcomes [abtest.MaxMetrics]outcomes

	name string
	def  *abtest.Variant // of the current plan
	answers
	windows []*window
}

// outcomes are those of one metric, by its place, in one arm.
type outcomes struct {
	converted int64         // units with any
	sums      stats.Moments // of those units, for a value
}

// metric is one of the experiment's metrics and its place in a unit's outcomes.
type metric struct {
	abtest.Metric
	slot uint8
	// late: the metric was added when there were units; since is the time of the
	// first event after that, 0 before there is one.
	late  bool
	since int64
}

// newExperiment prepares for an experiment. id is its place in Readout.byID.
func newExperiment(e *abtest.Experiment, id int, prefix uint64) *experiment {
	x := &experiment{id: uint16(id), prefix: prefix, trips: map[tripKey]int64{}}
	for _, name := range armNames(e) {
		x.arms = append(x.arms, arm{name: name})
	}
	x.srm = stats.NewSRM(len(x.arms))
	return x
}

// armNames are the names of the variants that may answer, in order.
func armNames(e *abtest.Experiment) []string {
	var names []string
	for _, v := range e.Variants() {
		if !v.Shadow() {
			names = append(names, v.Name())
		}
	}
	slices.Sort(names)
	return names
}

// is says whether an experiment of a new plan deals the same units to the same
// variants.
func (x *experiment) is(e *abtest.Experiment) bool {
	return x.def.Salt() == e.Salt() && x.def.Unit() == e.Unit() &&
		slices.EqualFunc(x.arms, armNames(e), func(a arm, name string) bool { return a.name == name })
}

// adopt takes over what a new plan says about the experiment. It returns the places
// of metrics whose outcomes are to be forgotten.
func (x *experiment) adopt(e *abtest.Experiment, plan int, now int64) (stale uint8) {
	before := x.def
	x.def = e
	shares, changes := make([]float64, len(x.arms)), make([]armChange, len(x.arms))
	for i := range x.arms {
		a := &x.arms[i]
		v := e.Variant(a.name)
		if before != nil {
			changes[i] = a.change(v, before.State(), e.State())
		}
		if changes[i].renewed || changes[i].resumed {
			a.windows = nil // it serves again, or something else does
		}
		a.def = v
		shares[i] = float64(v.Weight()) / abtest.Buckets
	}
	if !slices.Equal(shares, x.weights) {
		x.weights, x.strangers = shares, nil
	}
	x.shares[plan] = shares
	stale = x.adoptMetrics(e.Metrics())
	x.adoptGuards(e.Guardrails(), changes, now)
	return stale
}

// change is what a new plan does to the arm, and the experiment's states before and
// after.
func (a *arm) change(v *abtest.Variant, before, after abtest.State) armChange {
	return armChange{
		renewed: !sameModel(a.def, v),
		other:   before != after || a.def.Weight() != v.Weight(),
		resumed: after == abtest.Running && v.Weight() > 0 && (before != abtest.Running || a.def.Weight() == 0),
	}
}

// sameModel says whether the same model is asked, as far as the plans say.
func sameModel(a, b *abtest.Variant) bool {
	return a.Model() == b.Model() && a.Version() == b.Version() && a.Label() == b.Label()
}

// adoptMetrics gives each new metric a place. One whose kind or window changes is
// new; names and kinds that stay keep what they have.
func (x *experiment) adoptMetrics(defs []abtest.Metric) (stale uint8) {
	next := make([]metric, len(defs))
	var taken uint8
	for i, d := range defs {
		next[i] = metric{Metric: d, slot: noSlot}
		for _, m := range x.metrics {
			if m.Name == d.Name && m.Value == d.Value && m.Within == d.Within {
				m.Metric = d
				next[i] = m
				taken |= 1 << m.slot
			}
		}
	}
	for _, m := range x.metrics {
		if taken&(1<<m.slot) == 0 {
			stale |= 1 << m.slot
			for i := range x.arms {
				x.arms[i].outcomes[m.slot] = outcomes{}
			}
		}
	}
	for i := range next {
		if next[i].slot != noSlot {
			continue
		}
		for slot := range uint8(abtest.MaxMetrics) {
			if taken&(1<<slot) == 0 {
				next[i].slot, next[i].late = slot, x.exposures > 0
				taken |= 1 << slot
				break
			}
		}
	}
	x.metrics = next
	return stale
}

// noSlot marks a metric that has no place yet.
const noSlot = 255

// arm is the place of a variant; -1 when the experiment has none of that name that
// answers.
func (x *experiment) arm(name string) int {
	for i := range x.arms {
		if x.arms[i].name == name {
			return i
		}
	}
	return -1
}

// metric finds the metric of an outcome.
func (x *experiment) metric(outcome []byte) *metric {
	for i := range x.metrics {
		if x.metrics[i].Name == string(outcome) {
			return &x.metrics[i]
		}
	}
	return nil
}

// begin notes the time of the first event, of the experiment and of its metrics.
func (x *experiment) begin(at int64) {
	if x.since == 0 {
		x.since = at
	}
	for i := range x.metrics {
		if m := &x.metrics[i]; m.late && m.since == 0 {
			m.since = at
		}
	}
}

// key is the digest of a unit of the experiment.
func (x *experiment) key(id []byte) uint64 { return digest(x.prefix, id) }

// sampled says whether units of this digest are kept.
func (x *experiment) sampled(key uint64) bool { return key&(1<<x.halvings-1) == 0 }

// prefix begins the digests of a kind of units.
func (r *Readout) prefix(unitName string) uint64 { return digestPrefix(unitName) ^ r.seed }

// unitKey is the digest of a unit that feedback names.
func (r *Readout) unitKey(name, id []byte) uint64 {
	if len(name) == 0 {
		return digest(r.prefix("user"), id)
	}
	return digest(r.prefix(string(name)), id)
}

// note counts an outcome that no metric of the experiment has. The first few names
// are kept.
func (x *experiment) note(outcome []byte) {
	x.noMetric++
	for i := range x.unknownOutcomes {
		if x.unknownOutcomes[i].name == string(outcome) {
			x.unknownOutcomes[i].n++
			return
		}
	}
	if len(x.unknownOutcomes) < maxOutcomeNames {
		x.unknownOutcomes = append(x.unknownOutcomes, namedCount{strings.Clone(string(outcome)), 1})
	}
}

// maxOutcomeNames of an experiment are noted.
const maxOutcomeNames = 8
