package exposure_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"hotpath/abtest/exposure"
)

// discard is a sink that costs nothing.
type discard struct{}

func (discard) Name() string       { return "discard" }
func (discard) Write([]byte) error { return nil }
func (discard) Close() error       { return nil }

// ignore is a follower that costs nothing.
type ignore struct{}

func (ignore) Exposed(*exposure.Event, bool) {}
func (ignore) Reported(*exposure.Feedback)   {}

// BenchmarkRecord measures what a request pays. The log is let catch up after each
// burst, so that nothing is dropped.
func BenchmarkRecord(b *testing.B) {
	l, reg := open(b, exposure.Options{Window: time.Hour, Followers: []exposure.Follower{ignore{}}, Sinks: []exposure.Sink{discard{}}})
	const burst = 8192
	e := event("user-0123456789")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%burst == burst-1 {
			b.StopTimer()
			eventually(b, "the queue is empty", func() bool { return metric(b, reg, "hotpath_exposure_queue_events") == 0 })
			b.StartTimer()
		}
		if !l.Record(e) {
			b.Fatal("dropped")
		}
	}
}

// BenchmarkRecordInParallel does so from every processor. Its bursts fit in the
// queue as a whole.
func BenchmarkRecordInParallel(b *testing.B) {
	l, reg := open(b, exposure.Options{Window: time.Hour, Followers: []exposure.Follower{ignore{}}, Sinks: []exposure.Sink{discard{}}})
	const burst, producers = 4096, 4
	var took time.Duration
	b.ReportAllocs()
	for range b.N {
		eventually(b, "the queue is empty", func() bool { return metric(b, reg, "hotpath_exposure_queue_events") == 0 })
		var all sync.WaitGroup
		start := time.Now()
		for range producers {
			all.Go(func() {
				e := event("user-0123456789")
				for range burst / producers {
					l.Record(e)
				}
			})
		}
		all.Wait()
		took += time.Since(start)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*burst), "ns/record")
	if n := metric(b, reg, "hotpath_exposures_dropped_total"); n > 0 {
		b.Errorf("%v were dropped", n)
	}
}

// benchmarkAll measures Record and the log's goroutine together: it waits for the
// log whenever the queue is full.
func benchmarkAll(b *testing.B, window time.Duration, units int) {
	l, _ := open(b, exposure.Options{Window: window, Followers: []exposure.Follower{ignore{}}, Sinks: []exposure.Sink{discard{}}})
	ids := make([][]byte, units)
	for i := range ids {
		ids[i] = []byte("user-" + strconv.Itoa(100_000_000+i))
	}
	e := event("")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Unit, e.RequestID = ids[i%units], ids[(i+units/2)%units]
		for !l.Record(e) {
			time.Sleep(50 * time.Microsecond)
		}
	}
	closeLog(b, l)
}

func BenchmarkAll(b *testing.B) {
	b.Run("each recorded", func(b *testing.B) { benchmarkAll(b, 0, 1<<18) })
	b.Run("each first", func(b *testing.B) { benchmarkAll(b, time.Hour, 1<<20) })
	b.Run("one in many", func(b *testing.B) { benchmarkAll(b, time.Hour, 1<<16) })
}

func BenchmarkAppendExposure(b *testing.B) {
	e := event("user-0123456789")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = exposure.AppendExposure(dst[:0], e)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecode(b *testing.B) {
	line := exposure.AppendExposure(nil, event("user-0123456789"))
	d := exposure.NewDecoder()
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, _, err := d.Decode(line); err != nil {
			b.Fatal(err)
		}
	}
}
