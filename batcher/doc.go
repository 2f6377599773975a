// Package batcher decides when and with whom a row is scored. It knows rows and
// runners, not ONNX, HTTP or Redis.
//
// There is one Batcher per model version: a bounded queue and one worker per
// runner. A worker that is free takes what is queued at once, up to the
// runner's largest batch, so that a lone request never waits for company and
// batches grow exactly while the runners are busy. MaxQueueDelay lets an
// operator trade latency for fuller batches; it is 0 unless asked for.
//
// # What is refused, and when
//
// A request whose deadline cannot be met is refused when it arrives: the rows
// before it, the measured cost of a batch, and the runs in progress give a
// predicted finish. One that expired in the queue is never run. A full queue
// sheds the lowest priority first. When every runner is stuck in a run that
// outlived its time limit, arrivals are refused at once instead of queueing
// behind it.
//
// # Ownership
//
// A Job carries one row in and one row out. Its caller fills In, calls Score,
// reads Out after success, and calls Release. The worker holds the job too while
// it works, so a caller that left at its deadline never sees the memory reused
// (see package handoff).
//
// One bad row never fails its neighbours: a batch that fails is run again row by
// row, within the retry budget.
package batcher
