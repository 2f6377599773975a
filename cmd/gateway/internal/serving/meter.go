package serving

import (
	"sync"

	"hotpath/inference"
)

// meter measures the memory that making something takes in C's allocator. It can
// do so only for what is made while nothing else is.
type meter struct {
	mu      sync.Mutex
	running int // measurements
	begun   int // measurements, ever
}

// measure runs make and says what it took; instead where another was measured at
// the same time.
func (m *meter) measure(instead int64, make func() error) (bytes int64, err error) {
	m.mu.Lock()
	m.running++
	m.begun++
	alone, mark := m.running == 1, m.begun
	m.mu.Unlock()
	before := inference.AllocatedBytes()
	err = make()
	took := inference.AllocatedBytes() - before
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	if !alone || m.begun != mark {
		return instead, err
	}
	return max(took, 0), err
}
