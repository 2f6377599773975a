package readout

import (
	"fmt"
	"slices"
	"strings"
)

// notes are sentences about what a reader of the report should know.
func (x *experiment) notes(p *Report) []string {
	notes := []string{}
	note := func(n int64, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	if p.SRM.Alert {
		note(1, "sample ratio mismatch (p %.2g): the units are not split as the weights say, so that no comparison can be trusted; look for what loses or adds exposures of one variant", p.SRM.PValue)
	}
	note(x.untested, "%d units are not in the test of the split: they were exposed under other weights, by plans that the readout has not seen", x.untested)
	note(x.weightless, "%d units were put by chance into variants that have no weight; they are not in the test of the split", x.weightless)
	note(x.dropped, "%d exposures were left out: they are of an earlier salt, or of a variant that the experiment does not have", x.dropped)
	note(int64(x.halvings), "one unit in %d is kept, chosen at random; numbers of units are estimates, and statistics are of those kept", 1<<x.halvings)
	note(x.moved, "%d units were seen in more than one variant, as after a change of weights; their outcomes count for the first", p.Moved)
	note(x.overridden, "%d exposures of users listed for a variant do not count", x.overridden)
	note(x.forced, "%d exposures of a forced variant do not count", x.forced)
	note(x.paused, "%d exposures while the experiment was paused do not count", x.paused)
	for _, o := range x.unknownOutcomes {
		note(o.n, "%d outcomes are named %q, which no metric of the experiment is", o.n, o.name)
	}
	for _, m := range p.Metrics {
		if !m.Since.IsZero() {
			notes = append(notes, fmt.Sprintf("metric %s counts since %s only", m.Name, m.Since.Format("2006-01-02T15:04:05Z07:00")))
		}
	}
	return append(notes, x.heldNotes()...)
}

// heldNotes are about variants that are held and guardrails that tripped.
func (x *experiment) heldNotes() (notes []string) {
	for _, i := range x.inFileOrder() {
		if a := &x.arms[i]; a.def.Held() {
			notes = append(notes, "variant "+a.name+" is held: its units go to the control")
		}
	}
	for key, n := range x.trips {
		notes = append(notes, fmt.Sprintf("guardrail %s of %s has tripped %d times", key.metric, key.variant, n))
	}
	slices.SortStableFunc(notes, strings.Compare)
	return notes
}
