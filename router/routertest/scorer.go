package routertest

import (
	"errors"
	"time"

	"hotpath/batcher"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
)

// scorer shows a batcher to the router, as the composition root does.
type scorer struct{ *batcher.Batcher }

func (s scorer) Acquire() router.Job { return (*job)(s.Batcher.Acquire()) }

func (s scorer) AcquireTensors() router.TensorJob {
	return (*tensorJob)(s.Batcher.AcquireTensors())
}

type tensorJob batcher.TensorJob

func (j *tensorJob) inner() *batcher.TensorJob { return (*batcher.TensorJob)(j) }
func (j *tensorJob) Outputs() []models.Tensor  { return j.inner().Outputs() }
func (j *tensorJob) Release()                  { j.inner().Release() }
func (j *tensorJob) Timing() (queued, run time.Duration, rows int) {
	return j.inner().Timing()
}

func (j *tensorJob) Score(in []models.Tensor, rows int, owner models.Owner, until time.Time, prio handoff.Priority) error {
	return meaning(j.inner().Score(in, rows, owner, until, prio))
}

type job batcher.Job

func (j *job) inner() *batcher.Job { return (*batcher.Job)(j) }
func (j *job) In() *models.Row     { return j.inner().In() }
func (j *job) Out() *models.Row    { return j.inner().Out() }
func (j *job) Release()            { j.inner().Release() }
func (j *job) Timing() (queued, run time.Duration, rows int) {
	return j.inner().Timing()
}

// meanings are the router's words for the batcher's errors.
var meanings = []struct{ from, to error }{
	{batcher.ErrOverloaded, router.ErrOverloaded}, {batcher.ErrExpired, router.ErrDeadline},
	{batcher.ErrUnfinished, router.ErrUnfinished}, {batcher.ErrStuck, router.ErrStuck},
	{batcher.ErrTimeout, router.ErrTimeout}, {batcher.ErrRow, router.ErrRow}, {batcher.ErrClosed, router.ErrClosed},
}

func (j *job) Score(until time.Time, prio handoff.Priority) error {
	return meaning(j.inner().Score(until, prio))
}

func meaning(err error) error {
	if err == nil {
		return nil
	}
	for _, m := range meanings {
		if errors.Is(err, m.from) {
			return m.to
		}
	}
	return err
}

// FaultyScorer is a scorer whose jobs first ask OnScore: its error is Score's,
// and the batcher is then not asked.
type FaultyScorer struct {
	router.Scorer
	OnScore func(until time.Time, prio handoff.Priority) error
}

// Acquire wraps a job.
func (s *FaultyScorer) Acquire() router.Job {
	return &faultyJob{Job: s.Scorer.Acquire(), onScore: s.OnScore}
}

// AcquireTensors wraps a job for tensors.
func (s *FaultyScorer) AcquireTensors() router.TensorJob {
	return &faultyTensorJob{TensorJob: s.Scorer.AcquireTensors(), onScore: s.OnScore}
}

type faultyTensorJob struct {
	router.TensorJob
	onScore func(until time.Time, prio handoff.Priority) error
}

func (j *faultyTensorJob) Score(in []models.Tensor, rows int, owner models.Owner, until time.Time, prio handoff.Priority) error {
	if err := j.onScore(until, prio); err != nil {
		if owner != nil {
			owner.Free()
		}
		return err
	}
	return j.TensorJob.Score(in, rows, owner, until, prio)
}

type faultyJob struct {
	router.Job
	onScore func(until time.Time, prio handoff.Priority) error
}

func (j *faultyJob) Score(until time.Time, prio handoff.Priority) error {
	if err := j.onScore(until, prio); err != nil {
		return err
	}
	return j.Job.Score(until, prio)
}
