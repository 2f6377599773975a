package grpcapi

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// codec is grpc's codec with two exceptions: what is received into a message is
// handed over as it is, and an answer is written as it is.
type codec struct{ encoding.CodecV2 }

// Unmarshal gives a message a hold of the bytes received.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if m, ok := v.(*message); ok {
		m.receive(data)
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// Marshal gives the bytes of an answer away.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if a, ok := v.(*answer); ok {
		return a.buffers, nil
	}
	return c.CodecV2.Marshal(v)
}
