package sticky

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/resilience/redislink/redistest"
)

// asked are the arguments of one Recall.
type asked struct {
	es            []*abtest.Experiment
	ids, variants [][]byte
}

func ask1(es []*abtest.Experiment, unit string) *asked {
	a := &asked{es: es, ids: make([][]byte, len(es)), variants: make([][]byte, len(es))}
	for i := range a.ids {
		a.ids[i] = []byte(unit)
	}
	return a
}

func (a *asked) of(s *rig) { s.Recall(time.Now().Add(time.Second), a.es, a.ids, a.variants) }

// TestAllocations: none for what memory knows, few for what it does not.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		return // the detector allocates
	}
	redis := redistest.Start(t)
	s := connected(t, options(redis.Addr()))
	for _, n := range []int{1, 20} {
		a := ask1(experiments(t, n, "s"), "u")
		for _, e := range a.es {
			s.Remember(e, []byte("u"), "a")
		}
		if allocs := testing.AllocsPerRun(500, func() { a.of(s) }); allocs != 0 {
			t.Errorf("%d experiments in memory: %v allocations", n, allocs)
		}
		a = ask1(a.es, "nobody")
		if allocs := testing.AllocsPerRun(500, func() { a.of(s) }); allocs != 0 {
			t.Errorf("%d experiments with nothing: %v allocations", n, allocs)
		}
	}
	a, u := ask1(experiments(t, 1, "s"), "u"), 0
	allocs := testing.AllocsPerRun(500, func() {
		u++
		a.ids[0] = strconv.AppendInt(a.ids[0][:0], int64(u), 10)
		a.of(s)
	})
	t.Logf("a miss: %v allocations", allocs)
	if allocs > 12 {
		t.Errorf("a miss: %v allocations", allocs)
	}
	e, unit := a.es[0], []byte("u")
	if allocs := testing.AllocsPerRun(500, func() { s.Remember(e, unit, "a") }); allocs != 0 {
		t.Errorf("what is stored, remembered again: %v allocations", allocs)
	}
}

func BenchmarkRecallCached(b *testing.B) {
	redis := redistest.Start(b)
	s := connected(b, options(redis.Addr()))
	for _, n := range []int{1, 5} {
		es := experiments(b, n, "s")
		for u := range 1000 {
			for _, e := range es {
				s.Remember(e, fmt.Append(nil, "user-", u), "a")
			}
		}
		b.Run(fmt.Sprintf("experiments=%d/one", n), func(b *testing.B) {
			a := ask1(es, "user-7")
			b.ReportAllocs()
			for b.Loop() {
				a.of(s)
			}
		})
		b.Run(fmt.Sprintf("experiments=%d/parallel", n), func(b *testing.B) {
			var next atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				a := ask1(es, fmt.Sprint("user-", next.Add(1)))
				for pb.Next() {
					a.of(s)
				}
			})
		})
	}
}

// BenchmarkRecallStored asks for units that memory does not have.
func BenchmarkRecallStored(b *testing.B) {
	redis := redistest.Start(b)
	o := options(redis.Addr())
	o.AbsentFor = 10 * time.Millisecond
	s := connected(b, o)
	es := experiments(b, 1, "s")
	var next atomic.Int64
	for _, parallel := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", parallel), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(parallel)
			b.RunParallel(func(pb *testing.PB) {
				a := ask1(es, "")
				for pb.Next() {
					a.ids[0] = strconv.AppendInt(a.ids[0][:0], next.Add(1), 10)
					a.of(s)
				}
			})
		})
	}
	if s.recalls("timeout")+s.recalls("refused")+s.recalls("error") > 0 {
		b.Error("not every unit was looked up")
	}
}

func BenchmarkRemember(b *testing.B) {
	redis := redistest.Start(b)
	s := connected(b, options(redis.Addr()))
	e := experiments(b, 1, "s")[0]
	unit := []byte(nil)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		unit = strconv.AppendInt(unit[:0], int64(n), 10)
		s.Remember(e, unit, "a")
	}
}
