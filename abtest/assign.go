package abtest

import "fmt"

// Reason says why a unit got what it got.
type Reason uint8

// The reasons, ordered by how close an experiment came to deciding.
const (
	// ReasonDefault: no experiment is about the model.
	ReasonDefault Reason = iota
	// ReasonDisabled: every experiment about the model is switched off.
	ReasonDisabled
	// ReasonNotTargeted: the request's context meets no experiment's condition.
	ReasonNotTargeted
	// ReasonOutOfRange: a condition was met, but the unit's bucket in the layer
	// is not one that the experiment owns.
	ReasonOutOfRange
	// ReasonSplit: the unit's bucket chose the variant.
	ReasonSplit
	// ReasonOverride: the unit is listed for the variant.
	ReasonOverride
	// ReasonForced: the request asked for the variant.
	ReasonForced
)

var reasonNames = [...]string{"default", "disabled", "not_targeted", "out_of_range", "split", "override", "forced"}

// String is the name shown in answers and metrics.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// MarshalText writes the name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Reasons lists every reason, for metrics made in advance.
func Reasons() []Reason {
	all := make([]Reason, len(reasonNames))
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Assignment is what a Plan decided for a unit.
type Assignment struct {
	// Experiment and Variant are both nil when no experiment enrolled the unit:
	// the model answers as if there were none. Variant is never a shadow.
	Experiment *Experiment
	Variant    *Variant
	// Bucket is the unit's bucket in the experiment, also where the variant was
	// forced or overridden; 0 without an experiment.
	Bucket uint16
	Reason Reason
	// ForcedUnknown: a variant was asked for that no enabled experiment of the
	// model has, or that is a shadow. The rest is the assignment as if nothing
	// had been asked for.
	ForcedUnknown bool
}

// Assign decides for a unit about a model; see ModelPlan.Assign.
func (p *Plan) Assign(model string, unit []byte, attrs Attributes, forced []byte) Assignment {
	return p.models[model].Assign(unit, attrs, forced)
}

// Assign decides for a unit. The first of these that applies wins:
//
//  1. forced, unless empty: "variant" of the first enabled experiment in the
//     file that has an answering variant of that name, or "experiment/variant".
//     It ignores targeting and ranges. Pass it only if the caller may force.
//  2. an override that lists the unit, of the first such enabled experiment in
//     the file. It ignores targeting and ranges.
//  3. the first enabled experiment in the file whose targeting the attributes
//     meet and whose range of its layer holds the unit; there the unit's bucket
//     chooses the variant.
//
// It allocates nothing, keeps nothing of its arguments, and accepts any unit,
// the empty one too.
func (m *ModelPlan) Assign(unit []byte, attrs Attributes, forced []byte) Assignment {
	if m == nil {
		return Assignment{ForcedUnknown: len(forced) > 0}
	}
	u := hashUnit(unit)
	unknown := false
	if len(forced) > 0 {
		if t, ok := m.forced[string(forced)]; ok {
			return Assignment{t.experiment, t.variant, bucketOf(t.experiment.key, u), ReasonForced, false}
		}
		unknown = true
	}
	if t, ok := m.overrides[string(unit)]; ok {
		return Assignment{t.experiment, t.variant, bucketOf(t.experiment.key, u), ReasonOverride, unknown}
	}
	closest := ReasonDisabled
	for _, e := range m.live {
		if r := e.enrol(u, attrs); r != ReasonSplit {
			closest = max(closest, r)
			continue
		}
		b := bucketOf(e.key, u)
		return Assignment{e, e.VariantAt(b), b, ReasonSplit, unknown}
	}
	return Assignment{Reason: closest, ForcedUnknown: unknown}
}

// enrol says whether chance gives the unit to this enabled experiment
// (ReasonSplit), or why not.
func (e *Experiment) enrol(unit uint64, attrs Attributes) Reason {
	if e.targeting != nil && !e.targeting.match(attrs) {
		return ReasonNotTargeted
	}
	if e.layered {
		if b := bucketOf(e.layerKey, unit); b < e.low || b >= e.high {
			return ReasonOutOfRange
		}
	}
	return ReasonSplit
}

// Explain appends what each experiment about the model says of the unit by
// itself, in file order: the variant that it would choose, or the reason why
// it does not. Assign's answer is the first override, else the first split.
// Experiment and Bucket are always set; Variant only for override and split.
func (m *ModelPlan) Explain(dst []Assignment, unit []byte, attrs Attributes) []Assignment {
	if m == nil {
		return dst
	}
	u := hashUnit(unit)
	listed := m.overrides[string(unit)]
	for _, e := range m.all {
		a := Assignment{Experiment: e, Bucket: bucketOf(e.key, u), Reason: ReasonDisabled}
		switch {
		case !e.enabled:
		case listed.experiment == e:
			a.Variant, a.Reason = listed.variant, ReasonOverride
		default:
			if a.Reason = e.enrol(u, attrs); a.Reason == ReasonSplit {
				a.Variant = e.VariantAt(a.Bucket)
			}
		}
		dst = append(dst, a)
	}
	return dst
}
