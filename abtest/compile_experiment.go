package abtest

import (
	"maps"
	"slices"
	"strconv"
)

// experiment checks and compiles one experiment, all but its slots and its
// prerequisites. What it returns is only fit for use when no problem was found.
func (c *compiler) experiment(at place, i int, cfg *ExperimentConfig) *Experiment {
	c.name(at.field("name"), cfg.Name)
	if _, twice := c.byName[cfg.Name]; twice {
		c.addf(at.field("name"), "%q is the name of an earlier experiment", cfg.Name)
	}
	c.name(at.field("model"), cfg.Model)
	e := &Experiment{name: cfg.Name, model: cfg.Model, salt: c.salt(at, cfg.Salt, cfg.Name), index: i, sticky: cfg.Sticky}
	e.key = hashKey(domainAssign, e.salt)
	e.stickyKey = e.name + ":" + strconv.FormatUint(e.key, 36)
	c.byName[cfg.Name] = e
	var err error
	if e.state, err = parseState(cfg.State); err != nil {
		c.addf(at.field("state"), "%v", err)
	}
	e.unit = c.unitSlot(at.field("unit"), cfg.Unit)
	e.unitName = c.units[e.unit]
	c.place(at, e, cfg)
	c.schedule(at, e, cfg)
	if cfg.Targeting != nil {
		count := 0
		n := c.condition(at.field("targeting"), e, cfg.Targeting, 1, &count)
		if count > MaxConditions {
			c.addf(at.field("targeting"), "more than %d conditions", MaxConditions)
		}
		e.targeting, e.program = &n, compileProgram(&n)
	}
	// Variants are looked up by name, so they are read before what refers to
	// them, though the file may have them last.
	c.readVariants(at.field("variants"), e, cfg.Variants)
	c.listings = append(c.listings, c.overridden(at, e, cfg))
	if cfg.Fallback != "" {
		at := at.field("fallback")
		e.fallback = c.answering(at, e, cfg.Fallback)
		if e.fallback != nil && e.fallback.canary && !e.fallback.shadow {
			c.addf(at, "%q is a canary, which guardrails may withdraw: name a variant that is proven", cfg.Fallback)
		}
	}
	c.readout(at, e, cfg)
	return e
}

// place fills in the layer and the range.
func (c *compiler) place(at place, e *Experiment, cfg *ExperimentConfig) {
	e.high = Buckets
	if cfg.Layer != "" {
		if e.layer = c.layers[cfg.Layer]; e.layer == nil {
			c.addf(at.field("layer"), "%q is not declared under layers", cfg.Layer)
		}
	}
	if cfg.Range == nil {
		return
	}
	e.high = 0 // a range that is wrong owns nothing, so that it overlaps nothing
	at = at.field("range")
	if len(cfg.Range) != 2 {
		c.addf(at, "has %d numbers, want two: [from, to)", len(cfg.Range))
		return
	}
	low, high := cfg.Range[0], cfg.Range[1]
	switch {
	case low < 0 || high > Buckets:
		c.addf(at, "[%d, %d) reaches outside [0, %d)", low, high, Buckets)
	case low >= high:
		c.addf(at, "[%d, %d) holds no bucket: to switch the experiment off say state: stopped", low, high)
	case cfg.Layer == "" && high-low < Buckets:
		c.addf(at, "[%d, %d) is of no layer: name one, since a range is a part of a layer's buckets", low, high)
	default:
		e.low, e.high = uint16(low), uint16(high)
	}
}

// answering finds a variant that may answer.
func (c *compiler) answering(at place, e *Experiment, name string) *Variant {
	v := e.Variant(name)
	switch {
	case v == nil:
		c.addf(at, "%q is not a variant of experiment %q", name, e.name)
	case v.shadow:
		c.addf(at, "%q is a shadow, which never answers", name)
	}
	return v
}

// overridden reads the overrides: each user of the experiment with its variant.
func (c *compiler) overridden(at place, e *Experiment, cfg *ExperimentConfig) map[string]*Variant {
	o := overrides{c: c, listed: map[string]*Variant{}, first: map[string]place{}}
	inline := at.field("overrides")
	for _, name := range slices.Sorted(maps.Keys(cfg.Overrides)) {
		at := inline.key(name)
		o.add(at, c.answering(at, e, name), cfg.Overrides[name])
	}
	lists := at.field("override_lists")
	for _, name := range slices.Sorted(maps.Keys(cfg.OverrideLists)) {
		at := lists.key(name)
		v := c.answering(at, e, name)
		for i, list := range cfg.OverrideLists[name] {
			o.addList(at.index(i), v, c.namedList(at.index(i), list).list)
		}
	}
	return o.listed
}

// overrides collects the users of one experiment.
type overrides struct {
	c      *compiler
	listed map[string]*Variant
	first  map[string]place // where each user was listed first
}

// add lists users for a variant.
func (o *overrides) add(at place, v *Variant, users []string) {
	if o.c.overrides += len(users); o.c.overrides > MaxOverrides {
		return // Compile reports it
	}
	for i, user := range users {
		o.addUser(at.index(i), v, user)
	}
}

// addList lists the users of a named list, who all stand at one place.
func (o *overrides) addList(at place, v *Variant, users *List) {
	if o.c.overrides += users.Len(); o.c.overrides > MaxOverrides {
		return
	}
	for user := range users.All() {
		o.addUser(at, v, user)
	}
}

func (o *overrides) addUser(at place, v *Variant, user string) {
	switch earlier, twice := o.first[user]; {
	case user == "":
		o.c.addf(at, "is empty")
	case len(user) > MaxTextBytes:
		o.c.addf(at, "is %d bytes long, the limit of a user is %d", len(user), MaxTextBytes)
	case twice:
		o.c.addf(at, "user %q is listed already at %s", user, earlier)
	default:
		o.listed[user], o.first[user] = v, at
	}
}
