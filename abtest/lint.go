package abtest

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity is how much a finding matters.
type Severity uint8

// The severities.
const (
	// Info is worth knowing.
	Info Severity = iota
	// Warning makes results hard to trust, or surprises users.
	Warning
	// Error is something that cannot be meant: it has no effect at all.
	Error
)

var severityNames = [...]string{"info", "warning", "error"}

// String is the name shown.
func (s Severity) String() string { return severityNames[s] }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is something about a plan that compiles and may still not be meant.
type Finding struct {
	// Path is the place in the file, as in Problem.
	Path     string   `json:"path"`
	Severity Severity `json:"severity"`
	// Code names the rule, such as salt_reused.
	Code    string `json:"code"`
	Message string `json:"message"`
}

// String is all of it on one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s (%s)", f.Path, f.Severity, f.Message, f.Code)
}

// linter looks at one plan at one moment.
type linter struct {
	plan     *Plan
	now      int64
	findings []Finding
}

// Lint looks for what is probably not meant, at the time now in seconds since
// 1970. The findings are in the order of the file.
func (p *Plan) Lint(now int64) []Finding {
	l := &linter{plan: p, now: now}
	l.salts()
	l.unused()
	for _, e := range p.experiments {
		l.variants(e)
		l.guardrails(e)
		l.unit(e)
		l.rampSteps(e)
		satisfiable := e.targeting == nil || l.satisfiable(atExperiment(e).field("targeting"), e.targeting)
		if e.Enabled() {
			l.reach(e, satisfiable)
		}
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return comparePaths(a.Path, b.Path) })
	return l.findings
}

func (l *linter) addf(at place, s Severity, code, format string, args ...any) {
	l.findings = append(l.findings, Finding{string(at), s, code, fmt.Sprintf(format, args...)})
}

func atExperiment(e *Experiment) place { return place("experiments").index(e.index) }

func atLayer(l *layer) place { return place("layers").index(l.index) }

// comparePaths orders paths as text, but the numbers in them by value.
func comparePaths(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		na, nb := leadingDigits(a[i:]), leadingDigits(b[i:])
		if na != nb && (na > 0 && nb > 0 || i > 0 && '0' <= a[i-1] && a[i-1] <= '9') {
			return cmp.Compare(na, nb)
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) (n int) {
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// salts finds hashes that are meant to be independent and are not.
func (l *linter) salts() {
	experiments := map[string]*Experiment{}
	for _, e := range l.plan.experiments {
		first := experiments[e.salt]
		if first == nil {
			experiments[e.salt] = e
			continue
		}
		if first.layer == nil || first.layer != e.layer {
			l.addf(atExperiment(e).field("salt"), Warning, "salt_reused",
				"%q is the salt of experiment %q too: who is in its first half is in the first half here, so the results mix; give each a salt of its own", e.salt, first.name)
		}
	}
	layers := map[string]*layer{}
	for _, y := range l.plan.layers {
		if first := layers[y.salt]; first != nil {
			l.addf(atLayer(y).field("salt"), Warning, "salt_reused", "%q is the salt of layer %q too: their experiments share their units instead of mixing them", y.salt, first.name)
		} else {
			layers[y.salt] = y
		}
	}
}

// unused finds layers and lists that nothing refers to.
func (l *linter) unused() {
	used := map[*layer]bool{}
	for _, e := range l.plan.experiments {
		used[e.layer] = true
	}
	for _, y := range l.plan.layers {
		if !used[y] {
			l.addf(atLayer(y), Info, "unused", "no experiment is in layer %q", y.name)
		}
	}
	for _, s := range l.plan.lists {
		if !s.used {
			l.addf(s.at, Info, "unused", "nothing refers to this list")
		}
	}
}

// largeCanary is from where on a canary is hardly one, in basis points.
const largeCanary = 2000

// variants finds arms that compare nothing, and canaries without a net.
func (l *linter) variants(e *Experiment) {
	at := atExperiment(e).field("variants")
	for i, v := range e.variants {
		if v.canary && v.weight > largeCanary {
			l.addf(at.index(i).field("weight"), Warning, "canary_large", "%s percent is much for a canary: its guardrails see a failure only after so many users have", percent(v.weight))
		}
		if v.canary && e.fallback == nil {
			l.addf(at.index(i).field("canary"), Warning, "no_fallback", "the experiment has no fallback to answer when the canary fails")
		}
		for _, o := range e.variants[:i] {
			if !v.shadow && !o.shadow && v.model == o.model && v.version == o.version && v.label == o.label && string(v.payload) == string(o.payload) {
				l.addf(at.index(i), Info, "same_arm", "is the same as %q: this compares nothing but chance", o.name)
				break
			}
		}
	}
	if e.state == Paused && e.fallback == nil {
		l.addf(atExperiment(e).field("state"), Info, "no_fallback", "while it is paused its units get the model as if there were no experiment, for there is no fallback")
	}
}

// unit finds layers that divide something else than what is assigned.
func (l *linter) unit(e *Experiment) {
	if e.layer == nil || e.layer.unit == e.unit {
		return
	}
	l.addf(atExperiment(e).field("unit"), Warning, "unit_mismatch", "assigns each %s, but layer %q divides by %s: one %s may be in the experiment on some requests only",
		e.unitName, e.layer.name, l.plan.units[e.layer.unit], e.unitName)
}

// rampSteps finds steps that never hold.
func (l *linter) rampSteps(e *Experiment) {
	for i, step := range e.schedule.ramp {
		if step.at >= e.schedule.end {
			l.addf(atExperiment(e).field("ramp").index(i).field("at"), Warning, "never_holds", "is not before the end of the experiment")
		}
	}
}
