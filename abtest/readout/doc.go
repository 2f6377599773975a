// Package readout tells how the variants of the experiments do, while they run:
// how many units each has and whether that is as the weights say, how they answer,
// and what came of it. docs/readout.md says how to read it.
//
// A Readout follows the log of exposures. It knows no clock: all times come from
// the events, so that a recorded log gives the same reports. What it keeps is
// bounded by Options and by the plan.
//
// # Units
//
// Each unit that an experiment showed something is kept once, with its variant and
// the time of its first exposure; outcomes are counted at the unit. When there is
// no room for more, the experiments with the most units are halved: only the units
// whose digest has one more zero bit stay, and only such are taken from then on.
// The digest does not depend on the variant, so that what is left is a random
// sample. To drop the oldest units instead would leave those that came late, who
// had less time to convert.
//
// # Locks
//
// One lock protects everything. The log's goroutine takes it for each event, for
// well under a microsecond; reports, guardrails and the metrics take it for one
// experiment at a time.
package readout
