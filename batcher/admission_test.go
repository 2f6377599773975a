package batcher

import (
	"testing"
	"testing/synctest"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/resilience/handoff"
)

func TestARowThatCannotFinishInTimeIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		defer s.end()
		s.want(s.send(1, time.Second, handoff.Normal), nil, 10*ms) // the cost is known now
		running := s.send(2, time.Second, handoff.Normal)
		time.Sleep(4 * ms)
		// 6 ms for the run in progress and 10 for its own.
		s.want(s.send(3, 15*ms, handoff.Normal), ErrOverloaded, 0)
		inTime := s.send(4, 16*ms+1, handoff.Normal) // a nanosecond: end and deadline must not race
		if after := s.b.RetryAfter(); after != 16*ms {
			t.Errorf("RetryAfter = %v, want 16ms", after)
		}
		s.want(running, nil, 10*ms)
		s.want(inTime, nil, 16*ms)
		s.wantRan(1, 2, 4)
	})
}

func TestPredictionCountsTheBatchesBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 2, takes(10*ms))
		defer s.end()
		s.want(s.send(1, time.Second, handoff.Normal), nil, 10*ms)
		var queued []<-chan outcome
		for id := range 5 { // one runs, two full batches wait
			queued = append(queued, s.send(int64(id+2), time.Second, handoff.Normal))
		}
		s.want(s.send(90, 39*ms, handoff.Normal), ErrOverloaded, 0)
		s.want(s.send(91, 41*ms, handoff.Normal), nil, 20*ms) // more urgent than those
		for _, ch := range queued {
			<-ch
		}
	})
}

func TestNobodyIsRefusedWhileTheCostIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		defer s.end()
		first := s.send(1, time.Second, handoff.Normal)
		s.want(s.send(2, ms, handoff.Normal), ErrExpired, ms)
		s.want(first, nil, 10*ms)
	})
}

func TestAFreeRunnerIsTriedWhateverThePrediction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		defer s.end()
		s.want(s.send(1, time.Second, handoff.Normal), nil, 10*ms)
		s.want(s.send(2, 5*ms, handoff.Normal), ErrUnfinished, 5*ms)
		time.Sleep(20 * ms)
		s.wantRan(1, 2)
	})
}

func TestARowWithoutTimeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, nil)
		defer s.end()
		s.want(s.send(1, 0, handoff.Normal), ErrExpired, 0)
		s.want(s.send(1, -time.Second, handoff.Normal), ErrExpired, 0)
		s.wantRuns()
	})
}

func TestAFullQueueRefusesAndShedsTheLowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.QueueRows = 2
		s := stage(t, o, 1, 1, takes(10*ms))
		defer s.end()
		s.send(1, time.Second, handoff.Normal)
		low := s.send(2, time.Second, handoff.Low)
		s.send(3, time.Second, handoff.Normal)
		s.want(s.send(4, time.Second, handoff.Low), ErrOverloaded, 0)
		s.send(5, 2*time.Second, handoff.Normal)
		s.want(low, ErrOverloaded, 0)
		s.want(s.send(6, time.Second, handoff.Normal), ErrOverloaded, 0)
		time.Sleep(time.Second)
		s.wantRan(1, 3, 5)
	})
}

func TestCostIsKeptByBatchSize(t *testing.T) {
	var c cost
	if d := c.estimate(8); d != 0 {
		t.Errorf("estimate = %v before any run", d)
	}
	c.record(1, 10*ms)
	c.record(6, 18*ms)
	for rows, want := range map[int]time.Duration{1: 10 * ms, 2: 10 * ms, 4: 10 * ms, 5: 18 * ms, 8: 18 * ms, 1 << 20: 18 * ms} {
		if d := c.estimate(rows); d != want {
			t.Errorf("estimate(%d) = %v, want %v", rows, d, want)
		}
	}
	for range 60 {
		c.record(1, 2*ms)
	}
	if d := c.estimate(1); d < 2*ms || d > 2*ms+ms/20 {
		t.Errorf("estimate(1) = %v after many runs of 2ms", d)
	}
}

// One slow run of a size must not keep all later batches of this size away.
func TestASlowRunOfASizeIsUnlearned(t *testing.T) {
	var c cost
	c.record(1, ms)
	c.record(2, 200*ms)
	c.record(8, 200*ms)
	for rows, want := range map[int]time.Duration{1: ms, 2: 2 * ms, 4: 2 * ms, 8: 8 * ms} {
		if d := c.estimate(rows); d != want {
			t.Errorf("estimate(%d) = %v, want %v: no dearer than in halves", rows, d, want)
		}
	}

	synctest.Test(t, func(t *testing.T) {
		slow := true
		s := stage(t, testOptions(), 1, 4, func(_ *batchertest.Fake, ids []int64) error {
			if slow && len(ids) == 2 {
				slow = false
				time.Sleep(200 * ms)
			}
			time.Sleep(ms)
			return nil
		})
		defer s.end()
		s.send(1, time.Second, handoff.Normal)
		s.send(2, time.Second, handoff.Normal)
		s.want(s.send(3, time.Second, handoff.Normal), nil, 202*ms)
		s.send(4, 50*ms, handoff.Normal)
		s.send(5, 50*ms, handoff.Normal)
		s.want(s.send(6, 50*ms, handoff.Normal), nil, 2*ms)
		s.wantRuns(1, 2, 1, 2)
	})
}
