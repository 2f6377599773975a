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
	note(x.untested, "%s left out of the test of the split, for exposure under other weights by plans that the readout has not seen", some(x.untested, "unit"))
	note(x.weightless, "%s put by chance into variants that have no weight, and left out of the test of the split", some(x.weightless, "unit"))
	note(x.dropped, "%s left out: of an earlier salt, or of a variant that the experiment does not have", some(x.dropped, "exposure"))
	note(int64(x.halvings), "one unit in %d is kept, chosen at random; numbers of units are estimates, and statistics are of those kept", 1<<x.halvings)
	note(x.moved, "%s seen in more than one variant, as after a change of weights; outcomes count for the first", some(p.Moved, "unit"))
	note(x.overridden, "%s left out: of users listed for a variant", some(x.overridden, "exposure"))
	note(x.forced, "%s left out: of a forced variant", some(x.forced, "exposure"))
	note(x.paused, "%s left out: made while the experiment was paused", some(x.paused, "exposure"))
	for _, o := range x.unknownOutcomes {
		note(o.n, "%s named %q, which no metric of the experiment is", some(o.n, "outcome"), o.name)
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
		times := "once"
		if n > 1 {
			times = fmt.Sprintf("%d times", n)
		}
		notes = append(notes, fmt.Sprintf("guardrail %s of %s has tripped %s", key.metric, key.variant, times))
	}
	slices.SortStableFunc(notes, strings.Compare)
	return notes
}

// some begins a sentence about a number of things.
func some(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing + " was"
	}
	return fmt.Sprintf("%d %ss were", n, thing)
}
