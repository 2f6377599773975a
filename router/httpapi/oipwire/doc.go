// Package oipwire is the JSON and binary form of inference requests over HTTP:
// the Open Inference Protocol's version 2 with Triton's extensions for binary
// tensors and classification, and TensorFlow Serving's version 1. It deals in
// bytes; HTTP is somebody else's.
//
// # Decoding
//
// The body is read once, from left to right, by a jsonscan.Scanner, and each
// element goes straight to its place in the tensor's memory. Tensors that come as
// binary data are not touched: they point into the body, which belongs to the
// Request. Data that comes before its datatype and shape is passed over and read
// when they are known.
//
// It is as strict as /predict: members that the protocol does not know are
// refused, since a misspelt one would otherwise be ignored in silence. Only
// parameters may hold more than is known here, as the protocol has it.
//
// An element is exact, or refused: an integer that its type does not hold, a
// number with a fraction for an integer, a float that overflows. Floats are
// rounded to the nearest value of their type, ties to even; a 16-bit one is
// rounded from the number read as FP64.
//
// # Cost
//
// No allocation once a Request is warm, apart from errors. Memory is never taken
// for what a shape says alone: the body must be long enough to hold as many
// elements.
package oipwire
