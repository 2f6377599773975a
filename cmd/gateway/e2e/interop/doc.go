// Package interop holds the gateway against what others wrote: the clients of the
// Open Inference Protocol as their makers ship them, and the ONNX project's own
// tests of every operator. It holds tests alone, behind the build tag interop,
// since they need Python packages from outside; scripts/interop.sh installs them,
// pinned, into .hotpath/interop. Where they cannot be had the tests are skipped,
// and say so loudly.
//
// make interop runs the clients: tritonclient, KServe's client, plain HTTP in
// TensorFlow Serving's form, gRPC health and reflection (each a Python script in
// python/), and NVIDIA's perf_analyzer.
//
// make conformance runs those and every ONNX backend test over each transport, and
// writes docs/conformance.md.
package interop
