package abtest

import "slices"

// overlaps reports enabled experiments that claim one bucket of a layer. One
// that is a draft or over may overlap, so that its successor can take its range.
func (c *compiler) overlaps(experiments []*Experiment) {
	layers := map[*layer][]*Experiment{}
	for _, e := range experiments {
		if e.layer != nil && e.Enabled() && e.low < e.high {
			layers[e.layer] = append(layers[e.layer], e)
		}
	}
	var late []*Experiment
	rivals := map[*Experiment]*Experiment{}
	for _, es := range layers {
		slices.SortStableFunc(es, func(a, b *Experiment) int { return int(a.low) - int(b.low) })
		// widest is the one that reaches furthest to the right so far.
		for i, widest := 1, es[0]; i < len(es); i++ {
			if es[i].low < widest.high {
				a, b := es[i], widest
				if a.index < b.index {
					a, b = b, a
				}
				if rivals[a] == nil {
					late = append(late, a)
					rivals[a] = b
				}
			}
			if es[i].high > widest.high {
				widest = es[i]
			}
		}
	}
	slices.SortFunc(late, func(a, b *Experiment) int { return a.index - b.index })
	for _, e := range late {
		r := rivals[e]
		c.addf(place("experiments").index(e.index).field("range"), "[%d, %d) overlaps [%d, %d) of experiment %q in layer %q: give each its own buckets",
			e.low, e.high, r.low, r.high, r.name, e.layer.name)
	}
}
