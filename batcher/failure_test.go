package batcher

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/resilience/handoff"
)

var errModel = errors.New("index out of range")

// spoils is an onRun that takes 10 ms and fails every run with one of those rows in it.
func spoils(poison ...int64) func(*batchertest.Fake, []int64) error {
	return func(_ *batchertest.Fake, ids []int64) error {
		time.Sleep(10 * ms)
		for _, id := range ids {
			if slices.Contains(poison, id) {
				return errModel
			}
		}
		return nil
	}
}

// batchOf sends a row that runs alone, and behind it n rows, from id 1 on, that
// form one batch 10 ms later.
func (s *scene) batchOf(n int) []<-chan outcome {
	s.send(0, 10*time.Second, handoff.Normal)
	var rows []<-chan outcome
	for i := range n {
		rows = append(rows, s.send(int64(i+1), time.Second+time.Duration(i), handoff.Normal))
	}
	return rows
}

func TestAPoisonRowFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, spoils(3))
		defer s.end()
		for i, ch := range s.batchOf(5) {
			// 10 ms the row before them, 10 the batch, 10 each alone.
			if got := <-ch; i+1 == 3 {
				if got.err != ErrRow {
					t.Errorf("the poison row: %v, want %v", got.err, ErrRow)
				}
			} else if want := time.Duration(i+3) * 10 * ms; got.err != nil || got.after != want {
				t.Errorf("neighbour %d: %v after %v, want nil after %v", i+1, got.err, got.after, want)
			}
		}
		s.wantRuns(1, 5, 1, 1, 1, 1, 1)
	})
}

func TestWhenEveryRowFailsTheModelIsAtFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, spoils(0, 1, 2, 3))
		defer s.end()
		for i, ch := range s.batchOf(3) {
			got := <-ch
			if !errors.Is(got.err, ErrRun) || !strings.Contains(got.err.Error(), errModel.Error()) {
				t.Errorf("row %d: %v, want %v with the runner's own words", i+1, got.err, ErrRun)
			}
		}
	})
}

// Anybody can send rows that a model cannot score: while the model still scores
// a row that it has scored before, the rows are at fault and not the model.
func TestALonePoisonRowIsAtFaultWhileTheModelWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, spoils(1))
		defer s.end()
		s.want(s.send(7, time.Second, handoff.Normal), nil, 10*ms)
		s.want(s.send(1, time.Second, handoff.Normal), ErrRow, 20*ms)
		s.wantRuns(1, 1, 1)
	})
}

func TestALoneRowIsNotAtFaultWhenTheModelBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		s := stage(t, testOptions(), 1, 8, func(*batchertest.Fake, []int64) error {
			if broken {
				return errModel
			}
			return nil
		})
		defer s.end()
		s.want(s.send(7, time.Second, handoff.Normal), nil, 0)
		broken = true
		if got := <-s.send(1, time.Second, handoff.Normal); !errors.Is(got.err, ErrRun) {
			t.Errorf("%v, want %v", got.err, ErrRun)
		}
	})
}

// A row that was not run again proves nothing: with no success, the others'
// failures are the model's.
func TestRowsThatWereSkippedDoNotBlameTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, spoils(0, 1, 2, 3))
		defer s.end()
		s.send(0, 10*time.Second, handoff.Normal)
		short := s.send(1, 15*ms, handoff.Normal)
		others := []<-chan outcome{s.send(2, time.Second, handoff.Normal), s.send(3, time.Second, handoff.Normal)}
		s.want(short, ErrExpired, 15*ms)
		for _, ch := range others {
			if got := <-ch; !errors.Is(got.err, ErrRun) {
				t.Errorf("%v, want %v", got.err, ErrRun)
			}
		}
		s.wantRuns(1, 3, 1, 1)
	})
}

// refusals is a retry budget of so many retries.
type refusals struct{ left, out int }

func (r *refusals) TryAcquirePermit() bool {
	if r.left == 0 {
		return false
	}
	r.left, r.out = r.left-1, r.out+1
	return true
}

func (r *refusals) ReleasePermit() { r.out-- }

func TestTheRetryBudgetBoundsSingleRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := &refusals{left: 2}
		o := testOptions()
		o.Retries = budget
		s := stage(t, o, 1, 8, spoils(2))
		rows := s.batchOf(4)
		s.want(rows[0], nil, 30*ms)
		s.want(rows[1], ErrRow, 40*ms)
		for _, ch := range rows[2:] {
			if got := <-ch; !errors.Is(got.err, ErrRun) || got.after != 40*ms {
				t.Errorf("beyond the budget: %v after %v, want %v after 40ms", got.err, got.after, ErrRun)
			}
		}
		s.end()
		if budget.out != 0 || budget.left != 0 {
			t.Errorf("budget: %d out, %d left", budget.out, budget.left)
		}
	})
}

func TestALoneRowIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, spoils(1))
		defer s.end()
		if got := <-s.send(1, time.Second, handoff.Normal); !errors.Is(got.err, ErrRun) || got.after != 10*ms {
			t.Errorf("%v after %v, want %v after 10ms", got.err, got.after, ErrRun)
		}
		s.wantRuns(1)
	})
}

// Alone it hangs, together it failed: the search for the poison row must not
// hold the runner for one time limit a row.
func TestARowThatHangsAloneEndsTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, func(f *batchertest.Fake, ids []int64) error {
			if len(ids) > 1 {
				return errModel
			}
			if ids[0] == 0 {
				time.Sleep(10 * ms)
				return nil
			}
			<-f.Cancelled()
			return errModel
		})
		defer s.end()
		rows := s.batchOf(3)
		s.want(rows[0], ErrTimeout, 260*ms)
		for _, ch := range rows[1:] {
			if got := <-ch; !errors.Is(got.err, ErrRun) || got.after != 260*ms {
				t.Errorf("%v after %v, want %v after 260ms", got.err, got.after, ErrRun)
			}
		}
		s.wantRuns(1, 3, 1)
	})
}

func TestAPanicInTheRunnerIsAFailedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, func(_ *batchertest.Fake, ids []int64) error {
			time.Sleep(10 * ms)
			if slices.Contains(ids, 2) {
				panic("bad row")
			}
			return nil
		})
		defer s.end()
		if got := <-s.send(2, time.Second, handoff.Normal); !errors.Is(got.err, ErrRun) || !strings.Contains(got.err.Error(), "bad row") {
			t.Errorf("%v, want %v with the panic's words", got.err, ErrRun)
		}
		rows := s.batchOf(3) // the worker lives
		s.want(rows[0], nil, 30*ms)
		s.want(rows[1], ErrRow, 50*ms)
		s.want(rows[2], nil, 50*ms)
		if st := s.b.Stats(); st.Busy != 0 || st.Stuck != 0 {
			t.Errorf("after the panics: %+v", st)
		}
	})
}
