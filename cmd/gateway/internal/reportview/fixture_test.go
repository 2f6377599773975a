package reportview

import (
	"math"
	"time"

	"hotpath/abtest/readout"
)

func num(v float64) *float64 { return &v }

// bell counts n values of a normal distribution between bounds from 0 to 1.
func bell(n int64, mean, sd float64) readout.ScoreReport {
	h := readout.HistogramReport{}
	below := 0.0
	for i := 0; i <= 50; i++ {
		bound := float64(i) / 50
		h.Bounds = append(h.Bounds, bound)
		up := 0.5 * (1 + math.Erf((bound-mean)/sd/math.Sqrt2))
		h.Counts = append(h.Counts, int64(float64(n)*(up-below)))
		below = up
	}
	h.Counts = append(h.Counts, int64(float64(n)*(1-below)))
	return readout.ScoreReport{N: n, Mean: num(mean), StdDev: num(sd), P10: num(mean - 1.28*sd), P50: num(mean), P90: num(mean + 1.28*sd), Histogram: h}
}

func latency(p50, p90, p95, p99 float64) readout.LatencyReport {
	return readout.LatencyReport{P50: num(p50), P90: num(p90), P95: num(p95), P99: num(p99)}
}

// control, arm and few are the numbers of a variant on a metric.
func control(units int64, converted int64, mean, low, high float64) readout.MetricVariantReport {
	return readout.MetricVariantReport{Name: "control", Units: units, Converted: converted, Mean: num(mean), Low: num(low), High: num(high)}
}

func arm(name string, units int64, m [3]float64, d [3]float64, base, p float64, verdict string) readout.MetricVariantReport {
	return readout.MetricVariantReport{Name: name, Units: units, Converted: int64(float64(units) * m[0]), Mean: num(m[0]), Low: num(m[1]), High: num(m[2]),
		Difference: num(d[0]), DifferenceLow: num(d[1]), DifferenceHigh: num(d[2]),
		Lift: num(d[0] / base), LiftLow: num(d[1] / base), LiftHigh: num(d[2] / base), PValue: num(p), Verdict: verdict}
}

// healthy is an experiment of three variants that is well under way.
func healthy() *readout.Report {
	return &readout.Report{
		Experiment: "risk-gbm", Model: "risk", State: "running", Control: "control", Unit: "user", Alpha: 0.05, Sample: 1,
		Since: time.Date(2026, 11, 12, 8, 0, 0, 0, time.UTC), At: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC),
		Exposures: 184310, Requests: 181204, Overridden: 412, Forced: 37,
		SRM: readout.SRMReport{Units: 60213, PValue: 0.61, ChiSquare: num(1.21), ChiSquareP: num(0.546)},
		Variants: []readout.VariantReport{
			{Name: "control", Control: true, Weight: 50, Units: 30188, Share: num(0.50135), ExpectedShare: num(0.5), Requests: 90761, Rejected: 12, Errors: 4, ErrorRate: num(4.4e-5),
				Degraded: 31, Latency: latency(1.9, 2.8, 3.3, 5.1), Score: bell(90745, 0.31, 0.12)},
			{Name: "treatment", Weight: 40, Units: 24012, Share: num(0.39878), ExpectedShare: num(0.4), Requests: 72310, Errors: 9, ErrorRate: num(1.2e-4),
				Degraded: 22, Latency: latency(2.2, 3.6, 4.4, 7.9), Score: bell(72290, 0.36, 0.15)},
			{Name: "distilled", Weight: 10, Canary: true, Units: 6013, Share: num(0.09986), ExpectedShare: num(0.1), Requests: 18133, Errors: 25, ErrorRate: num(1.38e-3), NonFinite: 3,
				OtherServed: 22, Degraded: 40, Latency: latency(0.8, 1.2, 1.5, 2.6), Score: bell(18100, 0.27, 0.09)},
		},
		Metrics: []readout.MetricReport{
			{Name: "purchase", Kind: "conversion", Goal: "up", Within: "168h", Variants: []readout.MetricVariantReport{
				control(30188, 3520, 0.1166, 0.1121, 0.1213),
				arm("treatment", 24012, [3]float64{0.1291, 0.1238, 0.1346}, [3]float64{0.0125, 0.0054, 0.0196}, 0.1166, 0.0003, readout.Better),
				arm("distilled", 6013, [3]float64{0.1139, 0.1039, 0.1246}, [3]float64{-0.0027, -0.0136, 0.0082}, 0.1166, 1, readout.Undecided)}},
			{Name: "chargeback", Kind: "conversion", Goal: "down", Variants: []readout.MetricVariantReport{
				control(30188, 311, 0.0103, 0.0089, 0.0119),
				arm("treatment", 24012, [3]float64{0.0132, 0.0116, 0.0150}, [3]float64{0.0029, 0.0007, 0.0051}, 0.0103, 0.011, readout.Worse),
				arm("distilled", 6013, [3]float64{0.0108, 0.0076, 0.0151}, [3]float64{0.0005, -0.0034, 0.0044}, 0.0103, 1, readout.Undecided)}},
			{Name: "revenue", Kind: "value", Goal: "up", Variants: []readout.MetricVariantReport{
				control(30188, 3520, 6.41, 6.02, 6.80),
				arm("treatment", 24012, [3]float64{6.93, 6.49, 7.37}, [3]float64{0.52, -0.07, 1.11}, 6.41, 0.11, readout.Undecided),
				arm("distilled", 6013, [3]float64{6.2, 3.1, 9.3}, [3]float64{-0.21, -3.4, 2.9}, 6.41, 1, readout.TooFew)}},
		},
		Feedback: readout.FeedbackReport{Counted: 8214, Repeated: 93, BeforeExposure: 4, Unmatched: readout.UnmatchedReport{UnknownUnit: 12}},
		Guardrails: []readout.GuardrailReport{
			{Metric: "error_rate", Action: "rollback", Variant: "treatment", Bound: "max_increase 1", Window: "1m0s", Value: num(0.012), ControlValue: num(0.004), Requests: 4120, ControlRequests: 5003, Text: "error_rate of treatment is 0.012%"},
			{Metric: "error_rate", Action: "rollback", Variant: "distilled", Bound: "max_increase 1", Window: "1m0s", Value: num(0.14), ControlValue: num(0.004), Requests: 1011, ControlRequests: 5003, Text: "error_rate of distilled is 0.14%"},
			{Metric: "p99_ms", Action: "pause", Variant: "treatment", Bound: "max_ratio 2", Window: "1m0s", Value: num(8.1), ControlValue: num(5.0), Requests: 4120, ControlRequests: 5003, Text: "p99_ms of treatment is 8.1 ms"},
			{Metric: "purchase", Action: "alert", Variant: "distilled", Bound: "max_decrease 5", ControlValue: num(11.66), Requests: 6013, ControlRequests: 30188, Text: "too few units to say"},
		},
		Notes: []string{"412 exposures were left out: of users listed for a variant", "37 exposures were left out: of a forced variant"},
	}
}

// broken is an experiment whose split is wrong, with a variant that was rolled
// back, and names that would be markup in a page.
func broken() *readout.Report {
	return &readout.Report{
		Experiment: "rank<new>", Model: "ranking", State: "running", Control: "control", Unit: "session", Alpha: 0.05, Sample: 0.25,
		Since: time.Date(2026, 11, 26, 1, 10, 0, 0, time.UTC), At: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC),
		Exposures: 12004, Requests: 12004, Moved: 7,
		SRM: readout.SRMReport{Units: 9120, PValue: 3.1e-9, ChiSquare: num(41), ChiSquareP: num(1.5e-10), Alert: true},
		Variants: []readout.VariantReport{
			{Name: "control", Control: true, Weight: 100, Units: 4870, Share: num(0.534), ExpectedShare: num(0.5), Requests: 6500, ErrorRate: num(0), Latency: latency(12, 19, 24, 41)},
			{Name: "new", Weight: 0, Held: true, Units: 4250, Share: num(0.466), ExpectedShare: num(0.5), Requests: 5504, Errors: 410, ErrorRate: num(0.0745), Latency: latency(35, 88, 120, 240)},
		},
		Guardrails: []readout.GuardrailReport{{Metric: "error_rate", Action: "rollback", Variant: "new", Bound: "max 2", Window: "1m0s", Value: num(7.45), ControlValue: num(0),
			Requests: 5504, ControlRequests: 6500, Tripped: true, Text: "error_rate of new is 7.45% (410 of 5504), above max 2"}},
		Notes: []string{"one unit in 4 is kept, chosen at random; numbers of units are estimates, and statistics are of those kept"},
	}
}

// unseen is an experiment that nothing has happened to.
func unseen() *readout.Report {
	return &readout.Report{Experiment: "quiet", Model: "risk", State: "draft", Control: "a", Unit: "user", Alpha: 0.05, Sample: 1, SRM: readout.SRMReport{PValue: 1},
		Variants: []readout.VariantReport{{Name: "a", Control: true, Weight: 50}, {Name: "b", Weight: 50}},
		Metrics: []readout.MetricReport{{Name: "click", Kind: "conversion", Goal: "up", Variants: []readout.MetricVariantReport{
			{Name: "a"}, {Name: "b", Verdict: readout.TooFew}}}}}
}
