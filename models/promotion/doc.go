// Package promotion brings a new version of a model into service and back out of
// it: a deployment is a saga of steps, of which each has its undoing.
//
//	stage     the files come into a hidden folder of the repository
//	verify    size, SHA-256, structure of the ONNX file, configuration
//	trial     a load in a process of its own
//	contract  inputs and outputs against the version that serves
//	load      the version is held, moved into its folder, loaded, warmed and
//	          checked against its golden rows, beside the one that serves
//	shadow    copies of live requests are compared, if that is asked for
//	switch    the version becomes current
//	watch     errors, NaN, latency and breaker of the version, for a while
//
// The first step that fails, and a cancellation, undo what was done: the version
// before is current again, the version is unloaded, and the folder is removed if
// this deployment made it. A deployment that got to its switch then ends as
// rolled_back, else as failed or cancelled.
//
// # After a stop
//
// Each step of a deployment is written to its journal before it is begun: a file
// in Options.Dir, replaced by rename and synced. An undoing is written after it. What a stop of the process
// leaves behind, the next one undoes by Recover before it serves:
//
//	stopped during             what is undone
//	stage, verify, trial,      the hidden folder is removed: failed
//	contract
//	load, shadow               the hold ends, the version's folder is removed: failed
//	switch, watch              the pin is as it was before, the version's folder is
//	                           removed: rolled_back
//	after watch                nothing: done
//	an undoing                 the rest of it
//
// A folder is removed only if it holds the mark of the deployment that made it.
//
// # Ownership
//
// A Manager has one goroutine per deployment in progress, of which each model has
// at most one and the process at most maxRunning. Its mutex protects the list and
// the latest state of each deployment; a state is immutable once it is published.
// Nothing of this is on the way of a request.
package promotion
