// Package resilience decides what to do about a downstream that fails: one
// Guard per downstream (the feature store, each model version, each shadow)
// holds its breaker, its bulkhead and its retry budget. Deadlines are not here:
// they are absolute, set once per request, and enforced by the caller's wait in
// package handoff, because no library can be trusted to return in time.
//
// # Why these parts
//
// gobreaker's two-step breaker counts outcomes and discards those that belong
// to an earlier state, which failsafe-go's does not. Its outcome is reported by
// the caller, at the latest when the caller's own deadline passes, so a call
// that hangs counts as a failure and can never hold a probe's place for ever.
//
// failsafe-go's bulkhead and budget are used as permit objects. Its executors
// would cost more allocations than the rest of the request, and its timeout
// does not return in time (PITFALLS: the wrapped function runs on the caller's
// goroutine).
//
// A permit of the bulkhead is held until the blocking call is over, not until
// the caller gives up; package handoff takes and returns it.
package resilience
