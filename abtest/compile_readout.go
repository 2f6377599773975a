package abtest

import (
	"slices"
	"strings"
)

// The names of the kinds of a metric, and of what is better; the first of each is
// the default.
var (
	metricKinds = [...]string{"conversion", "value"}
	metricGoals = [...]string{"up", "down"}
)

// maxWithin is the longest time that an outcome may take to count: a leap year.
const maxWithin = 366 * 24 * hour

// readout compiles what the readout goes by: the control, the metrics and the
// guardrails. The variants and the fallback are known.
func (c *compiler) readout(at place, e *Experiment, cfg *ExperimentConfig) {
	c.control(at, e, cfg)
	c.holds(at.field("variants"), e, cfg.Variants)
	metrics := at.field("metrics")
	for i := range c.limit(metrics, len(cfg.Metrics), MaxMetrics) {
		c.metric(metrics.index(i), e, &cfg.Metrics[i])
	}
	guardrails := at.field("guardrails")
	for i := range c.limit(guardrails, len(cfg.Guardrails), MaxGuardrails) {
		c.guardrail(guardrails.index(i), e, &cfg.Guardrails[i])
	}
	e.guardCanaries()
}

// control finds the variant that the others are compared with.
func (c *compiler) control(at place, e *Experiment, cfg *ExperimentConfig) {
	if cfg.Control != "" {
		at := at.field("control")
		if e.control = c.answering(at, e, cfg.Control); e.control != nil && e.control.canary && !e.control.shadow {
			c.addf(at, "%q is a canary, which guardrails compare with the control: name a variant that is proven", cfg.Control)
		}
		return
	}
	i := cfg.control()
	if i < 0 || i >= len(e.variants) {
		return // no variant answers, which is reported
	}
	if e.control = e.variants[i]; e.control.canary && cfg.Fallback == "" {
		c.addf(at.field("variants"), "every variant with a weight is a canary: give a variant that is proven beside them, for their units to go to")
	}
}

// control is the index of the variant that the readout compares the others with:
// the one that the file names, else the fallback, else the one named control, else
// the first with a weight that is no canary, else the first that answers. It is -1
// where there is none. The file may be wrong.
func (cfg *ExperimentConfig) control() int {
	first, proven := -1, -1
	for _, name := range [...]string{cfg.Control, cfg.Fallback, "control"} {
		for i := range cfg.Variants {
			v := &cfg.Variants[i]
			if name != "" && v.Name == name && !v.Shadow && (name != "control" || !v.Canary) {
				return i
			}
		}
	}
	for i := range cfg.Variants {
		v := &cfg.Variants[i]
		if v.Shadow {
			continue
		}
		if first < 0 {
			first = i
		}
		if proven < 0 && !v.Canary && v.Weight != nil && *v.Weight > 0 {
			proven = i
		}
	}
	if proven >= 0 {
		return proven
	}
	return first
}

// metric compiles an outcome that the readout compares.
func (c *compiler) metric(at place, e *Experiment, cfg *MetricConfig) {
	c.name(at.field("name"), cfg.Name)
	switch {
	case cfg.Name == "":
	case e.metric(cfg.Name) != nil:
		c.addf(at.field("name"), "%q is the name of an earlier metric", cfg.Name)
	case answerMetric(cfg.Name) != noMetric:
		c.addf(at.field("name"), "%q is measured of the answers already: name an outcome that POST /feedback reports, or leave the metric out", cfg.Name)
	}
	m := Metric{Name: cfg.Name}
	m.Value = c.choice(at.field("kind"), "kind", cfg.Kind, metricKinds[:]) == 1
	m.Down = c.choice(at.field("goal"), "goal", cfg.Goal, metricGoals[:]) == 1
	if cfg.Within != "" {
		m.Within = c.duration(at.field("within"), cfg.Within, 1, maxWithin, "above 0 and at most 8784h")
	}
	e.metrics = append(e.metrics, m)
}

// metric finds a metric of feedback by name; nil when there is none.
func (e *Experiment) metric(name string) *Metric {
	for i := range e.metrics {
		if e.metrics[i].Name == name {
			return &e.metrics[i]
		}
	}
	return nil
}

// choice reads one of some names as its index; empty is the first.
func (c *compiler) choice(at place, what, name string, names []string) int {
	i := slices.Index(names, name)
	if i < 0 && name != "" {
		c.addf(at, "%q is no %s: give one of %s", name, what, strings.Join(names, ", "))
	}
	return max(i, 0)
}
