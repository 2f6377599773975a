// Package onnxscan reads the structure of an ONNX file without ONNX Runtime and
// refuses what must not reach it.
//
// A model file is code that somebody copied into a folder. Before C++ parses
// it, this scan walks the protobuf once, wherever a tensor may hide (weights,
// attributes, nested graphs, sparse tensors, functions, training graphs), and
// refuses:
//
//   - tensors whose data lies outside the file: ONNX Runtime would open and
//     mmap any path that the model names;
//   - operators of domains that are not allowed, and operators that read files;
//   - graphs nested deeper or with more nodes than the limits;
//   - anything that is not whole: a truncated copy, a zip, random bytes.
//
// The walk is stricter than protobuf: a known field of another wire type, which
// protobuf would skip as unknown, is refused, so that both readers see the same
// model. It allocates for names only, never for what a length field claims.
package onnxscan
