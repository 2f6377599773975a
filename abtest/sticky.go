package abtest

// StickyKey is what a unit's variant is to be stored under, together with the
// unit. It changes with the salt: what was stored before units were dealt anew
// is not found again.
func (e *Experiment) StickyKey() string { return e.stickyKey }

// Store says that the assignment is to be put by for the unit: the experiment is
// sticky and chance has just chosen the variant. While a variant is held, who gets the
// control may get it in the other's place only, which is not to outlive the hold.
func (a *Assignment) Store() bool {
	e := a.Experiment
	return a.Reason == ReasonSplit && e.sticky && !(e.held && a.Variant == e.control)
}

// kept is the variant stored for the request's unit while it is valid: the
// experiment is sticky, running and open, and still gives the variant to
// somebody. Targeting, holdouts, ranges and the ramp no longer matter: the unit
// is in.
func (e *Experiment) kept(s *subject) *Variant {
	if s.Stored == nil || !e.sticky || e.state != Running || e.open(s.Now) != ReasonSplit {
		return nil
	}
	if _, ok := s.unit(e.unit); !ok {
		return nil
	}
	name := s.Stored.Variant(e)
	for _, v := range e.variants {
		if v.weight > 0 && v.name == string(name) {
			return v
		}
	}
	return nil
}
