package readout

import (
	"math/bits"

	"hotpath/abtest/stats"
)

// A window is cut into slots. One slot more than the window has is looked at, so
// that it is covered however far the newest has come.
const windowSlots = 30

// window counts the latest answers of an arm, for guardrails.
type window struct {
	length, width int64 // nanoseconds
	// latencies: the slots have latencies too.
	latencies bool
	slots     [windowSlots + 1]slot
}

// slot counts the answers of one stretch of time.
type slot struct {
	number int64 // of the stretch, from 1970 on
	tally
}

// tally counts answers.
type tally struct {
	answers, errors, degraded, nonFinite int64
	scores                               stats.Moments
	latencies                            *latencies // nil: none counted
}

// latencies counts durations in buckets, of which each octave has eight, from 64
// microseconds to 17 seconds. What is beyond goes into the first and the last.
type latencies [latencyOctaves * latencyBuckets]uint32

const (
	latencyOctaves  = 18
	latencyBuckets  = 8
	latencyFirstLog = 16 // 2^16 ns: 65.536 microseconds
)

func newWindow(length int64) *window {
	return &window{length: length, width: max(length/windowSlots, 1)}
}

// add counts an answer. One that is a little older than the window does not count;
// what is much older shows that the clock was put back, and begins anew.
func (w *window) add(at int64, o *answer) {
	n := at / w.width
	s := &w.slots[int(uint64(n)%uint64(len(w.slots)))]
	if s.number != n {
		if n < s.number && s.number-n <= 2*windowSlots+2 {
			return
		}
		kept := s.latencies
		if kept != nil {
			*kept = latencies{}
		}
		*s = slot{number: n, tally: tally{latencies: kept}}
	}
	s.answers++
	s.errors += count(o.failed)
	s.degraded += count(o.degraded)
	s.nonFinite += count(o.nonFinite)
	if o.scored {
		s.scores.Add(o.score)
	}
	if w.latencies && o.latency > 0 {
		if s.latencies == nil {
			s.latencies = new(latencies)
		}
		s.latencies[latencyBucket(o.latency)]++
	}
}

// sum adds up the answers of the window that ends at a time.
func (w *window) sum(now int64) (t tally) {
	if w.latencies {
		t.latencies = new(latencies)
	}
	newest := now / w.width
	for i := range w.slots {
		s := &w.slots[i]
		if s.number > newest || s.number < newest-windowSlots {
			continue
		}
		t.answers += s.answers
		t.errors += s.errors
		t.degraded += s.degraded
		t.nonFinite += s.nonFinite
		t.scores.Merge(s.scores)
		if w.latencies && s.latencies != nil {
			for b, n := range s.latencies {
				t.latencies[b] += n
			}
		}
	}
	return t
}

// latencyBucket is where a duration in nanoseconds is counted.
func latencyBucket(ns int64) int {
	log := bits.Len64(uint64(ns)) - 1
	switch {
	case log < latencyFirstLog:
		return 0
	case log >= latencyFirstLog+latencyOctaves:
		return len(latencies{}) - 1
	}
	return (log-latencyFirstLog)*latencyBuckets + int(ns>>(log-3)&(latencyBuckets-1))
}

// latencyEdge is the lower bound of a bucket in nanoseconds.
func latencyEdge(bucket int) float64 {
	octave := float64(uint64(1) << (latencyFirstLog + bucket/latencyBuckets))
	return octave * (1 + float64(bucket%latencyBuckets)/latencyBuckets)
}

// total is how many were counted.
func (l *latencies) total() (n int64) {
	for _, c := range l {
		n += int64(c)
	}
	return n
}

// quantile is the duration in milliseconds at or below which a share q of the total
// lies.
func (l *latencies) quantile(q float64, total int64) float64 {
	const nanoseconds = 1e6
	rank, before := q*float64(total), 0.0
	for b, c := range l {
		n := float64(c)
		if n > 0 && before+n >= rank {
			low, high := latencyEdge(b), latencyEdge(b+1)
			return (low + (high-low)*(rank-before)/n) / nanoseconds
		}
		before += n
	}
	return 0
}
