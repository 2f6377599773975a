// Package inference runs ONNX models and is the only place that knows ONNX
// Runtime: everybody else sees models.Frame, models.Tensor and errors.
//
// A Runtime is one per process, since ONNX Runtime has one environment. A
// Session is one model version, shared by its runners. A runner belongs to one
// goroutine, because its memory does.
//
// # What a model takes
//
// Load reads the graph and says what it found in the session's Signature:
//
//   - First dimensions that are open, or 1, count rows. A scalar input, a first
//     dimension fixed above 1, or an output that does not grow with the rows mean
//     that there is no batch dimension, and a row is the whole tensor.
//   - Where every other dimension has one size, rows have Layouts, and a Runner
//     scores them: both frames are made once, pinned, and wrapped in one ONNX
//     value per batch size, so that a run copies nothing between Go and C and
//     allocates nothing.
//   - Where one varies there are no Layouts, and a TensorRunner is given tensors:
//     it reads them where they lie, pinned for as long as the run lasts, and lets
//     ONNX Runtime allocate the outputs.
//
// What the graph leaves open about its outputs is found out by a few trial runs.
//
// Runs go past the Go binding, to ONNX Runtime's C interface (ort.h): the binding
// cannot take scalars, empty tensors, or 16-bit floats that come out. It still
// loads the library and makes the sessions.
//
// Close order is runners, session, runtime; each waits for nothing and must not
// be called while a child is in use. Who owns that order is package models'
// repository, by reference counts.
package inference
