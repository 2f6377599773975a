package resilience

import (
	"testing"
	"time"
)

func benchmarkGuard(b *testing.B) *Guard {
	return newGuard(b, Options{FailureRatio: 0.5, MinResults: 20, Window: time.Second,
		OpenFor: time.Second, Probes: 3, MaxConcurrent: 1024, RetryRatio: 0.1})
}

func guardedCall(b *testing.B, g *Guard) {
	p, err := g.Enter()
	if err != nil {
		b.Error(err)
		return
	}
	if g.Permits().TryAcquirePermit() {
		g.Permits().ReleasePermit()
	}
	p.Leave(Success)
}

func BenchmarkEnterLeave(b *testing.B) {
	g := benchmarkGuard(b)
	b.ReportAllocs()
	for b.Loop() {
		p, err := g.Enter()
		if err != nil {
			b.Fatal(err)
		}
		p.Leave(Success)
	}
}

func BenchmarkEnterPermitLeave(b *testing.B) {
	g := benchmarkGuard(b)
	b.ReportAllocs()
	for b.Loop() {
		guardedCall(b, g)
	}
}

func BenchmarkEnterPermitLeaveParallel(b *testing.B) {
	g := benchmarkGuard(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			guardedCall(b, g)
		}
	})
}

// BenchmarkTwoGuards is what one request pays: the store's guard and the
// model's. The goal is 1 µs and 2 allocations.
func BenchmarkTwoGuards(b *testing.B) {
	store, model := benchmarkGuard(b), benchmarkGuard(b)
	b.ReportAllocs()
	for b.Loop() {
		guardedCall(b, store)
		guardedCall(b, model)
	}
}

func BenchmarkTwoGuardsParallel(b *testing.B) {
	store, model := benchmarkGuard(b), benchmarkGuard(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			guardedCall(b, store)
			guardedCall(b, model)
		}
	})
}
