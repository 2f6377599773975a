package readout

// Mismatched names the running experiments whose units do not split as the weights
// say, beyond what chance can explain: what they show cannot be trusted.
func (r *Readout) Mismatched() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, name := range r.order {
		if x := r.experiments[name]; x != nil && x.def.Enabled() && x.srm.P() < srmAlpha {
			names = append(names, name)
		}
	}
	return names
}
