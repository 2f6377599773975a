package batcher

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"hotpath/resilience/handoff"
)

// worker owns one runner and its goroutine.
type worker struct {
	b       *Batcher
	engine  engine
	control Control
	items   []*Job // scratch for one batch

	// startedAt (1 + ns since the batcher's birth, 0: no run) and rows describe the run in progress to
	// admission, which reads them without the lock.
	startedAt atomic.Int64
	rows      atomic.Int32

	// mu orders the watchdog against the end of a run, so that Cancel can only
	// hit the run that it was meant for.
	mu struct {
		sync.Mutex
		running   bool
		cancelled bool
		start     time.Time
	}
	watchdog *time.Timer
}

func newWorker(b *Batcher, e engine) *worker {
	w := &worker{b: b, engine: e, control: e.control(), items: make([]*Job, 0, b.maxRows)}
	w.watchdog = time.AfterFunc(time.Hour, w.onTimeout)
	w.watchdog.Stop()
	return w
}

func (w *worker) loop() {
	if w.control.NeedsThread() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	for {
		items, ok := w.b.queue.TakeWith(w.engine.company(), w.items[:0], w.b.maxRows, w.b.options.MaxQueueDelay)
		if !ok {
			return
		}
		if len(items) > 0 {
			w.score(items)
			w.engine.unload()
		}
		clear(w.items[:cap(w.items)])
	}
}

// score runs one batch and finishes every job in it.
func (w *worker) score(items []*Job) {
	taken := int64(time.Since(w.b.born)) + 1
	rows := 0
	for _, j := range items {
		j.takenAt.Store(taken)
		rows += j.weight()
	}
	w.engine.load(items)
	start := time.Now()
	err := w.run(rows, start)
	elapsed := time.Since(start)
	switch {
	case err == nil:
		w.engine.remember()
		at := 0
		for _, j := range items {
			n := j.weight() // not after: its caller may have given it back by then
			w.deliver(at, j, start, elapsed, rows)
			at += n
		}
	case err == ErrTimeout:
		w.reportStopped(items)
		for _, j := range items {
			w.b.queue.Finish(j, err)
		}
	case len(items) == 1:
		w.b.queue.Finish(items[0], w.blame(err))
	default:
		w.scoreSingly(items, err)
	}
}

// reportStopped tells of the rows of a stopped run that nobody else will: their
// callers left, and put it down to the queue. Shadows have a guard of their own.
func (w *worker) reportStopped(items []*Job) {
	if w.b.options.Stopped == nil {
		return
	}
	n := 0
	for _, j := range items {
		if j.ticket.Priority() == handoff.Normal && j.ticket.Abandoned() && !j.spentInRun(j.ticket.Until()) {
			n++
		}
	}
	w.b.options.Stopped(n)
}

// blame says whose fault it is that rows failed where no neighbour shows it: a
// model that still scores a row that it has scored before is not at fault. Else
// anybody could open a model's breaker with rows that it cannot score.
func (w *worker) blame(err error) error {
	if !w.takeRetry() {
		return err
	}
	defer w.returnRetry()
	rows := w.engine.recall()
	if rows == 0 || w.run(rows, time.Now()) != nil {
		return err
	}
	return ErrRow
}

// deliver finishes a job whose rows begin at row at of the run.
func (w *worker) deliver(at int, j *Job, start time.Time, run time.Duration, rows int) {
	w.engine.deliver(j, at)
	j.startedAt, j.run, j.rows = start, run, rows
	w.b.queue.Finish(j, nil)
}

// scoreSingly finds the row that spoils a batch: each is run alone, once, as
// far as the retry budget and its own deadline allow. A row that fails alone
// while others succeed is at fault itself (ErrRow); when none succeeds, blame
// decides. A row that has to be stopped ends the search: there is no time for more.
func (w *worker) scoreSingly(items []*Job, batchErr error) {
	var failed []*Job
	succeeded, stopped := false, false
	for _, j := range items {
		if stopped || !time.Now().Before(j.ticket.Until()) || !w.takeRetry() {
			w.b.queue.Finish(j, batchErr)
			continue
		}
		w.engine.load([]*Job{j})
		start := time.Now()
		rows := j.weight()
		err := w.run(rows, start)
		w.returnRetry()
		switch err {
		case nil:
			succeeded = true
			w.deliver(0, j, start, time.Since(start), rows)
		case ErrTimeout:
			stopped = true
			w.b.queue.Finish(j, err)
		default:
			failed = append(failed, j)
		}
	}
	outcome := ErrRow
	if !succeeded && len(failed) > 0 {
		outcome = w.blame(batchErr)
	}
	for _, j := range failed {
		w.b.queue.Finish(j, outcome)
	}
}

func (w *worker) takeRetry() bool {
	return w.b.options.Retries == nil || w.b.options.Retries.TryAcquirePermit()
}

func (w *worker) returnRetry() {
	if w.b.options.Retries != nil {
		w.b.options.Retries.ReleasePermit()
	}
}

// run makes one run under the watchdog and records its cost.
func (w *worker) run(rows int, start time.Time) error {
	b := w.b
	b.busy.Add(1)
	w.rows.Store(int32(rows))
	w.startedAt.Store(int64(start.Sub(b.born)) + 1)
	w.mu.Lock()
	w.mu.running, w.mu.cancelled, w.mu.start = true, false, start
	w.mu.Unlock()
	w.watchdog.Reset(b.options.RunTimeout)

	err := w.guardedRun(rows)

	w.watchdog.Stop()
	w.mu.Lock()
	cancelled := w.mu.cancelled
	w.mu.running = false
	w.mu.Unlock()
	w.startedAt.Store(0)
	b.busy.Add(-1)
	elapsed := time.Since(start)
	switch {
	case cancelled:
		b.stuck.Add(-1)
		if err != nil {
			err = ErrTimeout
		}
	case err == nil:
		b.cost.record(rows, elapsed)
	}
	if b.options.Observe != nil {
		b.options.Observe(rows, elapsed, err)
	}
	return err
}

// guardedRun keeps a panic in a runner from ending the process.
func (w *worker) guardedRun(rows int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", ErrRun, p)
		}
	}()
	if err := w.engine.run(rows); err != nil {
		return fmt.Errorf("%w: %v", ErrRun, err)
	}
	return nil
}

// onTimeout is the watchdog: it asks the run to stop and counts the worker as
// stuck until it does.
func (w *worker) onTimeout() {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A firing that was late may find the next run: its age tells.
	if !w.mu.running || w.mu.cancelled || time.Since(w.mu.start) < w.b.options.RunTimeout {
		return
	}
	w.mu.cancelled = true
	w.b.stuck.Add(1)
	w.control.Cancel()
}
