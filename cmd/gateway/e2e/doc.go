// Package e2e tests the gateway as a black box: the real binary, real
// redis-servers and sentinels, real sockets. It holds tests alone. TestMain
// builds the binary once, with the race detector when the tests run with it;
// every test starts its own processes in its own folder and ends them by their
// process ids (package child).
//
// The load generator keeps every answer. A test ends with checks over all of
// them: each request was answered exactly once and well formed, by its own
// request id; each prediction is the one that this user has under the model
// version that the answer names; the gateway's own counters add up to what the
// client saw; and no log holds a race or a panic.
//
// Each case logs one line `case | expected | seen`; `go test -v` shows them.
// What takes long runs with the build tag chaos alone.
package e2e
