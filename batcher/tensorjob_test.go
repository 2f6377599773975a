package batcher

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

// memory owns the tensors of a request. What is freed is overwritten, so that
// somebody who still reads it sees it.
type memory struct {
	tensors []models.Tensor
	freed   atomic.Int32
}

func (m *memory) Free() {
	m.freed.Add(1)
	for i := range m.tensors {
		for b := range m.tensors[i].Data {
			m.tensors[i].Data[b] = 0xdb
		}
	}
}

// requestOf makes a request of rows in the test layout, with ids from first on.
func requestOf(first int64, rows int) *memory {
	var id, x []byte
	for r := range int64(rows) {
		id = binary.LittleEndian.AppendUint64(id, uint64(first+r))
		for i := range 3 {
			x = binary.LittleEndian.AppendUint32(x, math.Float32bits(float32(first+r)/float32(i+3)))
		}
	}
	return &memory{tensors: []models.Tensor{
		{Name: "id", DType: models.Int64, Shape: []int64{int64(rows)}, Data: id},
		{Name: "x", DType: models.Float32, Shape: []int64{int64(rows), 3}, Data: x},
	}}
}

// sameTensors compares an answer with what was sent.
func sameTensors(t testing.TB, got, want []models.Tensor) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d outputs, want %d", len(got), len(want))
		return
	}
	for i := range want {
		if got[i].Name != want[i].Name || got[i].DType != want[i].DType || !slices.Equal(got[i].Shape, want[i].Shape) || string(got[i].Data) != string(want[i].Data) {
			t.Errorf("output %d is %s %s %v %.60x, want %s %s %v %.60x", i, got[i].Name, got[i].DType, got[i].Shape, got[i].Data,
				want[i].Name, want[i].DType, want[i].Shape, want[i].Data)
		}
	}
}

// infer sends a request and checks that its answer is its own.
func infer(t testing.TB, b *Batcher, m *memory, rows int, in time.Duration, p handoff.Priority) error {
	job := b.AcquireTensors()
	defer job.Release()
	var sent []models.Tensor
	for _, x := range m.tensors {
		x.Data = slices.Clone(x.Data)
		sent = append(sent, x)
	}
	err := job.Score(m.tensors, rows, m, time.Now().Add(in), p)
	if err == nil {
		sameTensors(t, job.Outputs(), sent)
	}
	return err
}

// sendTensors is infer in the background, queued or refused before it returns.
// Only under synctest.
func (s *scene) sendTensors(m *memory, rows int, in time.Duration, p handoff.Priority) <-chan outcome {
	return sendTensors(s.t, s.b, m, rows, in, p)
}

func sendTensors(t testing.TB, b *Batcher, m *memory, rows int, in time.Duration, p handoff.Priority) <-chan outcome {
	ch := make(chan outcome, 1)
	start := time.Now()
	go func() {
		err := infer(t, b, m, rows, in, p)
		ch <- outcome{err, time.Since(start)}
	}()
	synctest.Wait()
	return ch
}

func (m *memory) wantFreed(t testing.TB, n int32) {
	t.Helper()
	if got := m.freed.Load(); got != n {
		t.Errorf("the request's memory was freed %d times, want %d", got, n)
	}
}

func TestALargeRequestIsSplitAndJoinedInOrder(t *testing.T) {
	for _, rows := range []int{1, 3, 4, 5, 8, 10, 33} {
		s := stage(t, testOptions(), 2, 4, nil)
		m := requestOf(100, rows)
		if err := infer(t, s.b, m, rows, time.Minute, handoff.Normal); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
		s.end() // the last worker's hold may be longer than the wait for its answer
		m.wantFreed(t, 1)
		if slices.Sort(s.ran); len(s.ran) != rows || s.ran[0] != 100 || s.ran[rows-1] != int64(99+rows) {
			t.Errorf("%d rows: ran %v", rows, s.ran)
		}
	}
}

func TestRowsAndPartsShareARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, takes(10*ms))
		first := s.send(1, time.Second, handoff.Normal)
		row := s.send(2, 2*time.Second, handoff.Normal)
		tensors := s.sendTensors(requestOf(10, 3), 3, 3*time.Second, handoff.Normal)
		last := s.send(3, 4*time.Second, handoff.Normal)
		for _, ch := range []<-chan outcome{row, tensors, last} {
			s.want(ch, nil, 20*ms)
		}
		s.want(first, nil, 10*ms)
		s.wantRuns(1, 5)
		s.wantRan(1, 2, 10, 11, 12, 3)
		s.end()
	})
}

// A part that does not fit beside what is there waits for the next run.
func TestAPartIsNotSplitToFillARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		s.send(1, time.Second, handoff.Normal)
		rows := []<-chan outcome{s.send(2, 2*time.Second, handoff.Normal), s.send(3, 2*time.Second, handoff.Normal)}
		tensors := s.sendTensors(requestOf(10, 3), 3, 3*time.Second, handoff.Normal)
		s.want(tensors, nil, 30*ms)
		for _, ch := range rows {
			s.want(ch, nil, 20*ms)
		}
		s.wantRuns(1, 2, 3)
		s.end()
	})
}

// One request has at most one part more queued or running than there are workers.
func TestAWindowBoundsWhatARequestQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		large := s.sendTensors(requestOf(10, 40), 40, time.Minute, handoff.Normal)
		if n := s.b.Stats().Queued; n != 4 {
			t.Errorf("%d rows are queued behind the run, want one part of 4", n)
		}
		// Others get their turn before the whole of it.
		other := s.send(1, time.Second, handoff.Normal)
		if got := <-other; got.err != nil || got.after > 30*ms {
			t.Errorf("a row beside it: %v after %v", got.err, got.after)
		}
		s.want(large, nil, 110*ms)
		s.end()
	})
}

// The queue holds one full batch; three workers' worth of parts do not fit, and wait.
func TestPartsWaitForRoomThatTheirOwnTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.QueueRows = 4
		s := stage(t, o, 3, 4, takes(10*ms))
		if got := <-s.sendTensors(requestOf(10, 40), 40, time.Minute, handoff.Normal); got.err != nil {
			t.Errorf("refused for its own parts: %v", got.err)
		}
		s.end()
	})
}

func TestTimingIsThatOfTheSlowestPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, func(_ *batchertest.Fake, ids []int64) error {
			time.Sleep(time.Duration(len(ids)) * 10 * ms)
			return nil
		})
		job := s.b.AcquireTensors()
		m := requestOf(10, 6)
		if err := job.Score(m.tensors, 6, m, time.Now().Add(time.Minute), handoff.Normal); err != nil {
			t.Fatal(err)
		}
		if queued, run, rows := job.Timing(); queued != 40*ms || run != 40*ms || rows != 4 {
			t.Errorf("queued %v, ran %v, %d rows; want 40ms, 40ms, 4", queued, run, rows)
		}
		job.Release()
		s.end()
	})
}

func TestAPoisonPartFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 8, spoils(11))
		s.send(0, 10*time.Second, handoff.Normal)
		good := s.sendTensors(requestOf(20, 2), 2, time.Second, handoff.Normal)
		poison := s.sendTensors(requestOf(10, 3), 3, time.Second+1, handoff.Normal)
		row := s.send(1, time.Second+2, handoff.Normal)
		s.want(good, nil, 30*ms)
		s.want(row, nil, 50*ms)
		if got := <-poison; got.err != ErrRow {
			t.Errorf("the poison part: %v", got.err)
		}
		s.wantRuns(1, 6, 2, 3, 1)
		s.end()
	})
}

// One bad row among many parts: the request fails, and nobody runs the rest of it.
func TestAFailedPartEndsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, spoils(11))
		s.send(0, 10*time.Second, handoff.Normal)
		m := requestOf(10, 400)
		if got := <-s.sendTensors(m, 400, time.Minute, handoff.Normal); got.err != ErrRow {
			t.Errorf("%v, want %v", got.err, ErrRow)
		}
		time.Sleep(time.Second)
		m.wantFreed(t, 1)
		if len(s.fakes[0].Runs()) > 5 {
			t.Errorf("runs %v", s.fakes[0].Runs())
		}
		s.end()
	})
}

// A request that left at its deadline keeps its memory until no worker reads it.
func TestMemoryIsFreedOnceAndNotUnderARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.RunTimeout = 10 * time.Second
		s := stage(t, o, 1, 4, func(f *batchertest.Fake, ids []int64) error {
			time.Sleep(time.Second)
			if got := idsOf(f, len(ids)); !slices.Equal(got, ids) {
				t.Errorf("the input changed under the run: %v, was %v", got, ids)
			}
			return nil
		})
		m := requestOf(10, 12)
		s.want(s.sendTensors(m, 12, 100*ms, handoff.Normal), ErrUnfinished, 100*ms)
		m.wantFreed(t, 0)
		time.Sleep(901 * ms)
		m.wantFreed(t, 1)
		if runs := s.fakes[0].Runs(); len(runs) != 1 {
			t.Errorf("runs %v: a part was run although its caller had left", runs)
		}
		s.end()
		m.wantFreed(t, 1)
	})
}

func TestMemoryOfARefusedRequestIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, testOptions(), 1, 4, takes(10*ms))
		late := requestOf(1, 2)
		s.want(s.sendTensors(late, 2, -ms, handoff.Normal), ErrExpired, 0)
		synctest.Wait()
		late.wantFreed(t, 1)
		// 25 runs of 10 ms are known to take longer than 100 ms.
		s.want(s.sendTensors(requestOf(1, 4), 4, time.Minute, handoff.Normal), nil, 10*ms)
		hurried := requestOf(1, 100)
		s.want(s.sendTensors(hurried, 100, 100*ms, handoff.Normal), ErrOverloaded, 0)
		synctest.Wait()
		hurried.wantFreed(t, 1)
		s.end()
		closed := requestOf(1, 2)
		s.want(s.sendTensors(closed, 2, time.Minute, handoff.Normal), ErrClosed, 0)
		synctest.Wait()
		closed.wantFreed(t, 1)
	})
}

func TestALowRequestIsShedForANormalOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions()
		o.QueueRows = 4
		s := stage(t, o, 1, 4, takes(10*ms))
		s.send(1, time.Second, handoff.Normal)
		m := requestOf(10, 3)
		low := s.sendTensors(m, 3, time.Second, handoff.Low)
		normal := s.sendTensors(requestOf(20, 2), 2, time.Second, handoff.Normal)
		s.want(low, ErrOverloaded, 0)
		synctest.Wait()
		m.wantFreed(t, 1)
		s.want(normal, nil, 20*ms)
		s.end()
	})
}

func TestAnAnswerIsBounded(t *testing.T) {
	wide := models.NewLayout([]models.Port{{Name: "x", DType: models.Uint8, Shape: []int{1 << 20}}})
	narrow := models.NewLayout([]models.Port{{Name: "x", DType: models.Uint8}})
	f := batchertest.NewFake(narrow, 4)
	b, err := New(testOptions(), narrow, wide, []Runner{f})
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{tensors: []models.Tensor{{Name: "x", DType: models.Uint8, Shape: []int64{1000}, Data: make([]byte, 1000)}}}
	job := b.AcquireTensors()
	if err := job.Score(m.tensors, 1000, m, time.Now().Add(time.Minute), handoff.Normal); !errors.Is(err, ErrRow) || !strings.Contains(err.Error(), "1000 rows") {
		t.Errorf("an answer of 1000 MiB: %v", err)
	}
	job.Release()
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
	m.wantFreed(t, 1)
}

// stringLayout has texts beside numbers, so that parts are joined.
var stringLayout = models.NewLayout([]models.Port{
	{Name: "n", DType: models.Int32},
	{Name: "words", DType: models.String, Shape: []int{2}},
})

func textRequest(rows int) *memory {
	var n, words []byte
	for r := range rows {
		n = binary.LittleEndian.AppendUint32(n, uint32(r))
		words = models.AppendStringElement(words, strings.Repeat("ab", r%7))
		words = models.AppendStringElement(words, string(rune('a'+r%26))+"\x00z")
	}
	return &memory{tensors: []models.Tensor{
		{Name: "n", DType: models.Int32, Shape: []int64{int64(rows)}, Data: n},
		{Name: "words", DType: models.String, Shape: []int64{int64(rows), 2}, Data: words},
	}}
}

func TestStringsAreSplitAndJoined(t *testing.T) {
	fake := batchertest.NewFake(stringLayout, 4)
	b, err := New(testOptions(), stringLayout, stringLayout, []Runner{fake, batchertest.NewFake(stringLayout, 4)})
	if err != nil {
		t.Fatal(err)
	}
	var sent []*memory
	for _, rows := range []int{1, 4, 5, 30} {
		m := textRequest(rows)
		if err := infer(t, b, m, rows, time.Minute, handoff.Normal); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
		sent = append(sent, m)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
	for _, m := range sent { // the last worker's hold may be longer than the wait for its answer
		m.wantFreed(t, 1)
	}
	in, _ := fake.Frames()
	for i, s := range in.Strings[1] {
		if s != "" {
			t.Errorf("string %d of the frame still points into a request: %q", i, s)
		}
	}
}

// Splitting strings must not walk those before each part again.
func TestManyStringsAreSplitInOneWalk(t *testing.T) {
	fake := batchertest.NewFake(stringLayout, 64)
	b, err := New(testOptions(), stringLayout, stringLayout, []Runner{fake})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 300_000
	m := textRequest(rows)
	start := time.Now()
	if err := infer(t, b, m, rows, time.Minute, handoff.Normal); err != nil {
		t.Error(err)
	}
	// From the beginning each time it would be 10^9 steps.
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d rows took %v", rows, took)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
