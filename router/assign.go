package router

import (
	"time"

	"hotpath/abtest"
)

// Assign settles which variant a request would get, and scores nothing. The
// experiment, when one is named, says which model is asked about; otherwise the
// request does. After nil the assignment and the lane are in the exchange.
func (p *Pipeline) Assign(x *Exchange, experiment []byte) *Error {
	start := time.Now()
	if x.snapshot = p.acquire(); x.snapshot == nil {
		return errNotReady
	}
	if len(experiment) > 0 {
		e := x.snapshot.plan.Experiment(string(experiment))
		if e == nil {
			return &Error{Code: UnknownExperiment, Field: "experiment", Message: "there is no experiment named " + quote(experiment[:min(len(experiment), shownName)])}
		}
		x.Request.Model = append(x.Request.Model[:0:0], e.Model()...)
	}
	model := x.snapshot.model(x.Request.Model)
	if model == nil {
		return x.unknownModel()
	}
	_, err := p.assign(x, model, start)
	return err
}

// Assignable is the request as the experiments see it, for an observer.
func (x *Exchange) Assignable() abtest.Request {
	r := x.assignable(time.Now())
	return r
}

// Plan is the experiments that the request was assigned by.
func (x *Exchange) Plan() *abtest.Plan { return x.snapshot.plan }
