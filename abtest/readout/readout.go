package readout

import (
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// The defaults and limits of Options.
const (
	DefaultUnits    = 1_000_000
	DefaultRequests = 262_144
	DefaultAlpha    = 0.05

	leastUnits = 100
	mostUnits  = 100_000_000
)

// Options bound what a Readout keeps. A zero stands for its default.
type Options struct {
	// Units is how many units are kept, over all experiments; a value metric's sum of
	// a unit counts as another one. Each takes some 40 bytes.
	Units int
	// Requests is about how many of the latest requests feedback can be joined to:
	// nineteen of twenty of so many, and all but one in a thousand of half as many.
	// Each takes 32 to 64 bytes.
	Requests int
	// Alpha is the error probability of intervals and verdicts.
	Alpha float64
	// Seed chooses the sample. A random one keeps clients, who may choose ids, from
	// knowing which units stay; 0: the sample of a log is the same in every process.
	Seed uint64
	// Reg gets the metrics; nil: nobody does.
	Reg prometheus.Registerer
}

func (o *Options) complete() error {
	if o.Units == 0 {
		o.Units = DefaultUnits
	}
	if o.Requests == 0 {
		o.Requests = DefaultRequests
	}
	if o.Alpha == 0 {
		o.Alpha = DefaultAlpha
	}
	var problems []error
	if o.Units < leastUnits || o.Units > mostUnits {
		problems = append(problems, fmt.Errorf("readout: Units is %d: must be between %d and %d, or 0 for %d", o.Units, leastUnits, mostUnits, DefaultUnits))
	}
	if o.Requests < 1 || o.Requests > mostUnits {
		problems = append(problems, fmt.Errorf("readout: Requests is %d: must be between 1 and %d, or 0 for %d", o.Requests, mostUnits, DefaultRequests))
	}
	if !(o.Alpha > 0 && o.Alpha < 0.5) {
		problems = append(problems, fmt.Errorf("readout: Alpha is %v: must be above 0 and below 0.5, such as 0.05", o.Alpha))
	}
	return errors.Join(problems...)
}

// Readout implements exposure.Follower. Every method may be called from any
// goroutine.
type Readout struct {
	alpha float64
	seed  uint64

	mu          sync.Mutex
	plans       recentPlans
	experiments map[string]*experiment
	byID        []*experiment // what units and requests refer to; nil: forgotten
	order       []string      // of the experiments in the file
	units       unitTable
	requests    requestTable
	now         int64 // the time that Guardrails was given, or of an event after that
	unmatched   UnmatchedReport
}

// New makes a readout that knows no experiment: give it a plan.
func New(o Options) (*Readout, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := &Readout{alpha: o.Alpha, seed: o.Seed, experiments: map[string]*experiment{}}
	r.units.init(o.Units)
	r.requests.init(o.Requests)
	if o.Reg != nil {
		if err := o.Reg.Register(collector{r}); err != nil {
			return nil, fmt.Errorf("metrics of the readout: %w", err)
		}
	}
	return r, nil
}

// Exposed implements exposure.Follower.
func (r *Readout) Exposed(e *exposure.Event, _ bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = max(r.now, e.At)
	x := r.experiments[e.Experiment]
	if x == nil {
		return
	}
	shares, ours := r.sharesOf(x, e)
	arm := x.arm(e.Assigned)
	if !ours || arm < 0 {
		x.dropped++
		return
	}
	switch e.Reason {
	case abtest.ReasonOverride:
		x.overridden++
	case abtest.ReasonForced:
		x.forced++
	case abtest.ReasonPaused:
		x.paused++
	}
	if !e.Reason.Exposes() {
		return
	}
	x.begin(e.At)
	x.exposures++
	key := x.key(e.Unit)
	r.exposed(x, arm, key, e, shares)
	if len(e.RequestID) > 0 {
		r.requests.add(digest(r.seed, e.RequestID), key, x.id)
	}
	if e.Via == exposure.Predict || e.Via == exposure.Infer {
		x.arms[arm].observe(e)
	}
}

// exposed keeps a unit that is new, if it is in the sample.
func (r *Readout) exposed(x *experiment, arm int, key uint64, e *exposure.Event, shares []float64) {
	if !x.sampled(key) {
		return
	}
	if u := r.units.find(key, x.id); u != nil {
		if int(u.variant) != arm && !u.moved {
			u.moved = true
			x.moved++
		}
		return
	}
	if r.units.full() {
		r.makeRoom()
		if !x.sampled(key) || r.units.full() {
			return
		}
	}
	r.units.add(unit{key: key, at: e.At, experiment: x.id, variant: uint8(arm)})
	x.entries++
	x.arms[arm].units++
	x.test(arm, e.Reason, shares)
}
