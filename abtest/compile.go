package abtest

import (
	"slices"
	"strings"
)

// compiler turns a Config into a Plan and collects problems on the way.
type compiler struct {
	problems Problems
	layers   map[string]uint64 // name to key
	byName   map[string]*Experiment
	// listed are the overrides of each experiment, by unit.
	listed    []map[string]*Variant
	overrides int
	variants  int
}

// Compile checks a whole Config and compiles it. Its error is a Problems that
// holds every problem. It keeps nothing of cfg. An empty Config is a plan in
// which every model answers by default.
func Compile(cfg Config) (*Plan, error) {
	c := &compiler{layers: map[string]uint64{}, byName: map[string]*Experiment{}}
	for i := range c.limit("layers", len(cfg.Layers), MaxLayers) {
		c.layer(place("layers").index(i), &cfg.Layers[i])
	}
	var experiments []*Experiment
	for i := range c.limit("experiments", len(cfg.Experiments), MaxExperiments) {
		e := c.experiment(place("experiments").index(i), &cfg.Experiments[i])
		e.index = i
		experiments = append(experiments, e)
	}
	if c.overrides > MaxOverrides {
		c.addf("experiments", "%d overrides in all, the limit is %d: put the users' group into the context and target it", c.overrides, MaxOverrides)
	}
	if c.variants > MaxAllVariants {
		c.addf("experiments", "%d variants in all, the limit is %d: remove experiments that are over", c.variants, MaxAllVariants)
	}
	c.overlaps(experiments)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	p := &Plan{experiments: experiments, byName: c.byName, models: map[string]*ModelPlan{}}
	cache := slotCache{}
	for i, e := range experiments {
		e.dealSlots(cache)
		p.add(e, c.listed[i])
	}
	p.digest = digest(experiments, c.listed)
	return p, nil
}

// limit reports a list that is too long and returns how much of it to look at.
func (c *compiler) limit(at place, n, most int) int {
	if n > most {
		c.addf(at, "%d entries, the limit is %d", n, most)
	}
	return min(n, most)
}

func (c *compiler) layer(at place, cfg *LayerConfig) {
	c.name(at.field("name"), cfg.Name)
	if _, twice := c.layers[cfg.Name]; twice {
		c.addf(at.field("name"), "%q is the name of an earlier layer", cfg.Name)
	}
	c.layers[cfg.Name] = hashKey(domainLayer, c.salt(at, cfg.Salt, cfg.Name))
}

// salt checks a salt and fills in its default.
func (c *compiler) salt(at place, salt, name string) string {
	if salt == "" {
		return name
	}
	c.text(at.field("salt"), salt)
	return salt
}

// overlaps reports enabled experiments that claim one bucket of a layer. A
// disabled one may overlap, so that its successor can take its range.
func (c *compiler) overlaps(experiments []*Experiment) {
	layers := map[string][]*Experiment{}
	for _, e := range experiments {
		if e.layered && e.enabled && e.low < e.high {
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
			e.low, e.high, r.low, r.high, r.name, e.layer)
	}
}

// dealSlots gives every bucket to a variant.
func (e *Experiment) dealSlots(cache slotCache) {
	for _, v := range e.variants {
		if v.weight > 0 {
			e.dealt = append(e.dealt, v)
		}
	}
	slices.SortFunc(e.dealt, func(a, b *Variant) int { return strings.Compare(a.name, b.name) })
	shares := make([]share, len(e.dealt))
	for i, v := range e.dealt {
		shares[i] = share{v.name, v.weight}
	}
	e.slots = cache.deal(shares)
}

// add puts an experiment into the plan of its model, in file order.
func (p *Plan) add(e *Experiment, listed map[string]*Variant) {
	m := p.models[e.model]
	if m == nil {
		m = &ModelPlan{overrides: map[string]target{}, forced: map[string]target{}}
		p.models[e.model] = m
	}
	m.all = append(m.all, e)
	if !e.enabled {
		return
	}
	m.live = append(m.live, e)
	for unit, v := range listed {
		if _, earlier := m.overrides[unit]; !earlier {
			m.overrides[unit] = target{e, v}
		}
	}
	for _, v := range e.variants {
		if v.shadow {
			continue
		}
		m.forced[e.name+"/"+v.name] = target{e, v}
		if _, earlier := m.forced[v.name]; !earlier {
			m.forced[v.name] = target{e, v}
		}
	}
}
