package router

import (
	"math/bits"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Outcomes count the requests of one model version, as far as they say something
// about it: what a client sent wrong does not.
type Outcomes struct {
	// Requests were answered or failed.
	Requests uint64
	// Failed ones got a 5xx of the model's making, or the static answer in its place.
	Failed uint64
	// NonFinite answers held a NaN or an infinity.
	NonFinite uint64
}

// Outcomes reads the counters. They are read one after the other, while requests
// go on.
func (l *LaneMetrics) Outcomes() Outcomes {
	o := Outcomes{NonFinite: count(l.nonfinite)}
	for _, code := range []Code{Internal, Overloaded, BreakerOpen, ModelUnavailable, Deadline} {
		o.Failed += count(l.byCode[code])
	}
	o.Requests = o.Failed + count(l.byCode[OK])
	o.Failed += count(l.degraded[bits.TrailingZeros8(uint8(DegradedStatic))])
	return o
}

func count(c prometheus.Counter) uint64 {
	var m dto.Metric
	if c.Write(&m) != nil {
		return 0 // a counter that cannot be written counts nothing
	}
	return uint64(m.GetCounter().GetValue())
}
