package batcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

// openSignature takes a sequence of any length, and gives it back.
func openSignature(d models.DType) *models.Signature {
	port := models.Port{Name: "x", DType: d, Shape: []int{-1}}
	return &models.Signature{Batched: true, Inputs: []models.Port{port}, Outputs: []models.Port{port}}
}

// openScene is a batcher of tensors over one fake.
type openScene struct {
	t    testing.TB
	b    *Batcher
	fake *batchertest.FakeTensors
	sent time.Duration
}

func stageTensors(t testing.TB, sig *models.Signature, merging []Merge, maxRows int, onRun func([]models.Tensor) ([]models.Tensor, error)) *openScene {
	t.Helper()
	f := batchertest.NewFakeTensors(maxRows)
	f.OnRun = onRun
	b, err := NewTensors(testOptions(), sig, merging, []TensorRunner{f})
	if err != nil {
		t.Fatal(err)
	}
	return &openScene{t: t, b: b, fake: f}
}

func (s *openScene) end() {
	s.t.Helper()
	if err := s.b.Close(context.Background()); err != nil {
		s.t.Error(err)
	}
}

// send sends requests with later and later deadlines, so that their order is known.
func (s *openScene) send(m *memory, rows int) <-chan outcome {
	s.sent++
	return sendTensors(s.t, s.b, m, rows, time.Minute+s.sent, handoff.Normal)
}

// sequence is a request of bytes in that shape, all with the value v.
func sequence(v byte, shape ...int64) *memory {
	n, _ := models.Elements(shape)
	return &memory{tensors: []models.Tensor{{Name: "x", DType: models.Uint8, Shape: shape, Data: slices.Repeat([]byte{v}, n)}}}
}

// slow takes 10 ms a run.
func slow([]models.Tensor) ([]models.Tensor, error) {
	time.Sleep(10 * ms)
	return nil, nil
}

func (s *openScene) wantShapes(want ...string) {
	s.t.Helper()
	var got []string
	for _, run := range s.fake.Shapes() {
		got = append(got, strings.Join(run, " "))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("ran %q, want %q", got, want)
	}
}

func TestOnlyEqualShapesShareARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stageTensors(t, openSignature(models.Uint8), nil, 8, slow)
		var all []<-chan outcome
		for i, shape := range [][]int64{{1, 3}, {1, 4}, {2, 5}, {1, 4}, {3, 5}, {2, 4}, {4, 5}} {
			all = append(all, s.send(sequence(byte(i+1), shape...), int(shape[0])))
		}
		for _, ch := range all {
			if got := <-ch; got.err != nil {
				t.Error(got.err)
			}
		}
		// Together [9,5] would be over 8 rows: one of them waits.
		s.wantShapes("[1,3]", "[4,4]", "[5,5]", "[4,5]")
		s.end()
	})
}

// What is taken into a run is not more than what others wait for: a request of
// another shape waits for one run, not for all that stood before it.
func TestOtherShapesStayQueuedForOtherWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := []*batchertest.FakeTensors{batchertest.NewFakeTensors(8), batchertest.NewFakeTensors(8)}
		var runners []TensorRunner
		for _, f := range fakes {
			f.OnRun = slow
			runners = append(runners, f)
		}
		b, err := NewTensors(testOptions(), openSignature(models.Uint8), nil, runners)
		if err != nil {
			t.Fatal(err)
		}
		var all []<-chan outcome
		for i := range 6 {
			all = append(all, sendTensors(t, b, sequence(1, 1, int64(i+1)), 1, time.Minute+time.Duration(i), handoff.Normal))
		}
		for i, ch := range all {
			if got := <-ch; got.err != nil || got.after != time.Duration(i/2+1)*10*ms {
				t.Errorf("request %d: %v after %v", i, got.err, got.after)
			}
		}
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestWithoutABatchDimensionNothingIsMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := openSignature(models.Uint8)
		sig.Batched = false
		s := stageTensors(t, sig, nil, 1, slow)
		var all []<-chan outcome
		for i := range 4 {
			all = append(all, s.send(sequence(byte(i), 4), 1))
		}
		for i, ch := range all {
			if got := <-ch; got.err != nil || got.after != time.Duration(i+1)*10*ms {
				t.Errorf("request %d: %v after %v", i, got.err, got.after)
			}
		}
		s.wantShapes("[4]", "[4]", "[4]", "[4]")
		s.end()
	})
}

func TestALargeRequestOfTensorsIsSplitAndJoined(t *testing.T) {
	for _, d := range []models.DType{models.Float64, models.String} {
		s := stageTensors(t, openSignature(d), nil, 4, nil)
		x := models.Tensor{Name: "x", DType: d, Shape: []int64{11, 3}}
		for e := range 33 {
			if d == models.String {
				x.Data = models.AppendStringElement(x.Data, strings.Repeat("é", e%5))
			} else {
				x.Data = append(x.Data, byte(e), 1, 2, 3, 4, 5, 6, 7)
			}
		}
		m := &memory{tensors: []models.Tensor{x}}
		if err := infer(t, s.b, m, 11, time.Minute, handoff.Normal); err != nil {
			t.Errorf("%s: %v", d, err)
		}
		s.wantShapes("[4,3]", "[4,3]", "[3,3]")
		s.end() // the last worker's hold may be longer than the wait for its answer
		m.wantFreed(t, 1)
	}
}

func TestOutputsWithoutABatchEndSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stageTensors(t, openSignature(models.Uint8), nil, 8, func(in []models.Tensor) ([]models.Tensor, error) {
			time.Sleep(10 * ms)
			return []models.Tensor{{Name: "y", DType: models.Uint8, Shape: []int64{1, 1}, Data: []byte{1}}}, nil
		})
		score := func() <-chan error {
			ch := make(chan error, 1)
			go func() {
				m := sequence(1, 1, 3)
				job := s.b.AcquireTensors()
				ch <- job.Score(m.tensors, 1, m, time.Now().Add(time.Minute), handoff.Normal)
				job.Release()
			}()
			synctest.Wait()
			return ch
		}
		for range 2 {
			for _, ch := range []<-chan error{score(), score(), score()} {
				if err := <-ch; err != nil {
					t.Error(err)
				}
			}
		}
		s.wantShapes("[1,3]", "[2,3]", "[1,3]", "[1,3]", "[1,3]", "[1,3]", "[1,3]")
		s.end()
	})
}

func TestPartsThatCannotBeJoinedAreTheRequestsFault(t *testing.T) {
	run := 0
	for name, shapes := range map[string][2][]int64{
		"another size":  {{4, 2}, {4, 3}},
		"no batch":      {{2, 2}, {4, 2}},
		"no batch last": {{4, 2}, {2, 2}},
		"another rank":  {{4, 2}, {4}},
		"scalar":        {{}, {}},
	} {
		run = 0
		s := stageTensors(t, openSignature(models.Uint8), nil, 4, func([]models.Tensor) ([]models.Tensor, error) {
			shape := shapes[run]
			run++
			n, _ := models.Elements(shape)
			return []models.Tensor{{Name: "y", DType: models.Uint8, Shape: shape, Data: make([]byte, n)}}, nil
		})
		m := sequence(1, 8, 2)
		job := s.b.AcquireTensors()
		err := job.Score(m.tensors, 8, m, time.Now().Add(time.Minute), handoff.Normal)
		if !errors.Is(err, ErrRow) || !strings.Contains(fmt.Sprint(err), "max_batch_size") {
			t.Errorf("%s: %v", name, err)
		}
		job.Release()
		s.end()
		m.wantFreed(t, 1)
	}
}

// What is remembered of a run must not keep, or read, the memory of its request.
func TestWhatIsRememberedIsACopy(t *testing.T) {
	s := stageTensors(t, openSignature(models.Uint8), nil, 4, nil)
	name, m := []byte("x"), sequence(7, 1, 3)
	m.tensors[0].Name = unsafe.String(&name[0], len(name))
	if err := infer(t, s.b, m, 1, time.Minute, handoff.Normal); err != nil {
		t.Fatal(err)
	}
	s.end()
	name[0] = '?'
	good := s.b.workers[0].engine.(*tensorEngine).good
	if len(good) != 1 || good[0].Name != "x" || !slices.Equal(good[0].Data, []byte{7, 7, 7}) {
		t.Errorf("remembered %+v", good)
	}
}

// A run of one request whole may have outputs of any shape.
func TestAWholeRequestMayHaveAnyOutputs(t *testing.T) {
	s := stageTensors(t, openSignature(models.Uint8), nil, 8, func([]models.Tensor) ([]models.Tensor, error) {
		return []models.Tensor{{Name: "y", DType: models.Uint8, Shape: []int64{}, Data: []byte{5}}}, nil
	})
	m := sequence(1, 3, 2)
	job := s.b.AcquireTensors()
	if err := job.Score(m.tensors, 3, m, time.Now().Add(time.Minute), handoff.Normal); err != nil {
		t.Fatal(err)
	}
	sameTensors(t, job.Outputs(), []models.Tensor{{Name: "y", DType: models.Uint8, Shape: []int64{}, Data: []byte{5}}})
	job.Release()
	s.end()
}

func TestAFailingMergeIsRunSingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stageTensors(t, openSignature(models.Uint8), nil, 8, func(in []models.Tensor) ([]models.Tensor, error) {
			time.Sleep(10 * ms)
			if slices.Contains(in[0].Data, 13) {
				return nil, errModel
			}
			return nil, nil
		})
		first := s.send(sequence(1, 1, 2), 1)
		good, bad, other := s.send(sequence(2, 1, 2), 1), s.send(sequence(13, 2, 2), 2), s.send(sequence(3, 1, 2), 1)
		for _, ch := range []<-chan outcome{first, good, other} {
			if got := <-ch; got.err != nil {
				t.Error(got.err)
			}
		}
		if got := <-bad; got.err != ErrRow {
			t.Errorf("the bad request: %v", got.err)
		}
		// Alone, with nobody to compare with, what was scored before tells.
		if got := <-s.send(sequence(13, 1, 2), 1); got.err != ErrRow {
			t.Errorf("the bad request alone: %v", got.err)
		}
		s.end()
	})
}

func TestARunOfTensorsIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *openScene
		s = stageTensors(t, openSignature(models.Uint8), nil, 8, func([]models.Tensor) ([]models.Tensor, error) {
			<-s.fake.Cancelled()
			return nil, errModel
		})
		m := sequence(1, 1, 2)
		if got := <-s.send(m, 1); got.err != ErrTimeout || got.after != testOptions().RunTimeout {
			t.Errorf("%v after %v", got.err, got.after)
		}
		s.end() // the worker's hold may be longer than the wait for its answer
		m.wantFreed(t, 1)
	})
}

// still is a TensorRunner that gives the same answer always.
type still struct{ out []models.Tensor }

func (s *still) MaxRows() int      { return 8 }
func (s *still) NeedsThread() bool { return false }
func (s *still) Cancel()           {}
func (s *still) Discard()          {}
func (s *still) RunTensors([]models.Tensor) ([]models.Tensor, error) {
	return s.out, nil
}
