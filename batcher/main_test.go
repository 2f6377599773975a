package batcher

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLayout is an id, by which a row is known again, and some features.
var testLayout = models.NewLayout([]models.Port{
	{Name: "id", DType: models.Int64},
	{Name: "x", DType: models.Float32, Shape: []int{3}},
})

// scene is a batcher over fakes, as one test wants it.
type scene struct {
	t     testing.TB
	b     *Batcher
	fakes []*batchertest.Fake

	mu  sync.Mutex
	ran []int64 // ids, in the order in which they were run
}

// testOptions suit most tests.
func testOptions() Options { return Options{QueueRows: 64, RunTimeout: 250 * time.Millisecond} }

// stage makes a scene of n runners of maxRows rows. onRun, if not nil, is told
// which ids a run holds. Tests under synctest call it within the bubble.
func stage(t testing.TB, o Options, n, maxRows int, onRun func(f *batchertest.Fake, ids []int64) error) *scene {
	t.Helper()
	s := &scene{t: t}
	var runners []Runner
	for range n {
		f := batchertest.NewFake(testLayout, maxRows)
		f.OnRun = func(rows int) error {
			ids := idsOf(f, rows)
			s.mu.Lock()
			s.ran = append(s.ran, ids...)
			s.mu.Unlock()
			if onRun == nil {
				return nil
			}
			return onRun(f, ids)
		}
		s.fakes = append(s.fakes, f)
		runners = append(runners, f)
	}
	b, err := New(o, testLayout, testLayout, runners)
	if err != nil {
		t.Fatal(err)
	}
	s.b = b
	return s
}

// idsOf are the ids in the first rows of a runner's input.
func idsOf(f *batchertest.Fake, rows int) []int64 {
	in, _ := f.Frames()
	ids := make([]int64, rows)
	for i := range ids {
		row := models.Row{Data: in.Data[0][8*i : 8*i+8]}
		ids[i] = row.Int64(0)
	}
	return ids
}

// end closes the batcher and checks that nothing is left in it.
func (s *scene) end() {
	s.t.Helper()
	if err := s.b.Close(context.Background()); err != nil {
		s.t.Errorf("Close = %v", err)
	}
	if st := s.b.Stats(); st.Queued != 0 || st.Busy != 0 || st.Stuck != 0 {
		s.t.Errorf("left behind: %+v", st)
	}
}

// score sends one row and checks that the answer is the row's own.
func (s *scene) score(id int64, in time.Duration, p handoff.Priority) error {
	j := s.b.Acquire()
	defer j.Release()
	fill(j, id)
	err := j.Score(time.Now().Add(in), p)
	if err == nil {
		checkEcho(s.t, j, id)
	}
	return err
}

func fill(j *Job, id int64) {
	j.In().PutInt64(0, id)
	for i := range 3 {
		j.In().PutFloat32(testLayout.Offset[1]+4*i, float32(id)/float32(i+3))
	}
}

func checkEcho(t testing.TB, j *Job, id int64) {
	if got := j.Out().Int64(0); got != id {
		t.Errorf("row %d got the answer of row %d", id, got)
	}
	for i := range 3 {
		if got, want := j.Out().Float32(testLayout.Offset[1]+4*i), float32(id)/float32(i+3); got != want {
			t.Errorf("row %d: element %d is %v, want %v", id, i, got, want)
		}
	}
}

// outcome is how a row that was sent in the background ended.
type outcome struct {
	err   error
	after time.Duration
}

// send scores a row in the background, and waits until it is queued or refused.
// Only under synctest.
func (s *scene) send(id int64, in time.Duration, p handoff.Priority) <-chan outcome {
	ch := make(chan outcome, 1)
	start := time.Now()
	go func() {
		err := s.score(id, in, p)
		ch <- outcome{err, time.Since(start)}
	}()
	synctest.Wait()
	return ch
}

func (s *scene) want(ch <-chan outcome, err error, after time.Duration) {
	s.t.Helper()
	if got := <-ch; got.err != err || got.after != after {
		s.t.Errorf("outcome %v after %v, want %v after %v", got.err, got.after, err, after)
	}
}

// wantRuns compares the batch sizes of the first runner.
func (s *scene) wantRuns(sizes ...int) {
	s.t.Helper()
	if got := s.fakes[0].Runs(); !slices.Equal(got, sizes) {
		s.t.Errorf("runs of %v rows, want %v", got, sizes)
	}
}

func (s *scene) wantRan(ids ...int64) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.ran, ids) {
		s.t.Errorf("ran rows %v, want %v", s.ran, ids)
	}
}

// takes is an onRun that takes that long.
func takes(d time.Duration) func(*batchertest.Fake, []int64) error {
	return func(*batchertest.Fake, []int64) error {
		time.Sleep(d)
		return nil
	}
}
