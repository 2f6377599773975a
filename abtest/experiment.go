package abtest

// Experiment is a compiled experiment.
type Experiment struct {
	// What is read for every request that the experiment is asked about stands
	// together in front: with a thousand experiments, fetching them is the work.
	index     int
	unit      uint8
	state     State
	sticky    bool
	timed     bool   // the schedule has a start or an end
	ramped    bool   // it has a ramp
	requiring bool   // it has prerequisites
	low, high uint16 // of the layer's buckets; high is exclusive
	layer     *layer // nil: in none
	program   program
	key       uint64
	requires  []requirement
	schedule  schedule
	slots     *slotTable
	dealt     []*Variant // who has the slots of each variant that was dealt some, by name: what slots refers to
	fallback  *Variant
	plan      *ModelPlan

	name, model, salt, unitName, stickyKey string
	targeting                              *node
	variants, shadows                      []*Variant
	control                                *Variant
	metrics                                []Metric
	guardrails                             []Guardrail
	held                                   bool // a variant is
}

// Name is unique in the plan.
func (e *Experiment) Name() string { return e.name }

// Model is the model that the experiment decides about.
func (e *Experiment) Model() string { return e.model }

// State is how far the experiment is in its life.
func (e *Experiment) State() State { return e.state }

// Enabled says that the experiment takes part: it is running or paused.
func (e *Experiment) Enabled() bool { return e.state.enabled() }

// Salt is the salt of the variants' buckets.
func (e *Experiment) Salt() string { return e.salt }

// Unit is the name of what is assigned, such as user.
func (e *Experiment) Unit() string { return e.unitName }

// Layer is the layer's name; "" when the experiment is in none.
func (e *Experiment) Layer() string {
	if e.layer == nil {
		return ""
	}
	return e.layer.name
}

// Range is the part [low, high) of the layer's buckets that the experiment owns.
func (e *Experiment) Range() (low, high int) { return int(e.low), int(e.high) }

// Schedule is when the experiment assigns, [start, end) in seconds since 1970;
// not ok where that side is open.
func (e *Experiment) Schedule() (start, end int64, hasStart, hasEnd bool) {
	s := &e.schedule
	return s.start, s.end, s.start != beginning, s.end != forever
}

// RampShare is the share of the targeted units, in basis points, that is in the
// experiment at a moment.
func (e *Experiment) RampShare(now int64) int { return int(e.schedule.share(now)) }

// Targeted says whether there is a condition on the request.
func (e *Experiment) Targeted() bool { return e.targeting != nil }

// Sticky says that a unit keeps the variant that it was given once, if the
// caller stores it: see Request.Stored.
func (e *Experiment) Sticky() bool { return e.sticky }

// Index is the place in Plan.Experiments.
func (e *Experiment) Index() int { return e.index }

// Variants lists all variants in file order, shadows included. The slice is the
// plan's own: read it only.
func (e *Experiment) Variants() []*Variant { return e.variants }

// Variant finds a variant by name; nil when there is none.
func (e *Experiment) Variant(name string) *Variant {
	for _, v := range e.variants {
		if v.name == name {
			return v
		}
	}
	return nil
}

// Bucket is the bucket of a unit in the experiment.
func (e *Experiment) Bucket(unit []byte) uint16 { return bucketOf(e.key, hashUnit(unit)) }

// VariantAt is the variant that owns a bucket below Buckets.
func (e *Experiment) VariantAt(bucket uint16) *Variant { return e.dealt[e.slots[bucket]] }

// Shadows lists the shadow variants in file order. The slice is the plan's own:
// read it only.
func (e *Experiment) Shadows() []*Variant { return e.shadows }

// Fallback is the variant that answers when the assigned one's model fails, and
// while the experiment is paused; nil when there is none. It may be the assigned
// variant itself.
func (e *Experiment) Fallback() *Variant { return e.fallback }
