package abtest

// Plan is a compiled Config. It never changes and is safe for any number of
// goroutines.
type Plan struct {
	experiments []*Experiment
	byName      map[string]*Experiment
	models      map[string]*ModelPlan
	layers      []*layer
	lists       []*set
	units       []string // the user is the first
	attributes  []string // what conditions look at
	holdout     *holdout
	digest      Digest
}

// layer is a set of buckets that experiments divide among themselves.
type layer struct {
	name, salt string
	index      int
	key        uint64
	unit       uint8
	holdout    *holdout
}

// ModelPlan is the part of a Plan about one model. Nil is a model that no
// experiment is about.
type ModelPlan struct {
	plan *Plan
	all  []*Experiment // in file order
	// groups ask the enabled experiments, in the order of their first one.
	groups []group
	// sticky are the running experiments that keep what was assigned once.
	sticky []*Experiment
	// listed leads from a user to the place in listings of the first running
	// experiment that lists the user.
	listed   map[string]int32
	listings []listing
	// forced holds "variant" (of the first enabled experiment that has one of
	// that name) and "experiment/variant".
	forced map[string]target
}

type target struct {
	experiment *Experiment
	variant    *Variant
}

// ModelExperiments is the part of the plan about a model, so that a caller who
// holds the model need not look it up for each request; nil when no experiment,
// enabled or not, is about it.
func (p *Plan) ModelExperiments(model string) *ModelPlan { return p.models[model] }

// Experiments lists every experiment in file order, whatever its state. The
// slice is the plan's own: read it only.
func (p *Plan) Experiments() []*Experiment { return p.experiments }

// Experiment finds an experiment by name; nil when there is none.
func (p *Plan) Experiment(name string) *Experiment { return p.byName[name] }

// Units are the names of the units that the plan assigns or asks for, besides
// the user. The slice is the plan's own: read it only.
func (p *Plan) Units() []string { return p.units[1:] }

// Digest is the fingerprint of everything that the plan decides by: equal
// digests mean equal answers. Defaults written out or left out, the order of
// the layers and the order of the users in a list make no difference.
func (p *Plan) Digest() Digest { return p.digest }

// Experiments lists the model's experiments in file order, whatever their
// state. The slice is the plan's own: read it only.
func (m *ModelPlan) Experiments() []*Experiment {
	if m == nil {
		return nil
	}
	return m.all
}

// Sticky lists the model's running experiments that keep what was assigned
// once, in file order: those for which Request.Stored may have an answer. The
// slice is the plan's own: read it only.
func (m *ModelPlan) Sticky() []*Experiment {
	if m == nil {
		return nil
	}
	return m.sticky
}
