package batcher

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

const ms = time.Millisecond

func TestALoneRowIsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, takes(3*ms))
		defer s.end()
		s.want(s.send(1, time.Second, handoff.Normal), nil, 3*ms)
		s.wantRuns(1)
	})
}

func TestRowsCollectWhileARunIsInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		defer s.end()
		first := s.send(0, time.Second, handoff.Normal)
		var rest []<-chan outcome
		for id := range 6 {
			rest = append(rest, s.send(int64(id+1), time.Second+time.Duration(id), handoff.Normal))
		}
		s.want(first, nil, 10*ms)
		for i, ch := range rest {
			after := 20 * ms
			if i >= 4 {
				after = 30 * ms
			}
			s.want(ch, nil, after)
		}
		s.wantRuns(1, 4, 2)
	})
}

func TestUrgentRowsRunFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 1, takes(10*ms))
		defer s.end()
		s.send(1, time.Second, handoff.Normal)
		s.send(2, time.Second, handoff.Low)
		s.send(3, 900*ms, handoff.Normal)
		last := s.send(4, 200*ms, handoff.Normal)
		s.want(last, nil, 20*ms)
		time.Sleep(time.Second)
		s.wantRan(1, 4, 3, 2)
	})
}

func TestMaxQueueDelayWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.MaxQueueDelay = 5 * ms
		s := stage(t, o, 1, 4, nil)
		defer s.end()
		a := s.send(1, time.Second, handoff.Normal)
		time.Sleep(2 * ms)
		b := s.send(2, time.Second, handoff.Normal)
		s.want(a, nil, 5*ms)
		s.want(b, nil, 3*ms)
		s.wantRuns(2)
	})
}

// An idle runner that waits for company must not let the row expire.
func TestMaxQueueDelayKeepsToTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.MaxQueueDelay = 50 * ms
		s := stage(t, o, 1, 4, takes(2*ms))
		defer s.end()
		s.want(s.send(1, 10*ms, handoff.Normal), nil, 7*ms)
	})
}

func TestTimingAndObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type run struct {
			rows int
			took time.Duration
			err  error
		}
		var observed []run
		o := testOptions()
		o.Observe = func(rows int, took time.Duration, err error) { observed = append(observed, run{rows, took, err}) }
		s := stage(t, o, 1, 4, takes(10*ms))
		first := s.send(1, time.Second, handoff.Normal)
		time.Sleep(4 * ms)
		other := s.send(2, time.Second, handoff.Normal)
		j := s.b.Acquire()
		fill(j, 3)
		if err := j.Score(time.Now().Add(time.Second), handoff.Normal); err != nil {
			t.Fatal(err)
		}
		if queued, took, rows := j.Timing(); queued != 6*ms || took != 10*ms || rows != 2 {
			t.Errorf("Timing = %v, %v, %d; want 6ms, 10ms, 2", queued, took, rows)
		}
		j.Release()
		<-first
		<-other
		s.end()
		if want := []run{{1, 10 * ms, nil}, {2, 10 * ms, nil}}; len(observed) != 2 || observed[0] != want[0] || observed[1] != want[1] {
			t.Errorf("observed %v, want %v", observed, want)
		}
		if full := s.b.Stats().Full; full != 10*ms {
			t.Errorf("a full batch is said to take %v, want 10ms", full)
		}
	})
}

func TestStringsGoToTheirOwnRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := models.NewLayout([]models.Port{
			{Name: "s", DType: models.String, Shape: []int{2}}, {Name: "n", DType: models.Int64}})
		f := batchertest.NewFake(l, 8)
		f.OnRun = func(int) error { time.Sleep(ms); return nil }
		b, err := New(testOptions(), l, l, []Runner{f})
		if err != nil {
			t.Fatal(err)
		}
		s := &scene{t: t, b: b, fakes: []*batchertest.Fake{f}}
		defer s.end()
		for range 3 { // the later rounds use the jobs of the first again
			var wg sync.WaitGroup
			for i := range 60 {
				wg.Go(func() { echoStrings(t, b, i) })
			}
			wg.Wait()
		}
	})
}

// echoStrings scores a row with strings of its own; an odd one leaves its second unset.
func echoStrings(t *testing.T, b *Batcher, i int) {
	j := b.Acquire()
	defer j.Release()
	if a, z := j.In().Strings[0], j.In().Strings[1]; a.Len+z.Len != 0 {
		t.Errorf("a new job holds strings of %d and %d bytes", a.Len, z.Len)
		return
	}
	first, second := strings.Repeat(fmt.Sprint(i), i%7), ""
	j.In().SetString(0, []byte(first))
	if i%2 == 0 {
		second = "even"
		j.In().SetString(1, []byte(second))
	}
	if err := j.Score(time.Now().Add(time.Second), handoff.Normal); err != nil {
		t.Errorf("row %d: %v", i, err)
	} else if a, z := j.Out().StringAt(0), j.Out().StringAt(1); a != first || z != second {
		t.Errorf("row %d got %q and %q, want %q and %q", i, a, z, first, second)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := testOptions()
	one := []Runner{batchertest.NewFake(testLayout, 4)}
	for _, c := range []struct {
		want    string
		mutate  func(*Options)
		runners []Runner
	}{
		{"at least one runner", func(*Options) {}, nil},
		{"queue_rows", func(o *Options) { o.QueueRows = 0 }, one},
		{"run_timeout", func(o *Options) { o.RunTimeout = 0 }, one},
		{"max_queue_delay", func(o *Options) { o.MaxQueueDelay = -1 }, one},
		{"runner 1 takes 8 rows", func(*Options) {}, []Runner{one[0], batchertest.NewFake(testLayout, 8)}},
		{"runner 0 takes 0 rows", func(*Options) {}, []Runner{batchertest.NewFake(testLayout, 0)}},
	} {
		o := good
		c.mutate(&o)
		if b, err := New(o, testLayout, testLayout, c.runners); b != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New = %v, want an error about %q", err, c.want)
		}
	}
}
