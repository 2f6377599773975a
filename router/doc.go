// Package router is the order of the steps: what happens to a request between
// its decoding and its answer. It knows no HTTP, no Redis and no ONNX; it says
// in small interfaces (View, Scorer, Job) what it needs of the stages, and reads
// from top to bottom in Pipeline.Predict.
//
// # One request
//
//	Begin      count it in, or refuse: draining, too many in flight
//	  decode   by the codec, into Exchange.Request
//	Predict    acquire the snapshot ─ one world for the whole request
//	           assign a variant ─ a pure hash
//	           fill the feature vector ─ guarded; degrade to copies and defaults
//	           score in a batch ─ guarded; degrade to control, to a static answer
//	  encode   by the codec, from the Exchange
//	Finish     count it out, release what it held
//
// A request carries one absolute deadline. Each stage gets the time that
// remains and none gets a fresh timeout.
//
// # Snapshots
//
// Experiments and models reach the hot path as one immutable Snapshot behind an
// atomic pointer, counted by reference: the writer swaps the pointer, and the
// last request that still uses the old snapshot frees it. Nobody ever waits or
// sleeps for a drain.
package router
