package grpcapi

import (
	"math/bits"
	"sync"
)

// memory is a pool of byte slices by size, of which grpc takes its buffers, too.
// Unlike grpc's own it gives them as they are: whoever takes one writes all of it
// before it reads, and clearing megabytes takes as long as copying them.
type memory struct {
	classes [maxClass - minClass + 1]sync.Pool
}

// The classes are powers of two, as exponents. What is larger than the largest is
// not kept.
const (
	minClass = 11
	maxClass = 26
)

// Get gives a slice of n bytes.
func (m *memory) Get(n int) *[]byte {
	class := max(bits.Len(uint(max(n, 1)-1)), minClass)
	if class > maxClass {
		b := make([]byte, n)
		return &b
	}
	if b, ok := m.classes[class-minClass].Get().(*[]byte); ok {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n, 1<<class)
	return &b
}

// Put takes a slice of Get back.
func (m *memory) Put(b *[]byte) {
	if class := bits.Len(uint(cap(*b))) - 1; class <= maxClass {
		m.classes[class-minClass].Put(b)
	}
}
