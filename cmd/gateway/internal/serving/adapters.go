package serving

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"hotpath/batcher"
	"hotpath/features"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
)

// scorer shows a batcher to the router.
type scorer struct{ *batcher.Batcher }

func (s scorer) Acquire() router.Job { return (*job)(s.Batcher.Acquire()) }

func (s scorer) AcquireTensors() router.TensorJob {
	return (*tensorJob)(s.Batcher.AcquireTensors())
}

// tensorJob is a batcher's, in the same way as job.
type tensorJob batcher.TensorJob

func (j *tensorJob) inner() *batcher.TensorJob { return (*batcher.TensorJob)(j) }
func (j *tensorJob) Outputs() []models.Tensor  { return j.inner().Outputs() }
func (j *tensorJob) Release()                  { j.inner().Release() }
func (j *tensorJob) Timing() (queued, run time.Duration, rows int) {
	return j.inner().Timing()
}

func (j *tensorJob) Score(in []models.Tensor, rows int, owner models.Owner, until time.Time, prio handoff.Priority) error {
	return scoreError(j.inner().Score(in, rows, owner, until, prio))
}

// job is a batcher's job whose errors are the router's. It is the same memory
// under another type, so that the translation costs no allocation.
type job batcher.Job

func (j *job) inner() *batcher.Job { return (*batcher.Job)(j) }
func (j *job) In() *models.Row     { return j.inner().In() }
func (j *job) Out() *models.Row    { return j.inner().Out() }
func (j *job) Release()            { j.inner().Release() }
func (j *job) Timing() (queued, run time.Duration, rows int) {
	return j.inner().Timing()
}

func (j *job) Score(until time.Time, prio handoff.Priority) error {
	return scoreError(j.inner().Score(until, prio))
}

// scoreError turns the batcher's errors into the router's.
func scoreError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, batcher.ErrOverloaded):
		return router.ErrOverloaded
	case errors.Is(err, batcher.ErrExpired):
		return router.ErrDeadline
	case errors.Is(err, batcher.ErrUnfinished):
		return router.ErrUnfinished
	case errors.Is(err, batcher.ErrStuck):
		return router.ErrStuck
	case errors.Is(err, batcher.ErrTimeout):
		return router.ErrTimeout
	case errors.Is(err, batcher.ErrRow):
		return router.ErrRow
	case errors.Is(err, batcher.ErrClosed):
		return router.ErrClosed
	}
	return err
}

// view shows a feature view to the router, with the router's errors.
type view struct{ *features.View }

func (v view) Fetch(until time.Time, ids [][]byte, row *models.Row, origins []models.Origin) error {
	return fetchError(v.View.Fetch(until, ids, row, origins))
}

// fetchError turns the store's errors into the router's. A connection that the
// other side has closed shows as EPIPE, or as closed already, to the next write.
func fetchError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, features.ErrQueueFull), errors.Is(err, features.ErrClosed):
		return router.ErrOverloaded
	case errors.Is(err, features.ErrTimeout):
		return router.ErrDeadline
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return router.ErrReset
	}
	return err
}
