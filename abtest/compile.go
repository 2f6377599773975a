package abtest

// compiler turns a Config into a Plan and collects problems on the way.
type compiler struct {
	problems Problems
	layers   map[string]*layer
	byName   map[string]*Experiment
	units    []string // the user is the first
	// lists are the named ones, allLists in the order of their names; sets are
	// the sets of conditions, each once.
	lists    map[string]*set
	allLists []*set
	sets     map[string]*set
	// attributes are the names that conditions look at, by number.
	attributes     map[string]uint16
	attributeNames []string
	// listings are the overrides of each experiment, by user.
	listings  []map[string]*Variant
	overrides int
	variants  int
	pause     func()
}

// WithPauses is the configuration of which Compile calls pause after each small piece
// of its work, so that a large file need not keep a processor from others. c stays as
// it is.
func (c Config) WithPauses(pause func()) Config {
	c.pause = pause
	return c
}

// Compile checks a whole Config and compiles it. Its error is a Problems that
// holds every problem. It keeps nothing of cfg. An empty Config is a plan in
// which every model answers by default.
func Compile(cfg Config) (*Plan, error) {
	c := &compiler{layers: map[string]*layer{}, units: []string{userUnit}, byName: map[string]*Experiment{},
		attributes: map[string]uint16{}, sets: map[string]*set{}, pause: cfg.pause}
	if c.pause == nil {
		c.pause = func() {}
	}
	c.readLists(&cfg)
	p := &Plan{models: map[string]*ModelPlan{}, byName: c.byName}
	p.holdout = c.holdout("holdout", cfg.Holdout, userUnitSlot, "global")
	for i := range c.limit("layers", len(cfg.Layers), MaxLayers) {
		p.layers = append(p.layers, c.layer(place("layers").index(i), i, &cfg.Layers[i]))
	}
	for i := range c.limit("experiments", len(cfg.Experiments), MaxExperiments) {
		p.experiments = append(p.experiments, c.experiment(place("experiments").index(i), i, &cfg.Experiments[i]))
		c.pause()
	}
	if c.overrides > MaxOverrides {
		c.addf("experiments", "%d overrides in all, the limit is %d: put the users' group into the context and target it", c.overrides, MaxOverrides)
	}
	if c.variants > MaxAllVariants {
		c.addf("experiments", "%d variants in all, the limit is %d: remove experiments that are over", c.variants, MaxAllVariants)
	}
	c.prerequisites(p.experiments, cfg.Experiments)
	c.overlaps(p.experiments)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	p.units, p.attributes, p.lists = c.units, c.attributeNames, c.allLists
	dealers := newSlotCache()
	for i, e := range p.experiments {
		e.dealSlots(dealers)
		p.add(e, c.listings[i])
		c.pause()
	}
	for _, m := range p.models {
		m.group()
		c.pause()
	}
	p.digest = digest(p, c.listings, c.pause)
	return p, nil
}

// limit reports a list that is too long and returns how much of it to look at.
func (c *compiler) limit(at place, n, most int) int {
	if n > most {
		c.addf(at, "%d entries, the limit is %d", n, most)
	}
	return min(n, most)
}

func (c *compiler) layer(at place, i int, cfg *LayerConfig) *layer {
	c.name(at.field("name"), cfg.Name)
	if _, twice := c.layers[cfg.Name]; twice {
		c.addf(at.field("name"), "%q is the name of an earlier layer", cfg.Name)
	}
	l := &layer{name: cfg.Name, index: i, salt: c.salt(at, cfg.Salt, cfg.Name), unit: c.unitSlot(at.field("unit"), cfg.Unit)}
	l.key = hashKey(domainLayer, l.salt)
	l.holdout = c.holdout(at.field("holdout"), cfg.Holdout, l.unit, cfg.Name)
	c.layers[cfg.Name] = l
	return l
}

// salt checks a salt and fills in its default.
func (c *compiler) salt(at place, salt, name string) string {
	if salt == "" {
		return name
	}
	c.text(at.field("salt"), salt)
	return salt
}

// add puts an experiment into the plan of its model, in file order.
func (p *Plan) add(e *Experiment, listed map[string]*Variant) {
	m := p.models[e.model]
	if m == nil {
		m = &ModelPlan{plan: p, listed: map[string]int32{}, forced: map[string]target{}}
		p.models[e.model] = m
	}
	m.all = append(m.all, e)
	e.plan = m
	if !e.Enabled() {
		return
	}
	if e.state == Running {
		m.list(e, listed)
		if e.sticky {
			m.sticky = append(m.sticky, e)
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
