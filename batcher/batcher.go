package batcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

// The ways in which scoring a row fails.
var (
	// ErrOverloaded: refused on arrival, for a full queue or because the deadline
	// could not have been met.
	ErrOverloaded = errors.New("model overloaded")
	// ErrExpired: the deadline passed while the row was queued.
	ErrExpired = errors.New("deadline passed in the queue")
	// ErrUnfinished: the deadline passed while the row's run was in progress, which
	// had taken more of the row's time than the queue.
	ErrUnfinished = errors.New("deadline passed during the run")
	// ErrStuck: every runner is inside a run that outlived its time limit.
	ErrStuck = errors.New("every runner of the model is stuck")
	// ErrRow: the model cannot score this row, though it scores others.
	ErrRow = errors.New("the model failed on this row")
	// ErrRun: the run failed.
	ErrRun = errors.New("the model's run failed")
	// ErrTimeout: the run was stopped at its time limit.
	ErrTimeout = errors.New("the model's run was stopped at its time limit")
	// ErrClosed: the model version is being unloaded.
	ErrClosed = errors.New("model version closed")
)

// Control is what every runner has. One worker owns a runner; only Cancel is
// called by another goroutine, and only while a run is in progress.
type Control interface {
	// MaxRows is the largest batch.
	MaxRows() int
	// Cancel asks the run in progress to stop; it may have no effect.
	Cancel()
	// NeedsThread says that runs must always come from the same OS thread.
	NeedsThread() bool
}

// Runner scores batches of rows of a fixed layout.
type Runner interface {
	Control
	// Frames are the batch's memory, the same for the runner's whole life.
	Frames() (in, out *models.Frame)
	// Run scores the first rows rows.
	Run(rows int) error
}

// TensorRunner scores tensors whose sizes vary from run to run.
type TensorRunner interface {
	Control
	// RunTensors scores one tensor for each input, and gives one for each output,
	// valid until Discard or the next run.
	RunTensors(in []models.Tensor) (out []models.Tensor, err error)
	// Discard lets go of the outputs.
	Discard()
}

// Options of a Batcher.
type Options struct {
	// QueueRows bounds the rows that wait.
	QueueRows int
	// MaxQueueDelay is how long a free runner waits for a full batch; 0: never.
	MaxQueueDelay time.Duration
	// RunTimeout is when a run is asked to stop, and counts as stuck until it does.
	RunTimeout time.Duration
	// Unbatched says that a row of a fixed layout is a whole run, of a model without
	// a batch dimension.
	Unbatched bool
	// Permits bound the rows that wait or run; nil: QueueRows is the only bound.
	Permits handoff.Permits
	// Retries is the budget for running the rows of a failed batch singly; nil: unbounded.
	Retries handoff.Permits
	// Stopped, if set, is told how many rows of a run that had to be stopped were
	// left by callers who put it down to the queue (ErrExpired). It must not block.
	Stopped func(rows int)
	// Observe, if set, is told of every finished run by its worker. It must not block.
	Observe func(rows int, run time.Duration, err error)
}

// Batcher forms batches for one model version. Its goroutines are one worker
// per runner, started by New and ended by Close.
type Batcher struct {
	options Options
	queue   *handoff.Queue[*Job]
	pool    sync.Pool // of *Job
	tensors sync.Pool // of *TensorJob
	workers []*worker
	running sync.WaitGroup
	maxRows int
	// out is the layout of the scored rows; nil where sizes vary. outputs is the
	// number of outputs, and batched says that their first dimension counts rows.
	out     *models.Layout
	outputs int
	batched bool
	cost    cost
	stuck   atomic.Int32 // workers in a run that outlived RunTimeout
	busy    atomic.Int32 // workers in a run
	born    time.Time    // origin of the workers' monotonic clock
}

// New starts one worker per runner, for rows of fixed layouts. The runners stay
// the caller's, who closes them after Close.
func New(o Options, in, out *models.Layout, runners []Runner) (*Batcher, error) {
	engines := make([]engine, len(runners))
	for i, r := range runners {
		engines[i] = newFrameEngine(r, in)
	}
	b, err := prepare(o, engines)
	if err != nil {
		return nil, err
	}
	b.out, b.outputs, b.batched = out, len(out.Ports), !o.Unbatched
	b.pool.New = func() any {
		j := &Job{in: in.NewRow(), out: out.NewRow(), owner: b}
		j.ticket.Init()
		return j
	}
	b.start(engines)
	return b, nil
}

// NewTensors starts one worker per runner, for tensors whose sizes vary: such a
// batcher has no rows, only TensorJobs. Requests of equal sizes share a run if the
// signature has a batch dimension; merging says which inputs need not be equal.
func NewTensors(o Options, sig *models.Signature, merging []Merge, runners []TensorRunner) (*Batcher, error) {
	engines := make([]engine, len(runners))
	for i, r := range runners {
		engines[i] = newTensorEngine(r, sig, merging)
	}
	b, err := prepare(o, engines)
	if err != nil {
		return nil, err
	}
	b.outputs, b.batched = len(sig.Outputs), sig.Batched
	b.pool.New = func() any {
		j := &Job{owner: b}
		j.ticket.Init()
		return j
	}
	b.start(engines)
	return b, nil
}

func prepare(o Options, engines []engine) (*Batcher, error) {
	switch {
	case len(engines) == 0:
		return nil, errors.New("batcher needs at least one runner")
	case o.QueueRows < 1:
		return nil, fmt.Errorf("queue_rows is %d: must be at least 1", o.QueueRows)
	case o.RunTimeout <= 0:
		return nil, fmt.Errorf("run_timeout is %s: must be positive", o.RunTimeout)
	case o.MaxQueueDelay < 0:
		return nil, fmt.Errorf("max_queue_delay is %s: must not be negative", o.MaxQueueDelay)
	}
	most := engines[0].control().MaxRows()
	for i, e := range engines {
		if n := e.control().MaxRows(); n < 1 || n != most {
			return nil, fmt.Errorf("runner %d takes %d rows: must be at least 1, and the same for all", i, n)
		}
	}
	b := &Batcher{options: o, queue: handoff.NewQueue[*Job](max(o.QueueRows, most), o.Permits), maxRows: most, born: time.Now()}
	b.tensors.New = func() any { return &TensorJob{owner: b} }
	return b, nil
}

func (b *Batcher) start(engines []engine) {
	for _, e := range engines {
		w := newWorker(b, e)
		b.workers = append(b.workers, w)
		b.running.Go(w.loop)
	}
}

// Acquire takes a job out of the pool. In holds what its last user left there,
// except for strings, which are empty.
func (b *Batcher) Acquire() *Job {
	j := b.pool.Get().(*Job)
	j.ticket.Hold()
	j.takenAt.Store(0)
	return j
}

// Close refuses new rows, lets what is queued be scored, and waits for the
// workers until ctx ends; the error then says how many runs are still going on.
func (b *Batcher) Close(ctx context.Context) error {
	b.queue.Close()
	done := make(chan struct{})
	go func() {
		b.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d runs still in progress: %w", b.busy.Load(), ctx.Err())
	}
}

// translate turns the queue's errors into this package's.
func (b *Batcher) translate(err error) error {
	switch err {
	case nil:
		return nil
	case handoff.ErrFull, handoff.ErrShed:
		if b.allStuck() {
			return ErrStuck
		}
		return ErrOverloaded
	case handoff.ErrDeadline:
		return ErrExpired
	case handoff.ErrClosed:
		return ErrClosed
	}
	return err
}

func (b *Batcher) allStuck() bool { return int(b.stuck.Load()) == len(b.workers) }

// Stats is a batcher's condition at one moment.
type Stats struct {
	Queued  int           `json:"queued"`
	Busy    int           `json:"busy"`
	Stuck   int           `json:"stuck"`
	Runners int           `json:"runners"`
	MaxRows int           `json:"max_batch_size"`
	Full    time.Duration `json:"full_batch_ns"` // measured cost of a full batch, 0 while unknown
}

// Stats reads the batcher's condition.
func (b *Batcher) Stats() Stats {
	return Stats{Queued: b.queue.Weight(), Busy: int(b.busy.Load()), Stuck: int(b.stuck.Load()),
		Runners: len(b.workers), MaxRows: b.maxRows, Full: b.cost.estimate(b.maxRows)}
}
