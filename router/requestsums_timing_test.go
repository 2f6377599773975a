package router

import (
	"testing"
	"time"
)

// BenchmarkCountRequest is what the sums of a lane add to a request, of which
// BenchmarkPredict is the whole.
func BenchmarkCountRequest(b *testing.B) {
	c, start := new(requestCounters), time.Now()
	stages := [NumStages]time.Duration{StageAssign: 300, StageFeatures: 200_000, StageQueue: 5000, StageRun: 30_000}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.answer(start, &stages)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.answer(start, &stages)
			}
		})
	})
}
