package abtest

// Plan is a compiled Config. It never changes and is safe for any number of
// goroutines.
type Plan struct {
	experiments []*Experiment
	byName      map[string]*Experiment
	models      map[string]*ModelPlan
	digest      Digest
}

// ModelPlan is the part of a Plan about one model. Nil is a model that no
// experiment is about.
type ModelPlan struct {
	all  []*Experiment // in file order
	live []*Experiment // the enabled ones
	// overrides holds the listed units of the enabled experiments; where two
	// list one unit, the first in the file has it.
	overrides map[string]target
	// forced holds "variant" (of the first enabled experiment that has one of
	// that name) and "experiment/variant".
	forced map[string]target
}

type target struct {
	experiment *Experiment
	variant    *Variant
}

// Experiment is a compiled experiment.
type Experiment struct {
	name, model, salt, layer string
	index                    int
	enabled                  bool
	// Hot: read for every request about the model.
	layered   bool
	low, high uint16 // of the layer's buckets; high is exclusive
	layerKey  uint64
	key       uint64
	targeting *node
	slots     *slotTable
	dealt     []*Variant // the variants of positive weight, by name: what slots refers to
	variants  []*Variant
	shadows   []*Variant
	fallback  *Variant
}

// Variant is a compiled arm of an experiment.
type Variant struct {
	name, model string
	index       int
	version     int
	weight      int // basis points
	shadow      bool
	sample      uint16 // basis points
	sampleKey   uint64
}

// ModelExperiments is the part of the plan about a model, so that a caller who
// holds the model need not look it up for each request; nil when no experiment,
// enabled or not, is about it.
func (p *Plan) ModelExperiments(model string) *ModelPlan { return p.models[model] }

// Experiments lists every experiment in file order, disabled ones included. The
// slice is the plan's own: read it only.
func (p *Plan) Experiments() []*Experiment { return p.experiments }

// Experiment finds an experiment by name; nil when there is none.
func (p *Plan) Experiment(name string) *Experiment { return p.byName[name] }

// Digest is the fingerprint of everything that the plan decides by: equal
// digests mean equal answers. Defaults written out or left out, the order of
// the layers and the order of the users in a list make no difference.
func (p *Plan) Digest() Digest { return p.digest }

// Experiments lists the model's experiments in file order, disabled ones
// included. The slice is the plan's own: read it only.
func (m *ModelPlan) Experiments() []*Experiment {
	if m == nil {
		return nil
	}
	return m.all
}

// Name is unique in the plan.
func (e *Experiment) Name() string { return e.name }

// Model is the model that the experiment decides about.
func (e *Experiment) Model() string { return e.model }

// Salt is the salt of the variants' buckets.
func (e *Experiment) Salt() string { return e.salt }

// Layer is the layer's name; "" when the experiment is in none.
func (e *Experiment) Layer() string { return e.layer }

// Range is the part [low, high) of the layer's buckets that the experiment owns.
func (e *Experiment) Range() (low, high int) { return int(e.low), int(e.high) }

// Enabled is false for an experiment that takes no part at all.
func (e *Experiment) Enabled() bool { return e.enabled }

// Targeted says whether there is a condition on the request's context.
func (e *Experiment) Targeted() bool { return e.targeting != nil }

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

// VariantAt is the variant that owns a bucket below Buckets.
func (e *Experiment) VariantAt(bucket uint16) *Variant { return e.dealt[e.slots[bucket]] }

// Shadows lists the shadow variants in file order. The slice is the plan's own:
// read it only.
func (e *Experiment) Shadows() []*Variant { return e.shadows }

// ShadowHit says whether Shadows()[i] is to score this unit as well. The same
// unit is sampled always or never; a larger sample keeps the smaller one's units.
func (e *Experiment) ShadowHit(i int, unit []byte) bool {
	v := e.shadows[i]
	return v.sample == Buckets || bucketOf(v.sampleKey, hashUnit(unit)) < v.sample
}

// Fallback is the variant that answers when the assigned one's model fails; nil
// when there is none. It may be the assigned variant itself.
func (e *Experiment) Fallback() *Variant { return e.fallback }

// Name is unique in the experiment.
func (v *Variant) Name() string { return v.name }

// Model is the model that answers for this variant.
func (v *Variant) Model() string { return v.model }

// Version is the model's version; 0 means the one that it serves by default.
func (v *Variant) Version() int { return v.version }

// Weight is the share of users in basis points; 0 for a shadow.
func (v *Variant) Weight() int { return v.weight }

// Shadow says that the variant is scored off the path and never answers.
func (v *Variant) Shadow() bool { return v.shadow }

// Sample is a shadow's share of the experiment's units in basis points; 0 for a
// variant that answers.
func (v *Variant) Sample() int { return int(v.sample) }

// Index is the place in Experiment.Variants.
func (v *Variant) Index() int { return v.index }
