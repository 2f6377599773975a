package abtest

import "slices"

// Hold keeps a variant or an experiment from serving, on top of what its file
// says: a guardrail or an operator set it. The file is left as it is, so that this
// works where the file is not ours to write.
type Hold struct {
	Experiment string `json:"experiment"`
	// Variant is rolled back: its units go to the control. Empty: the whole
	// experiment is paused.
	Variant string `json:"variant,omitempty"`
}

// WithHolds is the configuration with holds on top, which compiles whenever c does;
// c stays as it is. A hold of a variant moves exactly the variant's own units, all
// of them to the control, and nobody between the others: the weight becomes 0 and
// is added to the control's, canary is taken back, and a fallback that is held is
// the control from then on. Listed users and testers who force it still get it. A
// hold of an experiment pauses it where it runs. Holds of names that are not in the
// file, of shadows and of the control itself do nothing.
func (c Config) WithHolds(holds []Hold) Config {
	c.Experiments = slices.Clone(c.Experiments)
	for i := range c.Experiments {
		e := &c.Experiments[i]
		e.Variants = slices.Clone(e.Variants)
		for _, h := range holds {
			switch {
			case h.Experiment != e.Name:
			case h.Variant != "":
				e.hold(h.Variant)
			case e.State == "" || e.State == Running.String():
				e.State = Paused.String()
			}
		}
	}
	return c
}

// hold gives a variant's weight to the control. Numbers that are no weights are
// left as they are, so that Compile reports them.
func (e *ExperimentConfig) hold(name string) {
	i, control := slices.IndexFunc(e.Variants, func(v VariantConfig) bool { return v.Name == name }), e.control()
	if i < 0 || i == control || control < 0 {
		return
	}
	held, to := &e.Variants[i], &e.Variants[control]
	if held.Shadow || held.Weight == nil || to.Weight == nil || held.held != nil {
		return
	}
	var quiet compiler
	theirs, ok := quiet.basisPoints("", *held.Weight)
	own, fine := quiet.basisPoints("", *to.Weight)
	if !ok || !fine {
		return
	}
	if e.Fallback == name {
		e.Fallback = to.Name
	}
	sum, none := float64(own+theirs)/100, 0.0
	held.held, held.Weight = held.Weight, &none
	held.heldCanary, held.Canary = held.Canary, false
	to.Weight = &sum
}

// holds has the slots dealt by the weights before the holds, so that a hold moves
// nobody but the held variant's units.
func (c *compiler) holds(at place, e *Experiment, cfgs []VariantConfig) {
	for _, v := range e.variants {
		if before := cfgs[v.index].held; before != nil && v.weight == 0 && e.control != nil {
			n, _ := c.basisPoints(at.index(v.index).field("weight"), *before)
			v.held, v.heldCanary, e.held = true, cfgs[v.index].heldCanary, true
			if n <= e.control.dealt { // unless somebody changed the weights since
				v.dealt, e.control.dealt = n, e.control.dealt-n
			}
		}
	}
}
