package router

import (
	"errors"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

// View fills the feature vector of one model version. Package features has it.
// row and origins belong to the request and are written by one goroutine.
type View interface {
	// Len is the number of features, and so the length of origins.
	Len() int
	// Entities whose hashes Fetch reads, in the order of its ids.
	Entities() []string
	// Start fills in the defaults.
	Start(row *models.Row, origins []models.Origin)
	// Override fills in request-time values; a *models.FieldError says what is
	// wrong with one.
	Override(values []models.Value, row *models.Row, origins []models.Origin) error
	// NeedsStore says whether anything is left to read.
	NeedsStore(origins []models.Origin) bool
	// Fetch reads the store. On an error what was not read stays unset.
	Fetch(until time.Time, ids [][]byte, row *models.Row, origins []models.Origin) error
	// Recover fills what is unset with recent copies, else marks the defaults.
	Recover(ids [][]byte, row *models.Row, origins []models.Origin) int
	// Finish applies the policies; a *models.FieldError names a feature that
	// must not be defaulted.
	Finish(origins []models.Origin) error
}

// Scorer scores rows of one model version in batches. Package batcher has it.
type Scorer interface {
	// Acquire takes a job for one row; its holder releases it. A model whose rows
	// have no fixed layout has none: its lane's In is nil.
	Acquire() Job
	// AcquireTensors takes a job for a request of whole tensors.
	AcquireTensors() TensorJob
	// RetryAfter is when a refused caller may try again.
	RetryAfter() time.Duration
}

// Job is one row on its way through a Scorer.
type Job interface {
	In() *models.Row
	Out() *models.Row
	// Score waits for the result, no longer than until. After an error only
	// Release may be called.
	Score(until time.Time, prio handoff.Priority) error
	// Timing after a success: time in the queue, time of the run, rows in it.
	Timing() (queued, run time.Duration, rows int)
	Release()
}

// TensorJob is a request of whole tensors on its way through a Scorer: as many
// rows as their first dimension says, or one run of a model without a batch
// dimension.
type TensorJob interface {
	// Score runs the tensors, one for each input of the model in its order and
	// checked against its signature, and waits for the result, no longer than
	// until. It takes over owner, whatever the outcome: what the tensors point
	// into is read until owner is freed. After an error only Release may be called.
	Score(in []models.Tensor, rows int, owner models.Owner, until time.Time, prio handoff.Priority) error
	// Outputs after a success: one for each output of the model, in its order,
	// valid until Release.
	Outputs() []models.Tensor
	// Timing after a success: of the slowest part, where the request was split.
	Timing() (queued, run time.Duration, rows int)
	Release()
}

// What a stage's error means, as the composition root translates it for the
// router, which knows neither package.
var (
	// ErrOverloaded: refused by a bound of our own; says nothing of the downstream.
	ErrOverloaded = errors.New("overloaded")
	// ErrDeadline: the deadline passed before the downstream had an answer. For a
	// score: while the row was still queued.
	ErrDeadline = errors.New("deadline")
	// ErrUnfinished: the deadline passed while the row's run was in progress.
	ErrUnfinished = errors.New("deadline during the run")
	// ErrReset: the connection broke during the call; another may be healthy.
	ErrReset = errors.New("connection reset")
	// ErrStuck: nothing can run until a run that outlived its limit ends.
	ErrStuck = errors.New("stuck")
	// ErrTimeout: the run was stopped at its limit.
	ErrTimeout = errors.New("run timeout")
	// ErrRow: this row alone cannot be scored.
	ErrRow = errors.New("bad row")
	// ErrClosed: the downstream is being closed.
	ErrClosed = errors.New("closed")
)
