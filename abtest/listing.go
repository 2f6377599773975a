package abtest

// listing is an override of a user, in a chain over the experiments of a model.
type listing struct {
	target
	next int32 // the place of the next one in listings; 0: there is none
}

// list adds the overrides of a running experiment. Those of an experiment that
// stands earlier in the file are there already, so they come first in a chain.
func (m *ModelPlan) list(e *Experiment, listed map[string]*Variant) {
	if len(m.listings) == 0 {
		m.listings = append(m.listings, listing{}) // place 0 is nobody's
	}
	for user, v := range listed {
		place := int32(len(m.listings))
		m.listings = append(m.listings, listing{target: target{e, v}})
		last, ok := m.listed[user]
		if !ok {
			m.listed[user] = place
			continue
		}
		for m.listings[last].next != 0 {
			last = m.listings[last].next
		}
		m.listings[last].next = place
	}
}

// override is the first listing of the request's user in an experiment that is
// open; of one experiment where only is not nil.
func (m *ModelPlan) override(s *subject, only *Experiment) (t target, ok bool) {
	if len(m.listed) == 0 {
		return t, false
	}
	for i := m.listed[string(s.User)]; i != 0; i = m.listings[i].next {
		t := m.listings[i].target
		if (only == nil || t.experiment == only) && t.experiment.open(s.Now) == ReasonSplit {
			return t, true
		}
	}
	return target{}, false
}
