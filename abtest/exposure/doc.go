// Package exposure keeps the log of who was shown which variant, and of what came
// of it.
//
// # Ways
//
//	requests ──Record──► queue ──► the log's goroutine ──► followers (readout)
//	                               once per unit and window │
//	                                                        └─► per sink: queue ──► goroutine ──► Sink
//
// Record copies an event into a slot of the queue, which is made in advance: it
// takes no lock, allocates nothing and never waits. One goroutine takes them out,
// a few milliseconds' worth at a time. It tells the followers of every event, and
// writes a line for the first of its unit and variant in a window. Each sink has a
// queue of such lines and a goroutine, so that a disk that hangs delays neither
// requests nor the readout.
//
// # What is lost
//
// Each place has a bound, and what is beyond it is dropped and counted there: the
// newest events when the queue is full, the newest lines when a sink has been slow
// or failing for longer than its queue lasts. A line is never lost because a write
// failed: it is written again. Close waits until everything is where it belongs,
// or says what is not.
//
// Where memory does not suffice to know whether an event is a repetition, it is
// taken for a new one: a record too many biases no readout, a missing one does.
//
// # Ownership
//
// The log has 1 goroutine and 1 for each sink; Close ends them all. Record and
// Feedback write a slot, and the log's goroutine reads it; the slot's turn says
// whose it is. Everything else is the log's goroutine's, or a sink's.
package exposure
