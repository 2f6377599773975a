package batcher

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// costClasses are powers of two of the batch size, up to 2^15 rows.
const costClasses = 16

// cost is what runs have been measured to take, by class of batch size: an
// exponentially weighted mean, in nanoseconds, 0 while unknown. Workers write,
// callers read; a lost update between two workers only ages the mean.
type cost struct{ mean [costClasses]atomic.Int64 }

func classOf(rows int) int { return min(bits.Len(uint(rows-1)), costClasses-1) }

// record adds one run. One eighth of the difference follows a change within a
// few batches and ignores a single slow one.
func (c *cost) record(rows int, run time.Duration) {
	m := &c.mean[classOf(rows)]
	old := m.Load()
	if old == 0 {
		m.Store(int64(run))
		return
	}
	m.Store(old + (int64(run)-old)/8)
}

// estimate is the cost of a batch of that many rows: as measured, else that of
// the next smaller batch measured, which is never too dear; 0 when nothing is
// known, and then nobody is refused.
//
// No batch counts as dearer than its rows would be in two halves. Without that,
// one slow run of a size (a page fault, a paused machine) could make admission
// refuse all that would form a batch of this size again, and so never unlearn it.
func (c *cost) estimate(rows int) time.Duration {
	var known, halves int64
	for i := range classOf(rows) + 1 {
		halves *= 2
		if m := c.mean[i].Load(); m > 0 {
			known = m
			if halves > 0 {
				known = min(m, halves)
			}
			halves = known
		}
	}
	return time.Duration(known)
}

// admit refuses rows that cannot be finished in time. It is the cheap answer:
// the caller hears it in microseconds instead of at its deadline.
func (b *Batcher) admit(now, until time.Time, rows int) error {
	if !now.Before(until) {
		return ErrExpired
	}
	if b.allStuck() {
		return ErrStuck
	}
	if rows <= b.maxRows && int(b.busy.Load()) < len(b.workers) && b.queue.Weight() == 0 {
		return nil
	}
	if now.Add(b.predictedWait(now, rows)).After(until) {
		return ErrOverloaded
	}
	return nil
}

// predictedWait is how long rows that arrive now will take: the rest of the run
// that ends first, the full batches before them, and their own last batch.
// Workers that are stuck do not help.
func (b *Batcher) predictedWait(now time.Time, rows int) time.Duration {
	queued := b.queue.Weight() + rows - 1
	full := queued / b.maxRows
	working := max(len(b.workers)-int(b.stuck.Load()), 1)
	wait := time.Duration(full/working) * b.cost.estimate(b.maxRows)
	wait += b.cost.estimate(queued%b.maxRows + 1)
	return wait + b.firstFree(now)
}

// firstFree is the shortest rest among the runs in progress that are not stuck;
// 0 when a worker is free or a run takes longer than it should.
func (b *Batcher) firstFree(now time.Time) time.Duration {
	first := time.Duration(-1)
	for _, w := range b.workers {
		started := w.startedAt.Load()
		if started == 0 {
			return 0
		}
		age := now.Sub(b.born) - time.Duration(started-1)
		if age >= b.options.RunTimeout {
			continue
		}
		rest := max(b.cost.estimate(int(w.rows.Load()))-age, 0)
		if first < 0 || rest < first {
			first = rest
		}
	}
	return max(first, 0)
}

// RetryAfter is when a refused caller may try again: once the queue as it is
// now has been worked off.
func (b *Batcher) RetryAfter() time.Duration { return b.predictedWait(time.Now(), 1) }
