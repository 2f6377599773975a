package abtest

import "strconv"

// StickyKey is what a unit's variant is to be stored under, together with the
// unit. It changes with the salt: what was stored before units were dealt anew
// is not found again.
func (e *Experiment) StickyKey() string { return e.name + ":" + strconv.FormatUint(e.key, 36) }

// Store says that the assignment is to be put by for the unit: the experiment is
// sticky and chance has just chosen the variant.
func (a *Assignment) Store() bool { return a.Reason == ReasonSplit && a.Experiment.sticky }

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
