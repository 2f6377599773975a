package router_test

import (
	"testing"
)

// BenchmarkPredict is the pipeline with everything but the codec, the store and
// the model: assignment, guards, the way through a real batcher and back.
func BenchmarkPredict(b *testing.B) {
	r := rig(b)
	r.Serve(config(split("risk", 50, 50)), r.Version("risk", 1), r.Version("risk", 2))
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			once(b, r.Pipeline)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				once(b, r.Pipeline)
			}
		})
	})
}
