package abtest

import (
	"math"
	"slices"
	"strings"
)

// The bounds and defaults of a guardrail's window and counts.
const (
	leastWindow    = 10 * second
	mostWindow     = 10 * minute
	defaultWindow  = minute
	mostRequests   = 1_000_000
	defaultMinimum = 100
)

// metricKind says which bounds make sense for a guardrail's metric.
type metricKind uint8

// The kinds of metrics.
const (
	noMetric metricKind = iota
	// failureRate is a share of the answers in percent, the less the better.
	failureRate
	// latency is in milliseconds.
	latency
	// score is a prediction.
	score
	// conversion is a share of the units in percent.
	conversion
	// outcomeValue is whatever POST /feedback reports.
	outcomeValue
)

// answerMetrics are those that are measured of the answers.
var answerMetrics = [...]struct {
	name string
	kind metricKind
}{
	{"error_rate", failureRate}, {"degraded_rate", failureRate}, {"nonfinite_rate", failureRate},
	{"p50_ms", latency}, {"p90_ms", latency}, {"p95_ms", latency}, {"p99_ms", latency}, {"mean_score", score},
}

// answerMetric is the kind of a metric of the answers; noMetric: it is none.
func answerMetric(name string) metricKind {
	for _, m := range answerMetrics {
		if m.name == name {
			return m.kind
		}
	}
	return noMetric
}

// kind is that of the guardrail's metric.
func (g *Guardrail) kind() metricKind {
	switch {
	case g.Feedback == nil:
		return answerMetric(g.Metric)
	case g.Feedback.Value:
		return outcomeValue
	}
	return conversion
}

// Percent says that the metric and its bounds, other than MaxRatio, are in percent:
// rates of the answers, and conversions.
func (g *Guardrail) Percent() bool { return g.kind() == failureRate || g.kind() == conversion }

// guardrail compiles a bound.
func (c *compiler) guardrail(at place, e *Experiment, cfg *GuardrailConfig) {
	g := Guardrail{Metric: cfg.Metric, Max: copied(cfg.Max), Min: copied(cfg.Min), MaxIncrease: copied(cfg.MaxIncrease),
		MaxDecrease: copied(cfg.MaxDecrease), MaxRatio: copied(cfg.MaxRatio)}
	if answerMetric(cfg.Metric) == noMetric {
		g.Feedback = e.metric(cfg.Metric)
	}
	switch {
	case cfg.Metric == "":
		c.addf(at.field("metric"), "is missing: give one of %s", e.metricNames())
	case g.kind() == noMetric:
		c.addf(at.field("metric"), "%q is not a metric: give one of %s", cfg.Metric, e.metricNames())
	}
	c.watched(at, e, &g, cfg.Variants)
	c.bounds(at, &g)
	g.Window = c.window(at.field("window"), &g, cfg.Window)
	g.MinRequests = defaultMinimum
	if n := cfg.MinRequests; n < 0 || n > mostRequests {
		c.addf(at.field("min_requests"), "%d is not between 1 and %d", n, mostRequests)
	} else if n > 0 {
		g.MinRequests = n
	}
	g.Action = Action(c.choice(at.field("action"), "action", cfg.Action, actionNames[:]))
	e.guardrails = append(e.guardrails, g)
}

func copied(bound *float64) *float64 {
	if bound == nil {
		return nil
	}
	b := *bound
	return &b
}

// metricNames lists what a guardrail of the experiment can be about.
func (e *Experiment) metricNames() string {
	var names []string
	for _, m := range answerMetrics {
		names = append(names, m.name)
	}
	for i := range e.metrics {
		names = append(names, e.metrics[i].Name)
	}
	return strings.Join(names, ", ")
}

// watched reads the variants that a guardrail is about.
func (c *compiler) watched(at place, e *Experiment, g *Guardrail, names []string) {
	at = at.field("variants")
	for i := range c.limit(at, len(names), MaxVariants) {
		v := c.answering(at.index(i), e, names[i])
		switch {
		case v == nil || v.shadow:
			continue
		case v == e.control:
			c.addf(at.index(i), "%q is the control, whose units have nowhere to go: name variants that are compared with it", names[i])
		case slices.Contains(g.Variants, v):
			c.addf(at.index(i), "%q is named already", names[i])
		}
		g.Variants = append(g.Variants, v)
	}
	if len(names) > 0 {
		return
	}
	for _, v := range e.variants {
		if v != e.control && !v.shadow {
			g.Variants = append(g.Variants, v)
		}
	}
}

// window reads how far back a guardrail looks.
func (c *compiler) window(at place, g *Guardrail, text string) int64 {
	switch {
	case text == "" && g.Feedback != nil:
		return 0
	case text == "":
		return defaultWindow
	case g.Feedback != nil:
		c.addf(at, "%s is for metrics of the answers: %s is feedback, of which everything since the readout began is looked at; leave it out", text, g.Metric)
		return 0
	}
	return c.duration(at, text, leastWindow, mostWindow, "between 10s and 10m")
}

// bounds checks that a guardrail can trip, and need not always.
func (c *compiler) bounds(at place, g *Guardrail) {
	known := len(c.problems)
	given := 0
	for _, b := range [...]struct {
		name  string
		value *float64
		check func(*compiler, place, *Guardrail, float64)
	}{
		{"max", g.Max, (*compiler).checkMax}, {"min", g.Min, (*compiler).checkMin}, {"max_increase", g.MaxIncrease, (*compiler).checkDifference},
		{"max_decrease", g.MaxDecrease, (*compiler).checkDifference}, {"max_ratio", g.MaxRatio, (*compiler).checkRatio},
	} {
		if b.value == nil {
			continue
		}
		given++
		at := at.field(b.name)
		switch v := *b.value; {
		case math.IsNaN(v) || math.IsInf(v, 0):
			c.addf(at, "%v is not a finite number", v)
		case g.kind() == failureRate && (b.name == "min" || b.name == "max_decrease"):
			c.addf(at, "%s is better the lower it is: give max, max_increase or max_ratio", g.Metric)
		default:
			b.check(c, at, g, v)
		}
	}
	switch {
	case given == 0:
		c.addf(at, "has no bound: give max, min, max_increase, max_decrease or max_ratio")
	case len(c.problems) == known && g.Min != nil && g.Max != nil && *g.Min >= *g.Max:
		c.addf(at.field("min"), "%v is not below max, %v: one of the two would always trip", *g.Min, *g.Max)
	}
}

func (c *compiler) checkMax(at place, g *Guardrail, v float64) {
	switch {
	case g.Percent() && (v < 0 || v >= 100):
		c.addf(at, "%v: %s is in percent, so a max is at least 0 and below 100", v, g.Metric)
	case g.kind() == latency && v <= 0:
		c.addf(at, "%v: %s is in milliseconds, so a max is above 0", v, g.Metric)
	}
}

func (c *compiler) checkMin(at place, g *Guardrail, v float64) {
	switch {
	case g.Percent() && (v <= 0 || v > 100):
		c.addf(at, "%v: %s is in percent, so a min is above 0 and at most 100", v, g.Metric)
	case g.kind() == latency && v <= 0:
		c.addf(at, "%v: %s is in milliseconds, so a min is above 0", v, g.Metric)
	}
}

// checkDifference is for max_increase and max_decrease.
func (c *compiler) checkDifference(at place, g *Guardrail, v float64) {
	switch {
	case v < 0:
		c.addf(at, "%v is negative: give how far %s may be from the control's, at least 0", v, g.Metric)
	case g.Percent() && v >= 100:
		c.addf(at, "%v: %s is in percent, so two variants differ by less than 100 points", v, g.Metric)
	}
}

func (c *compiler) checkRatio(at place, g *Guardrail, v float64) {
	switch {
	case g.kind() == score:
		c.addf(at, "%s may be 0 or negative, of which no multiple is a bound: give max_increase or max", g.Metric)
	case v <= 1:
		c.addf(at, "%v is not above 1: give how many times the control's %s may be", v, g.Metric)
	}
}
