package batcher

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/resilience/handoff"
)

// hangs is an onRun that hangs, deaf to Cancel, on the rows above 100.
func hangs(release <-chan struct{}) func(*batchertest.Fake, []int64) error {
	return func(_ *batchertest.Fake, ids []int64) error {
		if ids[0] > 100 {
			<-release
		}
		time.Sleep(10 * ms)
		return nil
	}
}

func TestWhenEveryRunnerIsStuckArrivalsAreRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := stage(t, testOptions(), 2, 4, hangs(release))
		a := s.send(101, 100*ms, handoff.Normal)
		b := s.send(102, 100*ms, handoff.Normal)
		s.want(a, ErrUnfinished, 100*ms)
		s.want(b, ErrUnfinished, 100*ms)
		queued := s.send(3, 300*ms, handoff.Normal) // before the watchdog has spoken
		time.Sleep(149 * ms)
		if st := s.b.Stats(); st.Stuck != 0 || st.Busy != 2 {
			t.Errorf("before the limit: %+v", st)
		}
		time.Sleep(2 * ms)
		if st := s.b.Stats(); st.Stuck != 2 {
			t.Errorf("after the limit: %+v", st)
		}
		s.want(s.send(4, time.Second, handoff.Normal), ErrStuck, 0)
		s.want(queued, ErrExpired, 300*ms)

		close(release)
		time.Sleep(11 * ms)
		s.want(s.send(5, time.Second, handoff.Normal), nil, 10*ms)
		s.end()
		for _, f := range s.fakes {
			if f.Cancels() != 1 {
				t.Errorf("a run was cancelled %d times, want once", f.Cancels())
			}
		}
		for _, id := range s.ran {
			if id == 3 || id == 4 {
				t.Errorf("row %d was run, though its caller had left", id)
			}
		}
	})
}

func TestAFullQueueBehindStuckRunnersSaysStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		o := testOptions()
		o.QueueRows = 1
		s := stage(t, o, 1, 1, hangs(release))
		s.send(101, time.Second, handoff.Normal)
		low := s.send(2, 2*time.Second, handoff.Low)
		time.Sleep(300 * ms)
		if err := s.b.translate(handoff.ErrFull); err != ErrStuck {
			t.Errorf("a full queue is reported as %v, want %v", err, ErrStuck)
		}
		close(release)
		s.want(low, nil, 320*ms)
		s.end()
	})
}

// One stuck runner of two halves the capacity, and the prediction knows it.
func TestAStuckRunnerDoesNotCountAsHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := stage(t, testOptions(), 2, 1, hangs(release))
		s.send(101, time.Second, handoff.Normal)
		time.Sleep(300 * ms)
		s.want(s.send(1, time.Second, handoff.Normal), nil, 10*ms)
		s.send(2, time.Second, handoff.Normal)
		s.send(3, time.Second, handoff.Normal)
		s.send(4, time.Second, handoff.Normal)
		time.Sleep(4 * ms)
		// 6 ms of the run in progress, two rows before it, its own.
		if d := s.b.RetryAfter(); d != 36*ms {
			t.Errorf("predicted wait %v, want 36ms", d)
		}
		s.want(s.send(5, 35*ms, handoff.Normal), ErrOverloaded, 0)
		close(release)
		s.end()
	})
}

// obeys is an onRun that takes that long unless it is cancelled before.
func obeys(d time.Duration) func(*batchertest.Fake, []int64) error {
	return func(f *batchertest.Fake, ids []int64) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-f.Cancelled():
			return errors.New("terminated")
		}
	}
}

func TestTheWatchdogStopsARunAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs []error
		o := testOptions()
		o.Observe = func(_ int, _ time.Duration, err error) { runs = append(runs, err) }
		s := stage(t, o, 1, 4, obeys(time.Second))
		s.want(s.send(1, 2*time.Second, handoff.Normal), ErrTimeout, 250*ms)
		a, b := s.send(2, 2*time.Second, handoff.Normal), s.send(3, 3*time.Second, handoff.Normal)
		c := s.send(4, 4*time.Second, handoff.Normal)
		s.want(a, ErrTimeout, 250*ms)
		s.want(b, ErrTimeout, 500*ms) // together, and not again one by one
		s.want(c, ErrTimeout, 500*ms)
		s.end()
		s.wantRuns(1, 1, 2)
		if len(runs) != 3 || runs[0] != ErrTimeout {
			t.Errorf("observed %v", runs)
		}
	})
}

func TestTheWatchdogLeavesRunsWithinTheirLimitAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, obeys(249*ms))
		for id := range 10 {
			s.want(s.send(int64(id), time.Second, handoff.Normal), nil, 249*ms)
		}
		w := s.b.workers[0]
		w.onTimeout() // a late firing between two runs
		next := s.send(11, time.Second, handoff.Normal)
		time.Sleep(100 * ms)
		w.onTimeout() // and one that meets the next run
		s.want(next, nil, 249*ms)
		s.end()
		if n := s.fakes[0].Cancels(); n != 0 {
			t.Errorf("%d runs were cancelled, want none", n)
		}
	})
}

// The run ends in the instant in which the watchdog fires: whichever is first,
// the books balance and the next run is not hit.
func TestWatchdogAndEndOfRunAtTheSameInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(250*ms))
		for id := range 200 {
			s.want(s.send(int64(id), time.Second, handoff.Normal), nil, 250*ms)
			if st := s.b.Stats(); st.Stuck != 0 || st.Busy != 0 {
				t.Fatalf("after run %d: %+v", id, st)
			}
		}
		s.end()
	})
}
