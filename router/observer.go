package router

import "time"

// Observer hears of every request that was assigned, when it has been answered or
// refused: for the log of exposures and for the sample of the traffic. It must not
// block, and keep nothing of the exchange.
type Observer interface {
	Observe(x *Exchange, refusal *Error, took time.Duration)
}

// observed tells the observer, if there is one.
func (p *Pipeline) observed(x *Exchange, refusal *Error, start time.Time) {
	if p.options.Observer != nil {
		p.options.Observer.Observe(x, refusal, time.Since(start))
	}
}

// Generation counts the snapshots of this process; that of the request's.
func (x *Exchange) Generation() uint64 { return x.snapshot.generation }

// AssignedUnit is the id that the experiment of the assignment has assigned, in memory
// of the exchange; nil without an experiment.
func (x *Exchange) AssignedUnit() []byte {
	if x.Assignment.Experiment == nil {
		return nil
	}
	r := x.Assignable()
	x.unit = x.Assignment.Experiment.AppendUnit(x.unit[:0], &r)
	return x.unit
}
