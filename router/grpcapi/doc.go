// Package grpcapi is the gRPC codec of the router: the Open Inference Protocol v2
// with Triton's extensions, beside grpc.health.v1 and reflection.
//
// A ModelInfer request is not decoded into a message of its own: parse.go finds its
// fields where they lie in the bytes received, tensors.go makes tensors that point
// into them, and the bytes are freed when the pipeline reads them no more. A large
// answer is handed to the connection where the pipeline has it (answer.go). All
// other messages are few and go through the protobuf library.
package grpcapi
