package readout

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector reads the counts when the metrics are scraped, so that events cost
// nothing for it and the series of an experiment end with it.
type collector struct{ readout *Readout }

var (
	byVariant = []string{"experiment", "variant"}

	unitsDesc = prometheus.NewDesc("hotpath_experiment_units",
		"Different units first seen in the variant since the readout of the experiment began; an estimate once the sample is halved.", byVariant, nil)
	requestsDesc = prometheus.NewDesc("hotpath_experiment_requests_total",
		"Requests of units that chance assigned to the variant.", byVariant, nil)
	errorsDesc = prometheus.NewDesc("hotpath_experiment_errors_total",
		"Requests that the assigned variant did not answer, whether another one stood in or not; without those that were the client's fault.", byVariant, nil)
	latencyDesc = prometheus.NewDesc("hotpath_experiment_latency_seconds",
		"Time in the pipeline by assigned variant, since the readout of the experiment began.", byVariant, nil)
	srmDesc = prometheus.NewDesc("hotpath_experiment_srm_p_value",
		"Anytime-valid p-value of the split between the variants; below 0.001 it is wrong.", []string{"experiment"}, nil)
	trippedDesc = prometheus.NewDesc("hotpath_experiment_guardrail_tripped_total",
		"Guardrails that tripped.", []string{"experiment", "variant", "metric"}, nil)
	sampleDesc = prometheus.NewDesc("hotpath_experiment_sample_ratio",
		"Share of the units that the readout keeps.", []string{"experiment"}, nil)
	unmatchedDesc = prometheus.NewDesc("hotpath_experiment_feedback_unmatched_total",
		"Outcomes that led to no unit.", []string{"cause"}, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{unitsDesc, requestsDesc, errorsDesc, latencyDesc, srmDesc, trippedDesc, sampleDesc, unmatchedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The channel may be slow, so nothing is
// sent under the lock.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	r := c.readout
	r.mu.Lock()
	names, u := append([]string(nil), r.order...), r.unmatched
	r.mu.Unlock()
	for _, cause := range [...]struct {
		name string
		n    int64
	}{
		{"unknown_request", u.UnknownRequest}, {"ambiguous_request", u.AmbiguousRequest}, {"unknown_unit", u.UnknownUnit},
		{"unknown_experiment", u.UnknownExperiment}, {"bad_value", u.BadValue},
	} {
		ch <- prometheus.MustNewConstMetric(unmatchedDesc, prometheus.CounterValue, float64(cause.n), cause.name)
	}
	var all []prometheus.Metric
	for _, name := range names {
		all = r.collect(all[:0], name)
		for _, m := range all {
			ch <- m
		}
	}
}

// collect appends the metrics of one experiment.
func (r *Readout) collect(all []prometheus.Metric, name string) []prometheus.Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.experiments[name]
	if x == nil {
		return all
	}
	add := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		all = append(all, prometheus.MustNewConstMetric(d, kind, v, labels...))
	}
	add(srmDesc, prometheus.GaugeValue, x.srm.P(), name)
	add(sampleDesc, prometheus.GaugeValue, 1/x.scale(), name)
	for i := range x.arms {
		a := &x.arms[i]
		add(unitsDesc, prometheus.GaugeValue, float64(x.estimated(a.units)), name, a.name)
		add(requestsDesc, prometheus.CounterValue, float64(a.requests), name, a.name)
		add(errorsDesc, prometheus.CounterValue, float64(a.errors), name, a.name)
		if a.latency.n > 0 {
			all = append(all, prometheus.MustNewConstSummary(latencyDesc, uint64(a.latency.n), a.latencySum/nanosecondsPerSecond, a.latencyQuantiles(), name, a.name))
		}
	}
	seen := map[tripKey]bool{}
	for i := range x.guards {
		for _, w := range x.guards[i].watched {
			key := tripKey{x.arms[w.arm].name, x.guards[i].Metric}
			if !seen[key] {
				add(trippedDesc, prometheus.CounterValue, float64(x.trips[key]), name, key.variant, key.metric)
			}
			seen[key] = true
		}
	}
	return all
}

const nanosecondsPerSecond = 1e9

// latencyQuantiles are in seconds.
func (a *answers) latencyQuantiles() map[float64]float64 {
	all := map[float64]float64{}
	for _, q := range [...]float64{0.5, 0.9, 0.99} {
		ns, _ := a.latency.quantile(q)
		all[q] = ns / nanosecondsPerSecond
	}
	return all
}
