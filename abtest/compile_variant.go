package abtest

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// readVariants fills in the variants and checks that their weights add up.
func (c *compiler) readVariants(at place, e *Experiment, cfgs []VariantConfig) {
	c.variants += len(cfgs)
	sum, answering, complete := 0, 0, true
	for i := range c.limit(at, len(cfgs), MaxVariants) {
		cfg := &cfgs[i]
		at := at.index(i)
		v := c.variant(at, e, i, cfg)
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

// variant reads what shadows and those that answer have in common.
func (c *compiler) variant(at place, e *Experiment, i int, cfg *VariantConfig) *Variant {
	c.name(at.field("name"), cfg.Name)
	if e.Variant(cfg.Name) != nil {
		c.addf(at.field("name"), "%q is the name of an earlier variant", cfg.Name)
	}
	v := &Variant{name: cfg.Name, model: cfg.Model, index: i, version: cfg.Version, label: cfg.Label, canary: cfg.Canary, shadow: cfg.Shadow}
	if v.model == "" {
		v.model = e.model
	} else {
		c.name(at.field("model"), v.model)
	}
	if v.version < 0 {
		c.addf(at.field("version"), "%d is negative: versions are positive, 0 is the model's default", v.version)
	}
	if v.label != "" {
		c.name(at.field("label"), v.label)
		if v.version != 0 {
			c.addf(at.field("label"), "%q stands beside version %d: give one of the two", v.label, v.version)
		}
	}
	v.payload = c.payload(at.field("payload"), cfg.Payload)
	return v
}

// payload writes the file's value as JSON, keys in order, so that the same value
// is the same bytes.
func (c *compiler) payload(at place, value any) []byte {
	if value == nil {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		c.addf(at, "cannot be written as JSON: %v", err)
		return nil
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(text) > MaxPayloadBytes {
		c.addf(at, "is %d bytes long as JSON, the limit is %d: name a place that has it instead", len(text), MaxPayloadBytes)
	}
	return text
}

// weight reads the share of a variant that answers.
func (c *compiler) weight(at place, v *Variant, cfg *VariantConfig) (ok bool) {
	if cfg.Sample != nil {
		c.addf(at.field("sample"), "is for shadows only: this variant answers its weight of the units")
	}
	if cfg.Weight == nil {
		c.addf(at.field("weight"), "is missing")
		return false
	}
	v.weight, ok = c.basisPoints(at.field("weight"), *cfg.Weight)
	v.dealt = v.weight
	if ok && v.canary && v.weight > Buckets/2 {
		c.addf(at.field("weight"), "%s is more than half: a canary takes a small share, remove the weight or canary", percent(v.weight))
	}
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
	if v.canary {
		c.addf(at.field("canary"), "a shadow answers nobody: it is a shadow or a canary")
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
