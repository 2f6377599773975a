package batcher

import (
	"sync/atomic"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

// Job is one row on its way through a batcher, or a part of a TensorJob. It is
// pooled: take it with Acquire, give it back with Release.
type Job struct {
	in, out models.Row
	ticket  handoff.Ticket
	owner   *Batcher
	// part is set for a part of a TensorJob, whose rows it then stands for; in and
	// out are not used then.
	part part

	// takenAt is when a worker began with the row, in ns since the batcher's
	// birth; 0: none has.
	takenAt atomic.Int64

	// Written by the worker before the outcome is published.
	startedAt time.Time
	run       time.Duration
	rows      int
}

// In is the row to score, in the model's input layout.
func (j *Job) In() *models.Row { return &j.in }

// Out is the scored row, valid after Score returned nil and until Release.
func (j *Job) Out() *models.Row { return &j.out }

// Timing says, after Score returned nil, how long the row was queued, how long
// its batch ran, and how many rows ran with it.
func (j *Job) Timing() (queued, run time.Duration, rows int) {
	return j.startedAt.Sub(j.ticket.QueuedAt()), j.run, j.rows
}

// Handoff is the job's ticket.
func (j *Job) Handoff() *handoff.Ticket { return &j.ticket }

// Recycle returns the job to its pool; package handoff calls it.
func (j *Job) Recycle() {
	if j.part.of != nil {
		j.part.of.release()
		clear(j.part.in) // or the pool would keep the request's memory
		dropLarge(j.part.out)
		j.part = part{in: j.part.in[:0], shapes: j.part.shapes[:0], out: j.part.out[:0]}
	}
	// Both, or a string that the next user leaves unset would point beyond Text.
	clear(j.in.Strings)
	clear(j.out.Strings)
	j.in.Text, j.out.Text = j.in.Text[:0], j.out.Text[:0]
	j.owner.pool.Put(j)
}

// Release gives up the caller's hold. The job must not be touched after.
func (j *Job) Release() { handoff.Release(j) }

// Score queues the row and waits for its result, no longer than until. The
// errors are ErrOverloaded, ErrExpired, ErrUnfinished, ErrStuck, ErrRow, ErrRun, ErrTimeout
// and ErrClosed; after any of them only Release may be called.
func (j *Job) Score(until time.Time, prio handoff.Priority) error {
	b := j.owner
	if err := b.admit(time.Now(), until, 1); err != nil {
		return err
	}
	if err := b.queue.Submit(j, until, prio); err != nil {
		return b.translate(err)
	}
	return j.wait()
}

// wait waits for the outcome of a job that is queued.
func (j *Job) wait() error {
	err := j.ticket.Wait()
	if err == handoff.ErrDeadline && j.spentInRun(time.Now()) {
		return ErrUnfinished
	}
	return j.owner.translate(err)
}

// weight is the number of the job's rows.
func (j *Job) weight() int { return j.ticket.Weight() }

// spentInRun says whether a row whose time was over at end had spent more of it in
// a run than in the queue: only then was the run too slow for it.
func (j *Job) spentInRun(end time.Time) bool {
	taken := j.takenAt.Load()
	if taken == 0 {
		return false
	}
	queued := time.Duration(taken) - j.ticket.QueuedAt().Sub(j.owner.born)
	return end.Sub(j.owner.born)-time.Duration(taken) >= queued
}
