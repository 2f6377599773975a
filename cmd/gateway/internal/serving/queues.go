package serving

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/batcher"
)

var (
	descQueued = prometheus.NewDesc("hotpath_queue_rows", "Rows that wait for a run.", []string{"model", "version"}, nil)
	descBusy   = prometheus.NewDesc("hotpath_runners_busy", "Runners with a run in progress.", []string{"model", "version"}, nil)
	descStuck  = prometheus.NewDesc("hotpath_runners_stuck", "Runners in a run that outlived run_timeout.", []string{"model", "version"}, nil)
	descGen    = prometheus.NewDesc("hotpath_snapshot_generation", "Number of the snapshot that serves.", nil, nil)
)

// Collector exports the state of the batchers and of the snapshot at each scrape.
func Collector(w *World) prometheus.Collector { return collector{w} }

type collector struct{ world *World }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descQueued, descBusy, descStuck, descGen} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	c.world.Queues(func(model string, version int, s batcher.Stats, _ Info) {
		v := strconv.Itoa(version)
		ch <- prometheus.MustNewConstMetric(descQueued, prometheus.GaugeValue, float64(s.Queued), model, v)
		ch <- prometheus.MustNewConstMetric(descBusy, prometheus.GaugeValue, float64(s.Busy), model, v)
		ch <- prometheus.MustNewConstMetric(descStuck, prometheus.GaugeValue, float64(s.Stuck), model, v)
	})
	ch <- prometheus.MustNewConstMetric(descGen, prometheus.GaugeValue, float64(c.world.State().Generation))
}
