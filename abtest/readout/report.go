package readout

import (
	"time"

	"hotpath/abtest"
)

// Report is what is known about one experiment. Shares and rates are fractions
// between 0 and 1; a null number is one that cannot be told yet. docs/readout.md
// says how to read it.
type Report struct {
	Experiment string `json:"experiment"`
	Model      string `json:"model"`
	State      string `json:"state"`
	Control    string `json:"control"`
	// Unit is what is assigned, such as user.
	Unit string `json:"unit"`
	// Since is the time of the first event that counts, absent before there is one;
	// At is how far the readout has come.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at,omitzero"`
	// Alpha is the error probability of the intervals and verdicts.
	Alpha float64 `json:"alpha"`
	// Sample is the share of the units that is kept: 1, 1/2, 1/4, ...
	Sample float64 `json:"sample"`
	// Exposures are the events of units that chance assigned, Requests those of them
	// that asked a model. Dropped are events that were left out: of another salt, or
	// of a variant that the experiment does not have.
	Exposures int64 `json:"exposures"`
	Requests  int64 `json:"requests"`
	Dropped   int64 `json:"dropped"`
	// Overridden, Forced and Paused are events of other reasons. They count nowhere
	// else.
	Overridden int64 `json:"overridden"`
	Forced     int64 `json:"forced"`
	Paused     int64 `json:"paused"`
	// Moved are the units that were seen in more than one variant.
	Moved int64 `json:"moved"`

	SRM        SRMReport         `json:"srm"`
	Variants   []VariantReport   `json:"variants"`
	Metrics    []MetricReport    `json:"metrics"`
	Feedback   FeedbackReport    `json:"feedback"`
	Guardrails []GuardrailReport `json:"guardrails"`
	// Notes are sentences about what a reader should know.
	Notes []string `json:"notes"`
}

// SRMReport is the test for a sample ratio mismatch: whether the units are split
// as the weights say.
type SRMReport struct {
	// Units are those tested: of a new unit's first exposure, by chance.
	Units int64 `json:"units"`
	// PValue may be looked at as often as one likes; ChiSquareP only once.
	PValue     float64  `json:"p_value"`
	ChiSquare  *float64 `json:"chi_square"`
	ChiSquareP *float64 `json:"chi_square_p"`
	// Alert: the split is wrong, and no comparison of the variants can be trusted.
	Alert bool `json:"alert"`
}

// VariantReport is a variant that answers. All but Units is about events, by the
// variant that was assigned.
type VariantReport struct {
	Name    string `json:"name"`
	Control bool   `json:"control"`
	// Weight is the present one, in percent, as in the file.
	Weight float64 `json:"weight"`
	Canary bool    `json:"canary"`
	// Held: a guardrail or an operator took the variant's units away.
	Held bool `json:"held"`
	// Units are the different ones that were first seen in this variant; an estimate
	// where the report's Sample is below 1.
	Units int64 `json:"units"`
	// Share is that of the units tested for the sample ratio, ExpectedShare what the
	// weights of the time led to expect.
	Share         *float64 `json:"share"`
	ExpectedShare *float64 `json:"expected_share"`

	Requests int64 `json:"requests"`
	// Rejected are requests that were the client's fault. All rates are of the
	// others: Requests - Rejected.
	Rejected int64 `json:"rejected"`
	// Errors are requests that the variant did not answer, whether the client got an
	// error, the answer of another variant (OtherServed) or the static one.
	Errors      int64    `json:"errors"`
	ErrorRate   *float64 `json:"error_rate"`
	OtherServed int64    `json:"other_served"`
	// Degraded are answers that needed any fallback; NonFinite those with a NaN or an
	// infinity.
	Degraded  int64 `json:"degraded"`
	NonFinite int64 `json:"nonfinite"`

	Latency LatencyReport `json:"latency_ms"`
	Score   ScoreReport   `json:"score"`
}

// LatencyReport is the time in the pipeline in milliseconds.
type LatencyReport struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
}

// ScoreReport is the distribution of the variant's own predictions.
type ScoreReport struct {
	N      int64    `json:"n"`
	Mean   *float64 `json:"mean"`
	StdDev *float64 `json:"stddev"`
	P10    *float64 `json:"p10"`
	P50    *float64 `json:"p50"`
	P90    *float64 `json:"p90"`
	// Histogram has the same bounds in all variants of the report.
	Histogram HistogramReport `json:"histogram"`
}

// HistogramReport counts values between bounds. There is one count more than there
// are bounds: Counts[i] is of values below Bounds[i] and not below Bounds[i-1].
// Both are empty without values.
type HistogramReport struct {
	Bounds []float64 `json:"bounds"`
	Counts []int64   `json:"counts"`
}

// MetricReport compares one outcome between the variants.
type MetricReport struct {
	Name string `json:"name"`
	// Kind is conversion or value, Goal up or down, Within the longest time from the
	// first exposure, such as 24h0m0s; empty: no limit.
	Kind   string `json:"kind"`
	Goal   string `json:"goal"`
	Within string `json:"within,omitempty"`
	// Since is set where the metric was added later than the experiment: the time
	// of the first event after that.
	Since time.Time `json:"since,omitzero"`
	// Variants are in the order of the report's.
	Variants []MetricVariantReport `json:"variants"`
}

// Verdicts on a metric of a variant.
const (
	// Better and Worse: the adjusted p-value is at most alpha.
	Better = "better"
	Worse  = "worse"
	// Undecided: it is not.
	Undecided = "undecided"
	// TooFew: there are too few units or outcomes to say anything.
	TooFew = "too_few"
)

// MetricVariantReport is one outcome of one variant. All intervals are valid
// however often they are looked at. Those of the control have no comparison.
type MetricVariantReport struct {
	Name string `json:"name"`
	// Units are those kept, not scaled by the report's Sample; Converted those of
	// them that had an outcome.
	Units     int64 `json:"units"`
	Converted int64 `json:"converted"`
	// Mean is the share of units converted, or the mean of the units' sums.
	Mean *float64 `json:"mean"`
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// Difference is Mean minus the control's.
	Difference     *float64 `json:"difference"`
	DifferenceLow  *float64 `json:"difference_low"`
	DifferenceHigh *float64 `json:"difference_high"`
	// Lift is Difference divided by the control's mean.
	Lift     *float64 `json:"lift"`
	LiftLow  *float64 `json:"lift_low"`
	LiftHigh *float64 `json:"lift_high"`
	// PAdjusted is PValue corrected for the number of comparisons in the report
	// (Holm's way); null while there is too little to compare.
	PValue    *float64 `json:"p_value"`
	PAdjusted *float64 `json:"p_adjusted"`
	// Verdict is better, worse, undecided or too_few, by the metric's goal; empty for
	// the control.
	Verdict string `json:"verdict,omitempty"`
}

// FeedbackReport says what became of the outcomes that were reported.
type FeedbackReport struct {
	// Counted changed a metric. Repeated are further conversions of a unit.
	Counted  int64 `json:"counted"`
	Repeated int64 `json:"repeated"`
	// BeforeExposure and OutsideWindow came too early and too late.
	BeforeExposure int64 `json:"before_exposure"`
	OutsideWindow  int64 `json:"outside_window"`
	// NoMetric are outcomes of a name that no metric has, NotSampled those of units
	// outside the sample.
	NoMetric   int64 `json:"no_metric"`
	NotSampled int64 `json:"not_sampled"`
	// Unmatched are those that led to no unit, by cause. They are of the whole
	// readout, since nothing says which experiment they belong to.
	Unmatched UnmatchedReport `json:"unmatched"`
}

// UnmatchedReport counts the outcomes that led to no unit, of all experiments.
type UnmatchedReport struct {
	UnknownRequest    int64 `json:"unknown_request"`
	AmbiguousRequest  int64 `json:"ambiguous_request"`
	UnknownUnit       int64 `json:"unknown_unit"`
	UnknownExperiment int64 `json:"unknown_experiment"`
	BadValue          int64 `json:"bad_value"`
}

// GuardrailReport is one guardrail and one variant that it watches. Values and
// bounds are in the metric's unit: percent for rates and conversions,
// milliseconds for latencies.
type GuardrailReport struct {
	Metric  string `json:"metric"`
	Action  string `json:"action"`
	Variant string `json:"variant"`
	// Bound is as in the file, such as max_increase 5.
	Bound string `json:"bound"`
	// Window is empty for metrics of feedback: they look at everything.
	Window       string   `json:"window,omitempty"`
	Value        *float64 `json:"value"`
	ControlValue *float64 `json:"control_value"`
	// Requests are the variant's answers (units, for metrics of feedback) that Value
	// is of, ControlRequests the control's.
	Requests        int64 `json:"requests"`
	ControlRequests int64 `json:"control_requests"`
	// State is too_few (answers to say), within, chance (beyond the bound, which may be
	// chance) or broken.
	State string `json:"state"`
	// Tripped: the bound is broken now, beyond chance, or was when it was last
	// reported, and the variant has not been changed since.
	Tripped bool   `json:"tripped"`
	Text    string `json:"text"`
}

// Trip is a guardrail that a variant has broken. The caller carries out
// Guardrail.Action.
type Trip struct {
	Experiment string           `json:"experiment"`
	Variant    string           `json:"variant"`
	Guardrail  abtest.Guardrail `json:"-"`
	// Text is a sentence with the metric, its value, the bound and the counts.
	Text string `json:"text"`
}
