package exposure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits of the texts of one event, in bytes. What is longer is dropped and
// counted: an id that is cut would be another unit's.
const (
	MaxUnit      = 256 // of Unit, in both kinds
	MaxRequestID = 256
	MaxID        = 256 // of Feedback.ID
	MaxName      = 128 // of Feedback's UnitName, Experiment and Outcome
)

// Options of a Log. A zero number stands for its default.
type Options struct {
	// Queue is how many events wait for the log's goroutine, rounded up to a power
	// of two; 16,384. Further ones are dropped.
	Queue int
	// Window is how long a unit that was recorded in a variant is not recorded there
	// again; 0: every event is recorded.
	Window time.Duration
	// Units is how many recorded units are remembered within a window; 1,048,576, at
	// about 20 bytes each. Of feedback, a quarter as many ids are.
	Units int
	// Requests is how many of the latest requests are remembered, so that a record of
	// feedback that names one tells its unit; 262,144, at 64 bytes each.
	Requests int
	// SinkBytes is how much waits for each sink; 8 MiB, which may take twice as much
	// memory. Further lines are lost to it.
	SinkBytes int
	// Followers hear of everything.
	Followers []Follower
	// Sinks keep the records. The log closes them.
	Sinks []Sink
	// Log hears of sinks that begin to fail and that work again; nil: nobody does.
	Log *slog.Logger
}

// The defaults, and the most that each may be.
const (
	defaultQueue, maxQueue         = 1 << 14, 1 << 22
	defaultUnits, maxUnits         = 1 << 20, 1 << 28
	defaultRequests, maxRequests   = 1 << 18, 1 << 28
	defaultSinkBytes, maxSinkBytes = 8 << 20, 1 << 30
)

// Follower hears of everything that the log took, in order and in the log's own
// goroutine, so it must be quick: while it works, the queue fills. It keeps nothing
// of an event but its strings.
type Follower interface {
	// Exposed hears of an event. First says that it is the first of its unit,
	// experiment, assigned and served variant in this window, under this plan and
	// with a reason that exposes, or not, as well: the one that is recorded.
	Exposed(e *Event, first bool)
	// Reported hears of feedback that is not a repetition.
	Reported(f *Feedback)
}

// Log takes events from any number of goroutines. It never makes them wait.
type Log struct {
	queue     *queue
	followers []Follower
	outlets   []*outlet
	closing   chan struct{} // closed by Close
	closeOnce sync.Once
	done      chan struct{} // closed by run
	metrics   *metrics

	// The rest belongs to run.
	window  window
	ids     *recent
	joins   *joins // nil: there are no sinks
	prints  fingerprints
	chunk   []byte
	clock   stamp
	report  Feedback
	waiting *time.Timer
}

// Open starts a log: one goroutine for it and one for each sink. Close ends them.
// After an error the sinks are still the caller's.
func Open(o Options, reg prometheus.Registerer) (*Log, error) {
	if err := o.settle(); err != nil {
		return nil, err
	}
	l := &Log{queue: newQueue(o.Queue), followers: o.Followers, closing: make(chan struct{}), done: make(chan struct{}),
		window: newWindow(o.Window, o.Units), ids: newRecent(o.Units / 4), prints: newFingerprints(), waiting: newTimer()}
	for _, s := range o.Sinks {
		l.outlets = append(l.outlets, newOutlet(s, o.SinkBytes, o.Log))
	}
	if len(o.Sinks) > 0 {
		l.joins = newJoins(o.Requests)
	}
	var err error
	if l.metrics, err = newMetrics(l, reg); err != nil {
		return nil, err
	}
	for _, out := range l.outlets {
		go out.run()
	}
	go l.run()
	return l, nil
}

// settle fills in the defaults and refuses what makes no sense.
func (o *Options) settle() error {
	var problems []error
	number := func(name string, value *int, otherwise, most int) {
		if *value == 0 {
			*value = otherwise
		}
		if *value < 0 || *value > most {
			problems = append(problems, fmt.Errorf("exposures: %s is %d: must be between 1 and %d, or 0 for %d", name, *value, most, otherwise))
		}
	}
	number("Queue", &o.Queue, defaultQueue, maxQueue)
	number("Units", &o.Units, defaultUnits, maxUnits)
	number("Requests", &o.Requests, defaultRequests, maxRequests)
	number("SinkBytes", &o.SinkBytes, defaultSinkBytes, maxSinkBytes)
	if o.Window != 0 && o.Window < time.Second {
		problems = append(problems, fmt.Errorf("exposures: Window is %s: must be 1s or longer, or 0 to record every event", o.Window))
	}
	names := map[string]bool{}
	for _, s := range o.Sinks {
		if names[s.Name()] {
			problems = append(problems, fmt.Errorf("exposures: two sinks are named %q: give each its own name", s.Name()))
		}
		names[s.Name()] = true
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(problems...)
}

// Record takes a copy of an event, without waiting. False: it was dropped, and
// counted by its reason.
func (l *Log) Record(e *Event) bool {
	if len(e.Unit) > MaxUnit || len(e.RequestID) > MaxRequestID {
		return l.drop(kindExposure, tooLong)
	}
	s, at, why := l.queue.claim()
	if why != accepted {
		return l.drop(kindExposure, why)
	}
	s.keepEvent(e)
	l.queue.publish(s, at)
	return true
}

// Feedback takes a copy of an outcome, without waiting. False: it was dropped, and
// counted by its reason.
func (l *Log) Feedback(f *Feedback) bool {
	if len(f.Unit) > MaxUnit || len(f.RequestID) > MaxRequestID || len(f.ID) > MaxID ||
		max(len(f.UnitName), len(f.Experiment), len(f.Outcome)) > MaxName {
		return l.drop(kindFeedback, tooLong)
	}
	if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
		return l.drop(kindFeedback, notFinite)
	}
	s, at, why := l.queue.claim()
	if why != accepted {
		return l.drop(kindFeedback, why)
	}
	s.keepFeedback(f)
	l.queue.publish(s, at)
	return true
}

func (l *Log) drop(k kind, why refusal) bool {
	l.metrics.dropped[k][why].Inc()
	return false
}

// Close takes no more events, has everything that was taken told to the followers
// and written, and closes the sinks. A sink that fails now is not tried again. The
// error says what is lost. A follower or sink that is stuck keeps its goroutine
// beyond the context.
func (l *Log) Close(ctx context.Context) error {
	l.closeOnce.Do(func() {
		l.queue.close()
		close(l.closing)
	})
	select {
	case <-l.done:
	case <-ctx.Done():
		return fmt.Errorf("exposures: %d events are not recorded yet: %w", l.queue.waiting(), context.Cause(ctx))
	}
	var problems []error
	for _, out := range l.outlets {
		if err := out.wait(ctx); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
