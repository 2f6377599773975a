package promotion

import (
	"fmt"
	"math"
	"time"
)

// Health are a version's counters since it was loaded.
type Health struct {
	// Requests were answered or failed by the version's doing; NonFinite answers
	// held a NaN or an infinity.
	Requests, Failed, NonFinite uint64
	Runs, RunErrors             uint64
	RunTime                     time.Duration
	// Slower counts the runs by their duration: those up to Bounds[i], which
	// ascend, each including the ones before.
	Bounds []time.Duration
	UpTo   []uint64
	// Trips counts how often the breaker opened; Open says that it is.
	Trips uint64
	Open  bool
}

// since is what came after an earlier reading.
func (h Health) since(before Health) Health {
	out := h
	out.Requests -= min(before.Requests, h.Requests)
	out.Failed -= min(before.Failed, h.Failed)
	out.NonFinite -= min(before.NonFinite, h.NonFinite)
	out.Runs -= min(before.Runs, h.Runs)
	out.RunErrors -= min(before.RunErrors, h.RunErrors)
	out.RunTime -= min(before.RunTime, h.RunTime)
	out.Trips -= min(before.Trips, h.Trips)
	out.UpTo = make([]uint64, len(h.UpTo))
	for i, n := range h.UpTo {
		out.UpTo[i] = n
		if i < len(before.UpTo) {
			out.UpTo[i] -= min(before.UpTo[i], n)
		}
	}
	return out
}

func (h Health) mean() time.Duration {
	if h.Runs == 0 {
		return 0
	}
	return h.RunTime / time.Duration(h.Runs)
}

// quantile reads a duration off the counts, between the bounds around it.
func (h Health) quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.Runs)))
	low, below := time.Duration(0), uint64(0)
	for i, n := range h.UpTo {
		if n >= rank && n > below {
			share := float64(rank-below) / float64(n-below)
			return low + time.Duration(share*float64(h.Bounds[i]-low))
		}
		low, below = h.Bounds[i], n
	}
	return low // above the last bound
}

func rate(part, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// Judgement needs numbers, and on a busy machine one run in a hundred waits for
// the processor: below these, what looks slow is chance.
const (
	minJudged     = 20  // requests or runs before a rate counts
	minTimed      = 100 // runs before a mean counts
	minTail       = 500 // runs before a p99 counts
	meanSlack     = 500 * time.Microsecond
	quantileSlack = 5 * time.Millisecond
)

// judge says what is wrong with a version since its switch; nil when nothing is.
// before is how the version before it did. last says that nothing will be added.
func (r *Request) judge(h, before Health, last bool) error {
	if h.Open || h.Trips > 0 {
		return fmt.Errorf("its circuit breaker opened")
	}
	enough := func(n uint64) bool { return n >= minJudged || last && n > 0 }
	for _, c := range []struct {
		what     string
		part, of uint64
	}{
		{"answers held NaN or an infinity", h.NonFinite, h.Requests},
		{"requests failed", h.Failed, h.Requests},
		{"runs failed", h.RunErrors, h.Runs},
	} {
		if share := rate(c.part, c.of); enough(c.of) && share > r.MaxErrorRate {
			return fmt.Errorf("%d of %d %s, %.3g %%; at most %.3g %% are allowed (max_error_rate)", c.part, c.of, c.what, 100*share, 100*r.MaxErrorRate)
		}
	}
	slower := func(what string, now, then, slack time.Duration) error {
		if then == 0 || now-then <= slack || float64(now) <= r.MaxLatencyRatio*float64(then) {
			return nil
		}
		return fmt.Errorf("the %s of a run is %s, %.1f times the %s of the version before; at most %.3g times are allowed (max_latency_ratio)",
			what, now.Round(time.Microsecond), float64(now)/float64(then), then.Round(time.Microsecond), r.MaxLatencyRatio)
	}
	if h.Runs >= minTimed && before.Runs >= minTimed {
		if err := slower("mean", h.mean(), before.mean(), meanSlack); err != nil {
			return err
		}
	}
	if h.Runs >= minTail && before.Runs >= minTail {
		return slower("p99", h.quantile(.99), before.quantile(.99), quantileSlack)
	}
	return nil
}
