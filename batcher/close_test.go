package batcher

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotpath/resilience/handoff"
)

func TestCloseScoresWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 2, takes(10*ms))
		rows := s.batchOf(5)
		closed := make(chan error, 1)
		start := time.Now()
		go func() { closed <- s.b.Close(context.Background()) }()
		synctest.Wait()
		s.want(s.send(9, time.Second, handoff.Normal), ErrClosed, 0)
		for i, ch := range rows {
			s.want(ch, nil, time.Duration(i/2+2)*10*ms)
		}
		if err := <-closed; err != nil || time.Since(start) != 40*ms {
			t.Errorf("Close = %v after %v, want nil after 40ms", err, time.Since(start))
		}
		s.end() // once more does no harm
	})
}

func TestCloseGivesUpOnAStuckRunWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := stage(t, testOptions(), 2, 2, hangs(release))
		s.send(101, 50*ms, handoff.Normal)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		err := s.b.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 run") {
			t.Errorf("Close = %v, want a deadline and the number of runs", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("Close took %v, want 1s", d)
		}
		close(release)
		time.Sleep(10 * ms)
		s.end()
	})
}

func TestCloseOfAnIdleBatcherIsImmediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 3, 2, nil)
		start := time.Now()
		s.end()
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}
