package abtest

// MetricConfig is an outcome that the readout compares between the variants.
type MetricConfig struct {
	Name   string `yaml:"name" json:"name" doc:"outcome that POST /feedback reports, such as purchase; unique in the experiment, and none of the metrics of answers that guardrails know"`
	Kind   string `yaml:"kind,omitempty" json:"kind,omitempty" doc:"conversion: the share of units with at least one; value: the sum of the values of a unit; default: conversion"`
	Goal   string `yaml:"goal,omitempty" json:"goal,omitempty" doc:"up or down: the direction that is better; default: up"`
	Within string `yaml:"within,omitempty" json:"within,omitempty" doc:"longest time from a unit's first exposure to an outcome that counts, as a duration such as 168h; at most 8784h; default: no limit"`
}

// GuardrailConfig is a bound on what a variant may do to those who are in it.
type GuardrailConfig struct {
	Metric      string   `yaml:"metric" json:"metric" doc:"error_rate, degraded_rate or nonfinite_rate in percent of the answers, p50_ms, p90_ms, p95_ms or p99_ms of their latency, mean_score of the predictions, or the name of one of the experiment's metrics: a conversion in percent of the units, a value as its mean per unit"`
	Variants    []string `yaml:"variants,omitempty" json:"variants,omitempty" doc:"variants that are watched, never a shadow; default: every one but the control"`
	Max         *float64 `yaml:"max,omitempty" json:"max,omitempty" doc:"trips above this, in the metric's unit"`
	Min         *float64 `yaml:"min,omitempty" json:"min,omitempty" doc:"trips below this, in the metric's unit; not for the rates of answers"`
	MaxIncrease *float64 `yaml:"max_increase,omitempty" json:"max_increase,omitempty" doc:"trips where the metric is above the control's by more than this, in the metric's unit (percentage points for rates)"`
	MaxDecrease *float64 `yaml:"max_decrease,omitempty" json:"max_decrease,omitempty" doc:"trips where the metric is below the control's by more than this, in the metric's unit; not for the rates of answers"`
	MaxRatio    *float64 `yaml:"max_ratio,omitempty" json:"max_ratio,omitempty" doc:"trips where the metric is more than this many times the control's, above 1; not for mean_score"`
	Window      string   `yaml:"window,omitempty" json:"window,omitempty" doc:"answers that are looked at: the latest of this duration, 10s to 10m; default: 1m; not for metrics of feedback, which look at everything since the experiment's readout began"`
	MinRequests int      `yaml:"min_requests,omitempty" json:"min_requests,omitempty" doc:"fewest answers (units, for metrics of feedback) of each variant compared before it can trip, at most 1000000; default: 100"`
	Action      string   `yaml:"action,omitempty" json:"action,omitempty" doc:"rollback: the variant's units go to the control; pause: the experiment is paused; alert: it is only said; default: rollback"`
}
