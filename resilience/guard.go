package resilience

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/sony/gobreaker/v2"
)

// ErrOpen says that the breaker refuses calls for now: the downstream has been
// failing, or its few probes are already on their way.
var ErrOpen = errors.New("circuit breaker open")

// Outcome classes of a call, given to Pass.Leave. What counts as a failure is
// decided by the caller, who knows its downstream: a timeout or a refused
// connection is one, bad input or a full queue of our own is not.
var (
	errFailure = errors.New("failure")
	errIgnored = errors.New("ignored")
)

// Outcome is how a guarded call went.
type Outcome uint8

const (
	// Success counts for the downstream.
	Success Outcome = iota
	// Failure counts against it.
	Failure
	// Ignored says nothing about it, and gives a probe's place back.
	Ignored
)

// Options of a Guard. All must be positive; Validate says which is not.
type Options struct {
	// FailureRatio of the results in Window that opens the breaker, 0..1.
	FailureRatio float64
	// MinResults in Window before the ratio means anything.
	MinResults uint32
	// ConsecutiveFailures open the breaker too, whatever the ratio; 0 switches that off.
	ConsecutiveFailures uint32
	// Window of time over which results are counted. A call that takes longer is
	// not counted at all: make it several times the longest deadline.
	Window time.Duration
	// OpenFor is how long an open breaker refuses before it lets probes through.
	OpenFor time.Duration
	// Probes let through at once while half-open, and successes needed to close.
	Probes uint32
	// MaxConcurrent calls in flight, waiting or running: the bulkhead.
	MaxConcurrent uint
	// RetryRatio bounds retries in flight to this share of the calls in flight,
	// retries included; one is always allowed, unless the ratio is 0: no retries.
	RetryRatio float64
}

// Validate reports every option that is out of range.
func (o Options) Validate() error {
	var errs []error
	bad := func(name string, ok bool, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s must be %s", name, want))
		}
	}
	bad("failure_ratio", o.FailureRatio > 0 && o.FailureRatio <= 1, "above 0 and at most 1")
	bad("min_results", o.MinResults > 0, "at least 1")
	bad("window", o.Window >= 100*time.Millisecond, "at least 100ms")
	bad("open_for", o.OpenFor > 0, "positive")
	bad("probes", o.Probes > 0, "at least 1")
	bad("max_concurrent", o.MaxConcurrent > 0, "at least 1")
	bad("retry_ratio", o.RetryRatio >= 0 && o.RetryRatio <= 1, "between 0 and 1")
	return errors.Join(errs...)
}

// Permits is a set of permits that can be tried, never waited for.
type Permits interface {
	TryAcquirePermit() bool
	ReleasePermit()
}

// Guard stands before one downstream. It is safe for concurrent use; it never
// blocks, logs, or calls back while it holds a lock.
type Guard struct {
	name     string
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	bulkhead *countedPermits
	retries  retryBudget
	limit    uint
	trips    atomic.Uint64 // times the breaker opened
	refused  atomic.Uint64 // calls refused by the breaker
	forced   atomic.Bool   // held open by an operator
}

// breakerBuckets is the resolution of the sliding window.
const breakerBuckets = 10

// New makes a guard for the downstream of that name.
func New(name string, o Options) (*Guard, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("guard %s: %w", name, err)
	}
	g := &Guard{name: name, limit: o.MaxConcurrent}
	g.bulkhead = &countedPermits{inner: bulkhead.New[struct{}](o.MaxConcurrent)}
	var err error
	if g.retries, err = newRetryBudget(o.RetryRatio); err != nil {
		return nil, fmt.Errorf("guard %s: %w", name, err)
	}
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		MaxRequests:  o.Probes,
		Interval:     o.Window,
		BucketPeriod: o.Window / breakerBuckets,
		Timeout:      o.OpenFor,
		ReadyToTrip:  o.readyToTrip,
		IsSuccessful: func(err error) bool { return err == nil },
		IsExcluded:   func(err error) bool { return err == errIgnored },
		// Runs under the breaker's lock: count and leave.
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				g.trips.Add(1)
			}
		},
	})
	return g, nil
}

// readyToTrip judges finished calls only: Requests includes those in flight.
func (o Options) readyToTrip(c gobreaker.Counts) bool {
	if o.ConsecutiveFailures > 0 && c.ConsecutiveFailures >= o.ConsecutiveFailures {
		return true
	}
	results := c.TotalSuccesses + c.TotalFailures
	return results >= o.MinResults && float64(c.TotalFailures) >= o.FailureRatio*float64(results)
}

// Pass is the right to make one call. Leave must be called exactly once.
type Pass struct {
	done  func(error)
	guard *Guard
}

// Enter asks to make a call. It fails with ErrOpen at once, or not at all.
func (g *Guard) Enter() (Pass, error) {
	if g.forced.Load() {
		g.refused.Add(1)
		return Pass{}, ErrOpen
	}
	done, err := g.breaker.Allow()
	if err != nil {
		g.refused.Add(1)
		return Pass{}, ErrOpen
	}
	g.retries.RecordExecution()
	return Pass{done, g}, nil
}

// Failures reports n failures that no caller reports, such as those of the rows
// of a run that had to be stopped after their callers had left. It stops when the
// breaker is open.
func (g *Guard) Failures(n int) {
	for range n {
		done, err := g.breaker.Allow()
		if err != nil {
			return
		}
		done(errFailure)
	}
}

// Leave reports how the call went, at the latest when its caller gives up.
func (p Pass) Leave(o Outcome) {
	p.guard.retries.ReleaseExecution()
	switch o {
	case Success:
		p.done(nil)
	case Failure:
		p.done(errFailure)
	default:
		p.done(errIgnored)
	}
}

// Permits is the bulkhead, for the queue before the downstream.
func (g *Guard) Permits() Permits { return g.bulkhead }

// Retries is the retry budget: take a permit for the time of one retry. Its
// measure is the number of passes that are out.
func (g *Guard) Retries() Permits { return g.retries }

// Hold opens the breaker until it is called with false: an operator's switch.
func (g *Guard) Hold(open bool) { g.forced.Store(open) }
