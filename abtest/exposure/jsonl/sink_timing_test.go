package jsonl_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
)

// BenchmarkSteady sends 40,000 events a second, each iteration for one second, and
// tells what processor time one event takes altogether: the caller's pace, Record,
// the log's goroutine, the sink's, the kernel's.
func BenchmarkSteady(b *testing.B) {
	for name, o := range map[string]struct {
		window time.Duration
		units  int
	}{"each recorded": {0, 1 << 20}, "few recorded": {time.Hour, 1 << 10}} {
		b.Run(name, func(b *testing.B) {
			s, err := jsonl.Open(jsonl.Options{Dir: b.TempDir(), Keep: 2})
			if err != nil {
				b.Fatal(err)
			}
			l, err := exposure.Open(exposure.Options{Window: o.window, Sinks: []exposure.Sink{s}}, prometheus.NewRegistry())
			if err != nil {
				b.Fatal(err)
			}
			ids := make([]string, o.units)
			for i := range ids {
				ids[i] = "user-" + strconv.Itoa(1e8+i)
			}
			const perTick, ticks = 200, 200 // every 5 ms
			e, n, dropped := event("u"), 0, 0
			before := processorTime(b)
			for b.Loop() {
				start := time.Now()
				for tick := range ticks {
					time.Sleep(time.Until(start.Add(time.Duration(tick) * time.Second / ticks)))
					for range perTick {
						e.Unit = append(e.Unit[:0], ids[n%len(ids)]...)
						n++
						if !l.Record(e) {
							dropped++
						}
					}
				}
			}
			if err := l.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(n), "cpu-ns/event")
			b.ReportMetric(float64(dropped)/float64(n), "dropped/event")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkReadFiles(b *testing.B) {
	dir := b.TempDir()
	text := lines(0, 50_000)
	if err := os.WriteFile(dir+"/all", text, 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var h heard
		if r, err := jsonl.ReadFiles(b.Context(), []string{dir + "/all"}, 0, &h); err != nil || r.Exposures != 50_000 {
			b.Fatal(err, r)
		}
	}
}
