package abtest

import "slices"

// Metric is an outcome that the readout compares.
type Metric struct {
	Name string
	// Value: the sum of a unit's values is compared, not the share of units.
	Value bool
	// Down: less is better.
	Down bool
	// Within is the longest time from a unit's first exposure to an outcome that
	// counts, in nanoseconds; 0: no limit.
	Within int64
}

// Action is what a guardrail does when it trips.
type Action uint8

// The actions.
const (
	// Rollback gives the variant's units to the control.
	Rollback Action = iota
	// Pause pauses the whole experiment.
	Pause
	// Alert changes nothing.
	Alert
)

var actionNames = [...]string{"rollback", "pause", "alert"}

// String is the name in the file.
func (a Action) String() string { return actionNames[a] }

// MarshalText writes the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Guardrail is a bound on a variant. Bounds are in the metric's unit, so those of
// conversions in percent; nil: none.
type Guardrail struct {
	Metric string
	// Feedback is the metric of feedback that it is about; nil: one of the answers.
	Feedback *Metric
	// Variants are watched, never the control.
	Variants                                     []*Variant
	Max, Min, MaxIncrease, MaxDecrease, MaxRatio *float64
	// Window is how far back answers are looked at, in nanoseconds; 0 for metrics of
	// feedback, of which everything is looked at.
	Window int64
	// MinRequests is the fewest answers, or units for metrics of feedback, of each
	// variant compared.
	MinRequests int
	Action      Action
	// Default: the file gives these canaries no guardrail.
	Default bool
}

// guardCanaries gives the canaries that no guardrail of the file watches those that
// keep a broken one from harm: what it may fail more often than the control, answer
// less than properly, or be slower. One that is held keeps them, so that the readout
// does not forget which has tripped.
func (e *Experiment) guardCanaries() {
	var bare []*Variant
	for _, v := range e.variants {
		if (v.canary || v.heldCanary) && v != e.control && !v.shadow && !e.watches(v) {
			bare = append(bare, v)
		}
	}
	if bare == nil {
		return
	}
	guard := func(metric string, increase, ratio float64) {
		g := Guardrail{Metric: metric, Variants: bare, Window: defaultWindow, MinRequests: canaryMinimum, Default: true}
		if increase > 0 {
			g.MaxIncrease = &increase
		} else {
			g.MaxRatio = &ratio
		}
		e.guardrails = append(e.guardrails, g)
	}
	guard("error_rate", 5, 0)
	guard("degraded_rate", 5, 0)
	guard("nonfinite_rate", 1, 0)
	guard("p99_ms", 0, 3)
}

// watches says whether a guardrail, the default ones included, watches a variant.
func (e *Experiment) watches(v *Variant) bool {
	return slices.ContainsFunc(e.guardrails, func(g Guardrail) bool { return slices.Contains(g.Variants, v) })
}

// canaryMinimum is MinRequests of the default guardrails.
const canaryMinimum = 200

// Control is the variant that the readout compares the others with.
func (e *Experiment) Control() *Variant { return e.control }

// Metrics are the outcomes that the readout compares, in file order. The slice is
// the plan's own: read it only.
func (e *Experiment) Metrics() []Metric { return e.metrics }

// Guardrails are the bounds on the experiment's variants, in file order, and after
// them the default ones of its canaries. The slice is the plan's own: read it only.
func (e *Experiment) Guardrails() []Guardrail { return e.guardrails }
