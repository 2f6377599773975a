package abtest

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// experiment checks and compiles one experiment, all but its slots. What it
// returns is only fit for use when no problem was found.
func (c *compiler) experiment(at place, cfg *ExperimentConfig) *Experiment {
	c.name(at.field("name"), cfg.Name)
	if _, twice := c.byName[cfg.Name]; twice {
		c.addf(at.field("name"), "%q is the name of an earlier experiment", cfg.Name)
	}
	c.name(at.field("model"), cfg.Model)
	salt := c.salt(at, cfg.Salt, cfg.Name)
	e := &Experiment{
		name: cfg.Name, model: cfg.Model, salt: salt, layer: cfg.Layer,
		key:     hashKey(domainAssign, salt),
		enabled: cfg.Enabled == nil || *cfg.Enabled,
	}
	c.byName[cfg.Name] = e
	c.place(at, e, cfg)
	if cfg.Targeting != nil {
		count := 0
		n := c.condition(at.field("targeting"), cfg.Targeting, 1, &count)
		if count > MaxConditions {
			c.addf(at.field("targeting"), "more than %d conditions", MaxConditions)
		}
		e.targeting = &n
	}
	// Variants are looked up by name, so they are read before what refers to
	// them, though the file may have them last.
	c.readVariants(at.field("variants"), e, cfg.Variants)
	c.listed = append(c.listed, c.lists(at.field("overrides"), e, cfg.Overrides))
	if cfg.Fallback != "" {
		e.fallback = c.answering(at.field("fallback"), e, cfg.Fallback)
	}
	return e
}

// place fills in the layer and the range.
func (c *compiler) place(at place, e *Experiment, cfg *ExperimentConfig) {
	e.high = Buckets
	if cfg.Layer != "" {
		e.layered = true
		var declared bool
		if e.layerKey, declared = c.layers[cfg.Layer]; !declared {
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
		c.addf(at, "[%d, %d) holds no bucket: to switch the experiment off say enabled: false", low, high)
	case cfg.Layer == "" && high-low < Buckets:
		c.addf(at, "[%d, %d) is of no layer: name one, since a range is a part of a layer's buckets", low, high)
	default:
		e.low, e.high = uint16(low), uint16(high)
	}
}

// readVariants fills in the variants and checks that their weights add up.
func (c *compiler) readVariants(at place, e *Experiment, cfgs []VariantConfig) {
	c.variants += len(cfgs)
	sum, answering, complete := 0, 0, true
	for i := range c.limit(at, len(cfgs), MaxVariants) {
		cfg := &cfgs[i]
		at := at.index(i)
		c.name(at.field("name"), cfg.Name)
		if e.Variant(cfg.Name) != nil {
			c.addf(at.field("name"), "%q is the name of an earlier variant", cfg.Name)
		}
		v := &Variant{name: cfg.Name, model: cfg.Model, index: i, version: cfg.Version, shadow: cfg.Shadow}
		if v.model == "" {
			v.model = e.model
		} else {
			c.name(at.field("model"), v.model)
		}
		if v.version < 0 {
			c.addf(at.field("version"), "%d is negative: versions are positive, 0 is the model's default", v.version)
		}
		e.variants = append(e.variants, v)
		if v.shadow {
			c.shadow(at, e, v, cfg)
			continue
		}
		answering++
		complete = c.weight(at, v, cfg) && complete
		sum += v.weight
	}
	switch {
	case answering == 0:
		c.addf(at, "no variant answers: give at least one that is not a shadow")
	case complete && sum != Buckets:
		c.addf(at, "weights add up to %s, want exactly 100", percent(sum))
	}
}

// weight reads the share of a variant that answers.
func (c *compiler) weight(at place, v *Variant, cfg *VariantConfig) (ok bool) {
	if cfg.Sample != nil {
		c.addf(at.field("sample"), "is for shadows only: this variant answers its weight of the users")
	}
	if cfg.Weight == nil {
		c.addf(at.field("weight"), "is missing")
		return false
	}
	v.weight, ok = c.basisPoints(at.field("weight"), *cfg.Weight)
	return ok
}

// shadow reads the sample of a variant that does not answer.
func (c *compiler) shadow(at place, e *Experiment, v *Variant, cfg *VariantConfig) {
	v.sample = Buckets
	v.sampleKey = hashKey(domainShadow, e.salt+"\x00"+v.name)
	e.shadows = append(e.shadows, v)
	if cfg.Weight != nil {
		c.addf(at.field("weight"), "a shadow answers nobody: remove the weight, or shadow")
	}
	if cfg.Sample == nil {
		return
	}
	n, ok := c.basisPoints(at.field("sample"), *cfg.Sample)
	if ok && n == 0 {
		c.addf(at.field("sample"), "is 0: give a share above 0, or remove the variant")
	}
	v.sample = uint16(n)
}

// basisPoints reads a percentage of at most two decimals without rounding: the
// decimals are counted on the shortest text that means this number, which is
// what the author wrote.
func (c *compiler) basisPoints(at place, w float64) (n int, ok bool) {
	if !(w >= 0 && w <= 100) {
		c.addf(at, "%v is not between 0 and 100 percent", w)
		return 0, false
	}
	text := strconv.FormatFloat(w, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(text, "."); len(decimals) > 2 {
		c.addf(at, "%s has more than two decimals: the smallest step is 0.01 percent", text)
		return 0, false
	}
	return int(math.Round(w * 100)), true
}

func percent(basisPoints int) string {
	return strconv.FormatFloat(float64(basisPoints)/100, 'f', 2, 64)
}

// lists reads the overrides: each unit of the experiment with its variant.
func (c *compiler) lists(at place, e *Experiment, overrides map[string][]string) map[string]*Variant {
	listed, first := map[string]*Variant{}, map[string]place{}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		at, units := at.key(name), overrides[name]
		v := c.answering(at, e, name)
		c.overrides += len(units)
		if c.overrides > MaxOverrides {
			return listed // Compile reports it
		}
		for i, unit := range units {
			at := at.index(i)
			switch earlier, twice := first[unit]; {
			case unit == "":
				c.addf(at, "is empty")
			case len(unit) > MaxTextBytes:
				c.addf(at, "is %d bytes long, the limit of a user is %d", len(unit), MaxTextBytes)
			case twice:
				c.addf(at, "user %q is listed already at %s", unit, earlier)
			default:
				listed[unit], first[unit] = v, at
			}
		}
	}
	return listed
}

// answering finds a variant that may answer.
func (c *compiler) answering(at place, e *Experiment, name string) *Variant {
	v := e.Variant(name)
	switch {
	case v == nil:
		c.addf(at, "%q is not a variant of this experiment", name)
	case v.shadow:
		c.addf(at, "%q is a shadow, which never answers", name)
	}
	return v
}
