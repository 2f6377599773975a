package readout

import (
	"math"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/stats"
)

// guard is a guardrail and what has become of it.
type guard struct {
	abtest.Guardrail
	watched []watch
}

// watch is a variant that a guardrail is about.
type watch struct {
	arm int
	// reported: the trip was returned by Guardrails, at that time, in that text.
	// carriedOut: a plan has shown since that the variant does not serve.
	reported, carriedOut bool
	at                   int64
	text                 string
}

// tripKey counts trips.
type tripKey struct{ variant, metric string }

// measured is what a guardrail sees of one arm. Limits are filled in when they
// matter.
type measured struct {
	value, low, high float64
	n                int64 // answers, or units
	tally            tally
	moments          stats.Moments // of feedback
	successes        int64         // units that converted
}

// Guardrails are the guardrails that variants have broken, beyond what chance can
// explain. Each is returned once, until a plan shows the variant changed, or the
// metric is within its bounds again; but again every minute as long as what it asks
// for is not carried out: the caller may have failed.
func (r *Readout) Guardrails(now time.Time) []Trip {
	r.mu.Lock()
	r.now = now.UnixNano() // which may be earlier than before, if the clock was put back
	names := append([]string(nil), r.order...)
	r.mu.Unlock()
	var trips []Trip
	for _, name := range names {
		trips = r.trips(trips, name)
	}
	return trips
}

// trips appends those of one experiment.
func (r *Readout) trips(trips []Trip, name string) []Trip {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.experiments[name]
	if x == nil {
		return trips
	}
	for i := range x.guards {
		g := &x.guards[i]
		for j := range g.watched {
			if w := &g.watched[j]; x.trip(g, w, r.now) {
				trips = append(trips, Trip{Experiment: name, Variant: x.arms[w.arm].name, Guardrail: g.Guardrail, Text: w.text})
			}
		}
	}
	return trips
}

// trip looks at one variant. True: its guardrail is to be reported.
func (x *experiment) trip(g *guard, w *watch, now int64) bool {
	if !x.watching(w) {
		return false
	}
	w.at = min(w.at, now) // later only where the clock was put back
	l := x.look(g, w, now)
	switch {
	case l.state != broken:
		if l.state == within && now-w.at > max(g.Window, remindAfter) {
			w.reported = false
		}
		return false
	case w.reported:
		if g.Action == abtest.Alert || w.carriedOut || now-w.at < remindAfter {
			return false
		}
	default:
		x.trips[tripKey{x.arms[w.arm].name, g.Metric}]++
	}
	w.reported, w.at, w.text = true, now, l.text()
	return true
}

// remindAfter is when a trip is reported again, of a variant that should not serve.
const remindAfter = int64(time.Minute)

// watching says whether the variant serves, so that something can be done.
func (x *experiment) watching(w *watch) bool {
	return x.def.State() == abtest.Running && x.arms[w.arm].def.Weight() > 0
}

// The states of a guardrail's look.
type lookState uint8

const (
	// tooFew answers, of the variant or the control.
	tooFew lookState = iota
	within
	// chance: a bound is exceeded, but that may be chance.
	chance
	broken
)

// lookStates are the names in a report.
var lookStates = [...]string{tooFew: "too_few", within: "within", chance: "chance", broken: "broken"}

// look is what a guardrail sees of a variant now.
type look struct {
	guard            *guard
	arm              string
	variant, control measured
	state            lookState
	bound            bound // that is exceeded
}

// look measures a variant and the control.
func (x *experiment) look(g *guard, w *watch, now int64) *look {
	a, c := &x.arms[w.arm], &x.arms[x.arm(x.def.Control().Name())]
	l := &look{guard: g, arm: a.name, variant: x.measure(g, a, now), control: x.measure(g, c, now)}
	least := int64(g.MinRequests)
	for _, b := range g.bounds() {
		enough := l.variant.n >= least && (!b.relative() || l.control.n >= least)
		switch {
		case !enough:
			continue
		case !b.exceeded(l):
			l.state = max(l.state, within)
			continue
		}
		state := chance
		g.limit(&l.variant)
		g.limit(&l.control)
		if b.certain(l) {
			state = broken
		}
		if state > l.state {
			l.state, l.bound = state, b
		}
	}
	return l
}

// measure takes the values that limits are found of, and the point estimate.
func (x *experiment) measure(g *guard, a *arm, now int64) measured {
	if g.Feedback != nil {
		return x.measureOutcomes(g, a)
	}
	var m measured
	w := a.window(g.Window)
	if w == nil {
		return m
	}
	m.tally = w.sum(now)
	m.n = m.tally.answers
	if q, ok := quantileOf(g.Metric); ok {
		if m.n = m.tally.latencies.total(); m.n > 0 {
			m.value = m.tally.latencies.quantile(q, m.n)
		}
	} else if g.Metric == meanScore {
		m.n, m.value = int64(m.tally.scores.N), m.tally.scores.Mean
	} else if m.n > 0 {
		m.value = percent * float64(m.tally.failures(g.Metric)) / float64(m.n)
	}
	return m
}

const (
	percent   = 100
	meanScore = "mean_score"
)

// failures are the answers that a rate counts.
func (t *tally) failures(metric string) int64 {
	switch metric {
	case "error_rate":
		return t.errors
	case "degraded_rate":
		return t.degraded
	}
	return t.nonFinite
}

// quantileOf is the quantile that a metric of latency is.
func quantileOf(metric string) (q float64, ok bool) {
	switch metric {
	case "p50_ms":
		return 0.5, true
	case "p90_ms":
		return 0.9, true
	case "p95_ms":
		return 0.95, true
	case "p99_ms":
		return 0.99, true
	}
	return 0, false
}

// measureOutcomes is about feedback, in percent for a conversion.
func (x *experiment) measureOutcomes(g *guard, a *arm) measured {
	m := x.metric([]byte(g.Metric))
	moments := a.moments(m)
	if !m.Value {
		moments = scaled(moments, percent)
	}
	return measured{value: moments.Mean, n: a.units, moments: moments, successes: a.outcomes[m.slot].converted}
}

// sums are the moments of a value over all units of the arm: those without one add
// up to zero.
func (a *arm) sums(slot uint8) stats.Moments {
	m := a.outcomes[slot].sums
	m.Merge(stats.Moments{N: float64(a.units) - m.N})
	return m
}

// scaled are the moments of the values times a factor.
func scaled(m stats.Moments, by float64) stats.Moments {
	return stats.Moments{N: m.N, Mean: m.Mean * by, M2: m.M2 * by * by}
}

// limit fills in the limits.
func (g *guard) limit(m *measured) {
	if q, ok := quantileOf(g.Metric); g.Feedback == nil && ok {
		m.low, m.high = math.Inf(-1), math.Inf(1)
		if m.n == 0 {
			return
		}
		low, high := rankLimits(q, m.n)
		if low > 0 {
			m.low = m.tally.latencies.quantile(low, m.n)
		}
		if high < 1 {
			m.high = m.tally.latencies.quantile(high, m.n)
		}
		return
	}
	switch {
	case g.Feedback != nil && g.Feedback.Value:
		m.low, m.high = stats.MeanSequence(m.moments, chanceAlpha, 0)
	case g.Feedback != nil:
		low, high := stats.ProportionSequence(float64(m.successes), float64(m.n), chanceAlpha)
		m.low, m.high = low*percent, high*percent
	case g.Metric == meanScore:
		m.low, m.high = meanLimits(m.tally.scores)
	case m.n > 0:
		low, high := rateLimits(m.tally.failures(g.Metric), m.n)
		m.low, m.high = low*percent, high*percent
	default:
		m.low, m.high = 0, percent
	}
}

// least is the least that a minus ratio times b can be beyond chance: for answers by
// the limits of both, as in Newcombe's interval of a difference.
func (g *guard) least(a, b *measured, ratio float64) float64 {
	if g.Feedback != nil {
		_, low, _, _ := stats.DifferenceSequence(scaled(b.moments, ratio), a.moments, chanceAlpha, 0)
		return low
	}
	return a.value - ratio*b.value - math.Hypot(a.value-a.low, ratio*(b.high-b.value))
}
