package exposure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// flushEvery is the longest that lines wait for a sink that works.
	flushEvery = 200 * time.Millisecond
	// batchBytes of lines are written without waiting for more.
	batchBytes = 256 << 10
	// maxBatch bounds what is written at once.
	maxBatch = 1 << 20
	// A sink that fails is tried again after a pause, which doubles.
	firstPause, longestPause = 100 * time.Millisecond, 2 * time.Second
)

// outlet is a sink with a queue and a goroutine of its own.
type outlet struct {
	sink  Sink
	limit int
	log   *slog.Logger

	mu      sync.Mutex
	pending []byte // whole lines that wait

	wake chan struct{} // something waits, or a batch of it
	stop chan struct{} // closed by finish: nothing follows
	done chan struct{} // closed by run

	// These two are run's until done is closed.
	abandoned int64 // lines lost because the log was closing
	closeErr  error

	written, lost, failures atomic.Int64
	held                    atomic.Int64 // bytes that wait or are being written
	failing                 atomic.Bool

	spare []byte // run's: the memory that pending gets next
}

func newOutlet(s Sink, limit int, log *slog.Logger) *outlet {
	return &outlet{sink: s, limit: limit, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// offer queues a copy of whole lines. Lines for which there is no room are lost.
func (o *outlet) offer(lines []byte) {
	if int(o.held.Load())+len(lines) > o.limit {
		o.lost.Add(countLines(lines))
		return
	}
	o.held.Add(int64(len(lines)))
	o.mu.Lock()
	before := len(o.pending)
	o.pending = append(o.pending, lines...)
	after := len(o.pending)
	o.mu.Unlock()
	if before == 0 || before < batchBytes && after >= batchBytes {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

func countLines(lines []byte) int64 { return int64(bytes.Count(lines, []byte{'\n'})) }

// finish says that nothing follows.
func (o *outlet) finish() { close(o.stop) }

// run writes what is offered until finish, and closes the sink.
func (o *outlet) run() {
	defer close(o.done)
	timer := newTimer()
	for !o.stopped() {
		select {
		case <-o.wake:
			o.gather(timer)
		case <-o.stop:
		}
		o.write(o.take(), timer)
	}
	// What was offered between the last take and finish.
	o.write(o.take(), timer)
	o.closeErr = o.sink.Close()
}

func (o *outlet) stopped() bool {
	select {
	case <-o.stop:
		return true
	default:
		return false
	}
}

// gather waits until a batch is full, or for flushEvery.
func (o *outlet) gather(timer *time.Timer) {
	o.mu.Lock()
	full := len(o.pending) >= batchBytes
	o.mu.Unlock()
	if full {
		return
	}
	timer.Reset(flushEvery)
	select {
	case <-timer.C:
	case <-o.wake:
	case <-o.stop:
	}
	timer.Stop()
}

// take is everything that waits. It is valid until the next take.
func (o *outlet) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.pending
	o.pending, o.spare = o.spare[:0], lines
	return lines
}

// write stores lines, in batches.
func (o *outlet) write(lines []byte, timer *time.Timer) {
	for len(lines) > 0 {
		n := len(lines)
		if n > maxBatch {
			n = bytes.LastIndexByte(lines[:maxBatch], '\n') + 1
		}
		o.store(lines[:n], timer)
		o.held.Add(int64(-n))
		lines = lines[n:]
	}
}

// store writes a batch, again and again until it is stored or the log is closing.
func (o *outlet) store(batch []byte, timer *time.Timer) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := o.sink.Write(batch)
		if err == nil {
			o.stored(batch)
			return
		}
		o.failed(err)
		if o.stopped() {
			n := countLines(batch)
			o.lost.Add(n)
			o.abandoned += n
			return
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-o.stop: // one try more
		}
		timer.Stop()
	}
}

func (o *outlet) stored(batch []byte) {
	o.written.Add(countLines(batch))
	if o.failing.Load() {
		o.failing.Store(false)
		o.log.Info("a sink of exposures works again", "sink", o.sink.Name(), "lost_so_far", o.lost.Load())
	}
}

func (o *outlet) failed(err error) {
	o.failures.Add(1)
	if !o.failing.Load() {
		o.failing.Store(true)
		o.log.Error("a sink of exposures fails and is tried again; meanwhile records wait for it, and are lost beyond what may wait",
			"sink", o.sink.Name(), "error", err, "may_wait_bytes", o.limit)
	}
}

// wait waits for run, after finish, and says what was lost since.
func (o *outlet) wait(ctx context.Context) error {
	select {
	case <-o.done:
	case <-ctx.Done():
		return fmt.Errorf("exposures: sink %s did not end in time, %d bytes wait: %w", o.sink.Name(), o.held.Load(), context.Cause(ctx))
	}
	var lost error
	if o.abandoned > 0 {
		lost = fmt.Errorf("exposures: %d records were lost because sink %s failed when the log was closed", o.abandoned, o.sink.Name())
	}
	if o.closeErr != nil {
		return errors.Join(lost, fmt.Errorf("exposures: closing sink %s: %w", o.sink.Name(), o.closeErr))
	}
	return lost
}

func (o *outlet) collectors() []prometheus.Collector {
	labels := prometheus.Labels{"sink": o.sink.Name()}
	gauge := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, read)
	}
	return []prometheus.Collector{
		counter("hotpath_exposure_sink_records_total", "Records that the sink stored.", labels, &o.written),
		counter("hotpath_exposure_sink_lost_total", "Records lost to the sink: it was slow or failed for longer than may wait.", labels, &o.lost),
		counter("hotpath_exposure_sink_errors_total", "Failed writes to the sink.", labels, &o.failures),
		gauge("hotpath_exposure_sink_waiting_bytes", "Records that wait for the sink, in bytes.", func() float64 { return float64(o.held.Load()) }),
		gauge("hotpath_exposure_sink_up", "1: the sink's last write succeeded, or it had none.", func() float64 {
			if o.failing.Load() {
				return 0
			}
			return 1
		}),
	}
}
