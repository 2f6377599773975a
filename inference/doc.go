// Package inference runs ONNX models and is the only place that knows ONNX
// Runtime: everybody else sees models.Frame and errors.
//
// A Runtime is one per process, since ONNX Runtime has one environment. A
// Session is one model version, shared by its runners. A Runner belongs to one
// goroutine, because its tensors do: both frames are made once, pinned, and
// wrapped in one ONNX tensor per batch size, so that a run copies nothing
// between Go and C and makes no tensor.
//
// Close order is runners, session, runtime; each waits for nothing and must not
// be called while a child is in use. Who owns that order is package models'
// repository, by reference counts.
package inference
