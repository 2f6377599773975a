package abtest

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

// Guardrail is a bound on a variant. Bounds are in the metric's unit; nil: none.
type Guardrail struct {
	Metric string
	// Feedback is the metric of feedback that it is about; nil: one of the answers.
	Feedback *Metric
	// Variants are watched, never the control.
	Variants                                     []*Variant
	Max, Min, MaxIncrease, MaxDecrease, MaxRatio *float64
	// Window is how far back answers are looked at, in nanoseconds.
	Window      int64
	MinRequests int
	Action      Action
}

// Control is the variant that the readout compares the others with.
func (e *Experiment) Control() *Variant { return e.control }

// Metrics are the outcomes that the readout compares, in file order. The slice is
// the plan's own: read it only.
func (e *Experiment) Metrics() []Metric { return e.metrics }

// Guardrails are the bounds on the experiment's variants, in file order. The slice
// is the plan's own: read it only.
func (e *Experiment) Guardrails() []Guardrail { return e.guardrails }
