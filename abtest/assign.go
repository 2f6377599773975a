package abtest

// Assignment is what a Plan decided for a unit.
type Assignment struct {
	// Experiment and Variant are both nil when no experiment gives a variant: the
	// model answers as if there were none. Variant is never a shadow.
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
	// unit is the digest of the unit, for the samples of shadows.
	unit uint64
}

// Assign decides for a request about a model; see ModelPlan.Assign.
func (p *Plan) Assign(model string, r *Request) Assignment { return p.models[model].Assign(r) }

// Assign decides for a request. The first of these that applies wins; doc.go
// says why:
//
//  1. forced: the variant that the request asks for.
//  2. an override: the first open experiment that lists the user.
//  3. a sticky assignment: the first open experiment for whose unit a variant is
//     stored that is still valid.
//  4. the first experiment in the file that enrols the unit: no holdout has it,
//     the prerequisites are met, the unit's bucket in the layer is the
//     experiment's, the request is targeted, and the unit is on the ramp. There
//     the unit's bucket chooses the variant.
//
// It allocates nothing, keeps nothing of its argument, and accepts any bytes.
func (m *ModelPlan) Assign(r *Request) Assignment {
	if m == nil {
		return Assignment{ForcedUnknown: len(r.Forced) > 0}
	}
	s := subject{Request: r, plan: m.plan}
	unknown := false
	if len(r.Forced) > 0 {
		if t, ok := m.forced[string(r.Forced)]; ok {
			return s.assigned(t.experiment, t.variant, ReasonForced)
		}
		unknown = true
	}
	a := m.decide(&s)
	a.ForcedUnknown = unknown
	return a
}

// decide is Assign for a request that forces nothing.
func (m *ModelPlan) decide(s *subject) Assignment {
	if t, ok := m.override(s, nil); ok {
		return s.assigned(t.experiment, t.variant, ReasonOverride)
	}
	if s.Stored != nil {
		for _, e := range m.sticky {
			if v := e.kept(s); v != nil {
				return s.assigned(e, v, ReasonSticky)
			}
		}
	}
	best, reason := m.enrolling(s)
	switch {
	case best == nil:
		return Assignment{Reason: reason}
	case reason == ReasonPaused && best.fallback == nil:
		return Assignment{Reason: ReasonPaused}
	case reason == ReasonPaused:
		return s.assigned(best, best.fallback, ReasonPaused)
	}
	a := s.assigned(best, nil, ReasonSplit)
	a.Variant = best.VariantAt(a.Bucket)
	return a
}

// atOnce is how many groups are looked up before the first of them is asked:
// fetching an experiment from memory takes longer than looking it up, and so
// they are fetched side by side.
const atOnce = 8

// enrolling finds the first experiment in the file that enrols the request's
// unit, with ReasonSplit or ReasonPaused; without one the reason that came closest.
func (m *ModelPlan) enrolling(s *subject) (best *Experiment, reason Reason) {
	reason = ReasonNotRunning
	var owners [atOnce]*Experiment
	for groups := m.groups; len(groups) > 0; {
		part := groups[:min(atOnce, len(groups))]
		groups = groups[len(part):]
		for i := range part {
			owners[i] = part[i].find(s)
		}
		for i := range part {
			if best != nil && best.index < part[i].first {
				return best, reason
			}
			switch r := part[i].ask(s, owners[i]); {
			case !r.Assigns():
				if best == nil {
					reason = max(reason, r)
				}
			case best == nil || owners[i].index < best.index:
				best, reason = owners[i], r
			}
		}
	}
	return best, reason
}

// assigned is an assignment to a variant. A request without the unit, which can
// only be forced or overridden, counts as one with an empty id.
func (s *subject) assigned(e *Experiment, v *Variant, r Reason) Assignment {
	u := s.unitOrEmpty(e.unit)
	return Assignment{Experiment: e, Variant: v, Bucket: bucketOf(e.key, u), Reason: r, unit: u}
}

// unitOrEmpty is unit, that of an empty id where the request has none.
func (s *subject) unitOrEmpty(slot uint8) uint64 {
	u, ok := s.unit(slot)
	if !ok {
		u = hashUnit([]byte(nil))
	}
	return u
}

// enrol says whether chance gives the request's unit to this open experiment:
// ReasonSplit, or ReasonPaused where it is paused. Otherwise it says why not.
// owned: the unit's bucket in the layer is known to be the experiment's.
func (e *Experiment) enrol(s *subject, owned bool) Reason {
	u, ok := s.unit(e.unit)
	switch {
	case !ok:
		return ReasonNoUnit
	case s.heldOut() || e.layer != nil && e.layer.holdout.holds(s):
		return ReasonHoldout
	case e.requiring && !e.met(s):
		return ReasonPrerequisite
	case !owned && !e.owns(s):
		return ReasonOutOfRange
	case !e.program.holds(s):
		return ReasonNotTargeted
	case e.ramped && !e.schedule.onRamp(u, s.Now):
		return ReasonOutsideRamp
	case e.state == Paused:
		return ReasonPaused
	}
	return ReasonSplit
}

// owns says whether the request's bucket in the layer is in the range.
func (e *Experiment) owns(s *subject) bool {
	if e.layer == nil {
		return true
	}
	u, ok := s.unit(e.layer.unit)
	if !ok {
		return false
	}
	b := bucketOf(e.layer.key, u)
	return e.low <= b && b < e.high
}

// ShadowHit says whether Experiment.Shadows()[i] is to score this request as
// well. A unit is sampled always or never; a larger sample keeps the smaller
// one's units. A paused experiment samples nobody.
func (a *Assignment) ShadowHit(i int) bool {
	v := a.Experiment.shadows[i]
	if a.Reason == ReasonPaused {
		return false
	}
	return v.sample == Buckets || bucketOf(v.sampleKey, a.unit) < v.sample
}
