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
