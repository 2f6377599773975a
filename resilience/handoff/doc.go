// Package handoff hands work from many callers to a fixed set of workers and
// the answers back. Both places where Hotpath blocks in foreign code use it:
// the Redis fetch workers of package features and the model runners of package
// batcher.
//
// # Contract
//
// A caller fills an item it took from a pool, submits it, and waits until the
// outcome or its own deadline, whichever comes first. A worker takes what is
// queued, earliest deadline first, makes one blocking call for all of it, and
// finishes each item. Neither side ever waits for the other's slowness: a
// caller leaves at its deadline though the worker is stuck, and a worker's
// outcome for a caller that left is dropped.
//
// # Ownership
//
// An item has two holders from Submit on: the caller and the queue (later the
// worker). Each gives up its hold exactly once, the caller by Release, the
// other side by Finish, and the last one recycles the item. So a caller that
// left early can never see its memory reused under a run that still reads it.
//
// One atomic state decides the race between outcome and deadline:
//
//	pending ──worker: Finish──► done       the caller's Wait returns the outcome
//	pending ──caller: deadline─► abandoned  the worker skips the item
//
// # Bounds
//
// The queue is bounded in items, or in their weight where they are weighed: an
// item of several rows counts as so many. Permits (a bulkhead) bound what is submitted
// and not yet over, counted until the worker is through with the item, not
// until the caller gives up: a stuck worker shrinks the capacity visibly
// instead of multiplying goroutines behind it.
package handoff
