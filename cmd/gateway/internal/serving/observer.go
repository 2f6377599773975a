package serving

import (
	"time"

	"hotpath/abtest/exposure"
	"hotpath/router"
)

// Observer puts what the pipeline has answered into the log of exposures, and
// offers every request to the sample of the traffic. It implements router.Observer.
type Observer struct {
	Log *exposure.Log
	// Sample keeps some of the requests; nil: none.
	Sample interface{ Offer(x *router.Exchange) }
}

// Observe implements router.Observer.
func (o *Observer) Observe(x *router.Exchange, refusal *router.Error, took time.Duration) {
	if o.Sample != nil {
		o.Sample.Offer(x)
	}
	a := &x.Assignment
	if a.Variant == nil {
		return
	}
	e := exposure.Event{
		At: time.Now().UnixNano(), RequestID: x.Request.RequestID, Unit: x.AssignedUnit(), UnitName: a.Experiment.Unit(),
		Experiment: a.Experiment.Name(), Assigned: a.Variant.Name(), Reason: a.Reason, Bucket: a.Bucket,
		Model: x.Lane.Model, Version: x.Lane.Version, Plan: x.Plan().Digest(), Generation: x.Generation(),
		Via: vias[x.Via], Code: router.OK.String(), NonFinite: x.NonFinite,
	}
	if x.Via == router.ViaPredict || x.Via == router.ViaInfer {
		e.LatencyNS = int64(took)
	}
	if refusal != nil {
		e.Code = refusal.Code.String()
	} else {
		e.Degraded = x.Degraded.Names()
		e.Score, e.HasScore = x.Score()
		if x.Degraded&router.DegradedStatic == 0 {
			e.Served = x.Variant.Name()
		}
	}
	o.Log.Record(&e)
}

var vias = [...]exposure.Via{
	router.ViaPredict: exposure.Predict, router.ViaInfer: exposure.Infer, router.ViaAssign: exposure.Assign, router.ViaFlag: exposure.Flag,
}
