package batcher

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hotpath/batcher/batchertest"
	"hotpath/resilience/handoff"
)

// These tests each rule out a mistake known from KServe's agent and batcher, by
// its number in our list of them. Number 10 is in alloc_test.go.

// 1: a collector that polled every 100 µs, and a wait quantised by it. A day of
// idling would be 864 million turns on the fake clock, and hours of ours.
func TestKServe1AnIdleBatcherSleeps(t *testing.T) {
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 2, 8, nil)
		defer s.end()
		time.Sleep(24 * time.Hour)
		s.want(s.send(1, time.Second, handoff.Normal), nil, 0)
	})
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("a day of idling took %v: something wakes up all the time", d)
	}
}

// 2: the run was made by the goroutine that admits, one in flight ever.
func TestKServe2RowsAreAdmittedAndRunWhileARunIsInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 2, 8, takes(100*ms))
		defer s.end()
		a := s.send(1, time.Second, handoff.Normal)
		time.Sleep(10 * ms)
		b := s.send(2, time.Second, handoff.Normal)
		if st := s.b.Stats(); st.Busy != 2 {
			t.Errorf("%d runs are in progress, want 2", st.Busy)
		}
		var queued []<-chan outcome
		for id := range 3 {
			queued = append(queued, s.send(int64(id+3), time.Second, handoff.Normal))
		}
		if st := s.b.Stats(); st.Queued != 3 {
			t.Errorf("%d rows are admitted beside the runs, want 3", st.Queued)
		}
		s.want(a, nil, 100*ms)
		s.want(b, nil, 100*ms)
		for _, ch := range queued {
			s.want(ch, nil, 190*ms)
		}
	})
}

// 3: one collector for all models; the newest request's model won.
func TestKServe3RowsOfTwoModelsNeverMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		models := []*scene{
			stage(t, testOptions(), 1, 4, takes(3*ms)),
			stage(t, testOptions(), 1, 4, takes(5*ms)),
		}
		var rows []<-chan outcome
		for id := range 40 {
			rows = append(rows, models[id%2].send(int64(id), time.Second, handoff.Normal))
		}
		for id, ch := range rows {
			if got := <-ch; got.err != nil {
				t.Errorf("row %d: %v", id, got.err)
			}
		}
		for m, s := range models {
			s.end()
			if len(s.ran) != 20 {
				t.Errorf("model %d ran %d rows, want 20", m, len(s.ran))
			}
			for _, id := range s.ran {
				if int(id)%2 != m {
					t.Errorf("model %d ran row %d of the other", m, id)
				}
			}
		}
	})
}

// 4: the request's deadline was dropped; those who had left were scored all the same.
func TestKServe4ExpiredRowsAreNeverRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(100*ms))
		defer s.end()
		first := s.send(1, time.Second, handoff.Normal)
		for id := range 3 {
			s.want(s.send(int64(id+2), 20*ms, handoff.Normal), ErrExpired, 20*ms)
		}
		last := s.send(5, time.Second, handoff.Normal)
		s.want(first, nil, 100*ms)
		s.want(last, nil, 140*ms)
		s.wantRan(1, 5)
	})
}

// 5: no bound on those who wait, nothing shed, no number to see.
func TestKServe5TheQueueIsBoundedAndSheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.QueueRows = 5
		s := stage(t, o, 1, 4, takes(100*ms))
		defer s.end()
		first := s.send(0, time.Second, handoff.Normal)
		low := s.send(1, time.Second, handoff.Low)
		for id := range 4 {
			s.send(int64(id+2), time.Second, handoff.Normal)
		}
		s.send(6, time.Second, handoff.Normal)
		s.want(low, ErrOverloaded, 0)
		for id := range 20 {
			s.want(s.send(int64(id+7), time.Second, handoff.Normal), ErrOverloaded, 0)
			if st := s.b.Stats(); st.Queued != 5 {
				t.Fatalf("%d rows wait, want 5", st.Queued)
			}
		}
		s.want(first, nil, 100*ms)
	})
}

// 6: results went over an unbuffered channel: one waiter that had left stopped
// the collector, and with it every model.
func TestKServe6DepartedWaitersStopNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(30*ms))
		defer s.end()
		var departed []<-chan outcome
		for id := range 4 {
			departed = append(departed, s.send(int64(id), 10*ms, handoff.Normal))
		}
		stays := s.send(4, time.Second, handoff.Normal)
		s.want(departed[0], ErrUnfinished, 10*ms)
		for _, ch := range departed[1:] {
			s.want(ch, ErrExpired, 10*ms)
		}
		s.want(stays, nil, 60*ms)
		s.want(s.send(5, time.Second, handoff.Normal), nil, 30*ms)
	})
}

// 9: the largest batch was a trigger, not a limit.
func TestKServe9TheLargestBatchIsALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.QueueRows = 256
		s := stage(t, o, 1, 8, takes(ms))
		defer s.end()
		for _, ch := range s.batchOf(100) {
			if got := <-ch; got.err != nil {
				t.Error(got.err)
			}
		}
		s.wantRuns(1, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 4)
	})
}

// 11: New started a goroutine, and there was no Close.
func TestKServe11CloseEndsWhatNewStarted(t *testing.T) {
	before := goleak.IgnoreCurrent()
	var runners []Runner
	for range 4 {
		runners = append(runners, batchertest.NewFake(testLayout, 8))
	}
	b, err := New(testOptions(), testLayout, testLayout, runners)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, b: b}
	for id := range 100 {
		if err := s.score(int64(id), time.Minute, handoff.Normal); err != nil {
			t.Fatal(err)
		}
	}
	if goleak.Find(before) == nil {
		t.Error("no goroutine was started: this test sees nothing")
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}
