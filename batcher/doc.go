// Package batcher decides when and with whom a row is scored. It knows rows and
// runners, not ONNX, HTTP or Redis.
//
// There is one Batcher per model version: a bounded queue and one worker per
// runner. A worker that is free takes what is queued at once, up to the
// runner's largest batch, so that a lone request never waits for company and
// batches grow exactly while the runners are busy. MaxQueueDelay lets an
// operator trade latency for fuller batches; it is 0 unless asked for.
//
// # Rows and tensors
//
// A Job is one row of a fixed layout. A TensorJob is a request of whole tensors:
// its rows are cut into parts of at most one batch, each of which is queued like a
// row but weighs more, shares runs with others, and is joined with the rest when it
// comes back. A few parts are in flight at a time, so that a large request neither
// fills the queue nor waits for itself.
//
// A model whose sizes vary (NewTensors) has no rows of a layout: requests share a
// run if their shapes are equal, or can be padded to be (Merge), within bounds of
// size and of padding. What cannot share the run of the most urgent request stays
// queued.
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
// (see package handoff). A TensorJob's inputs stay where the request has them until
// every part is through with them, which is when their owner is freed: once, and by
// whoever came last.
//
// One bad row never fails its neighbours: a batch that fails is run again row by
// row, and part by part, within the retry budget.
package batcher
