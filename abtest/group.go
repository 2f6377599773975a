package abtest

import (
	"cmp"
	"slices"
)

// group is what one hash can rule between: a model's enabled experiments of one
// layer, of which the unit's bucket leaves at most one, or a single experiment
// that is in no layer.
type group struct {
	// first is the index of the earliest experiment: a group cannot give an
	// earlier answer.
	first int
	only  *Experiment // without a layer
	layer *layer
	// spans are the ranges in order; cells[b >> cellBits] is the first span that
	// ends after the start of bucket b's cell. With fewer spans than cells a look-up reads
	// one or two of them.
	spans []span
	cells []uint16
}

// span is a range of the layer's buckets.
type span struct {
	low, high  uint16
	experiment *Experiment
}

// cellBits make 157 cells of 64 buckets: as quick as an entry for each bucket,
// and little enough to stay in the cache for twenty layers.
const cellBits = 6

// group prepares the model's enabled experiments to be asked.
func (m *ModelPlan) group() {
	layers := map[*layer]int{}
	for _, e := range m.all {
		if !e.Enabled() {
			continue
		}
		if e.layer == nil {
			m.groups = append(m.groups, group{first: e.index, only: e})
			continue
		}
		i, seen := layers[e.layer]
		if !seen {
			i = len(m.groups)
			layers[e.layer] = i
			m.groups = append(m.groups, group{first: e.index, layer: e.layer})
		}
		m.groups[i].spans = append(m.groups[i].spans, span{e.low, e.high, e})
	}
	for i := range m.groups {
		m.groups[i].seal()
	}
}

// seal orders the spans and fills the cells, once all spans are there.
func (g *group) seal() {
	slices.SortFunc(g.spans, func(a, b span) int { return cmp.Compare(a.low, b.low) })
	if g.layer == nil {
		return
	}
	i := 0
	for start := 0; start < Buckets; start += 1 << cellBits {
		for i < len(g.spans) && int(g.spans[i].high) <= start {
			i++
		}
		g.cells = append(g.cells, uint16(i))
	}
}

// owner is the experiment that owns a bucket of the layer; nil where none does.
func (g *group) owner(bucket uint16) *Experiment {
	for i := int(g.cells[bucket>>cellBits]); i < len(g.spans) && g.spans[i].low <= bucket; i++ {
		if bucket < g.spans[i].high {
			return g.spans[i].experiment
		}
	}
	return nil
}

// find is the experiment of the group that owns the request's unit; nil where
// none does, and where the request lacks the layer's unit.
func (g *group) find(s *subject) *Experiment {
	if g.layer == nil {
		return g.only
	}
	u, ok := s.unit(g.layer.unit)
	if !ok {
		return nil
	}
	return g.owner(bucketOf(g.layer.key, u))
}

// ask says whether the experiment that find found enrols the request's unit:
// ReasonSplit or ReasonPaused; otherwise why it does not, or why none was found.
func (g *group) ask(s *subject, e *Experiment) Reason {
	if e == nil {
		if _, ok := s.unit(g.layer.unit); !ok {
			return ReasonNoUnit
		}
		if s.heldOut() || g.layer.holdout.holds(s) {
			return ReasonHoldout
		}
		return ReasonOutOfRange
	}
	if r := e.open(s.Now); r != ReasonSplit {
		return r
	}
	return e.enrol(s, true)
}
