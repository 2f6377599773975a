// Package stats computes what the readout of an experiment says: whether the
// units are split as they should be, how large a metric is in each variant, and
// how far that can be told from chance. It also plans: how many units show an
// effect of a given size. Everything is a function of its arguments alone.
//
// A report of a running experiment is looked at again and again, and an interval
// or p-value made for one look is wrong far too often then. SRM, MeanSequence,
// DifferenceSequence and LiftSequence are anytime-valid: whatever the number of
// looks and whenever the experiment is stopped, the chance that they are ever
// wrong is at most alpha. The functions in fixed.go hold for a single look that
// was planned beforehand; they are the familiar numbers to compare with.
//
// Levels alpha are two-sided and lie between 0 and 1, both excluded. Where the
// values say nothing yet (too few, or all alike) an interval is unbounded and
// the p-value is 1; nothing is ever NaN for finite input. docs/statistics.md has
// the formulas, where they come from and what they assume.
package stats
