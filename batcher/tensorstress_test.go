package batcher

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

// Everything at once: sizes, splits, merges, deadlines, priorities and poison.
// Every request's memory is freed once and every answer is its own.
func TestStressOfTensors(t *testing.T) {
	b := stressed(t)
	var callers sync.WaitGroup
	outcomes := make([]map[error]int, 8)
	for c := range outcomes {
		outcomes[c] = map[error]int{}
		callers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 3))
			for range 3000 {
				rows, value := 1+r.IntN(4)*r.IntN(6), byte(r.IntN(200))
				if r.IntN(100) == 0 {
					value = 0xdb
				}
				m := sequence(value, int64(rows), 1+r.Int64N(3))
				err := infer(t, b, m, rows, time.Duration(r.IntN(2000))*time.Microsecond, handoff.Priority(r.IntN(2)))
				if value == 0xdb && err == nil {
					t.Error("poison was scored")
				}
				outcomes[c][err]++
				// With the parts that a worker still holds gone, the memory is.
				for n := 0; m.freed.Load() != 1; n++ {
					if n > 10_000 {
						t.Errorf("memory freed %d times", m.freed.Load())
						return
					}
					time.Sleep(100 * time.Microsecond)
				}
			}
		})
	}
	callers.Wait()
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
	all := map[error]int{}
	for _, o := range outcomes {
		for err, n := range o {
			all[err] += n
		}
	}
	t.Log(all)
	if all[nil] == 0 || all[ErrExpired]+all[ErrUnfinished]+all[ErrOverloaded] == 0 {
		t.Errorf("the test did not mix outcomes: %v", all)
	}
}

// stressed is a batcher that fails on freed memory and is slow at times.
func stressed(t *testing.T) *Batcher {
	var runners []TensorRunner
	for range 2 {
		f := batchertest.NewFakeTensors(6)
		f.OnRun = func(in []models.Tensor) ([]models.Tensor, error) {
			if in[0].Data[0]%64 == 63 {
				time.Sleep(200 * time.Microsecond)
			}
			if slices.Contains(in[0].Data, 0xdb) {
				return nil, errors.New("freed memory, or poison")
			}
			return nil, nil
		}
		runners = append(runners, f)
	}
	o := testOptions()
	o.QueueRows = 24
	b, err := NewTensors(o, openSignature(models.Uint8), nil, runners)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
