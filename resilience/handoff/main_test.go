package handoff

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// job is the item of these tests. It goes back to its pool poisoned.
type job struct {
	ticket   Ticket
	id       int
	payload  [4]int
	recycled atomic.Int32
	onGone   func(*job)
}

const poison = -0x5EED

func (j *job) Handoff() *Ticket { return &j.ticket }

func (j *job) Recycle() {
	for i := range j.payload {
		j.payload[i] = poison
	}
	j.recycled.Add(1)
	if j.onGone != nil {
		j.onGone(j)
	}
}

func newJob(id int) *job {
	j := &job{id: id}
	j.ticket.Init()
	j.ticket.Hold()
	return j
}

// submit queues a new job until a time from now, or fails the test.
func submit(t *testing.T, q *Queue[*job], id int, in time.Duration, p Priority) *job {
	t.Helper()
	j := newJob(id)
	if err := q.Submit(j, time.Now().Add(in), p); err != nil {
		t.Fatalf("Submit(%d) = %v", id, err)
	}
	return j
}

func wantIDs(t *testing.T, items []*job, ids ...int) {
	t.Helper()
	got := make([]int, len(items))
	for i, j := range items {
		got[i] = j.id
	}
	if len(got) != len(ids) {
		t.Fatalf("took %v, want %v", got, ids)
	}
	for i := range ids {
		if got[i] != ids[i] {
			t.Fatalf("took %v, want %v", got, ids)
		}
	}
}

// semaphore is a bulkhead that counts.
type semaphore struct {
	mu         sync.Mutex
	held, most int
	limit      int
}

func (s *semaphore) TryAcquirePermit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == s.limit {
		return false
	}
	s.held++
	s.most = max(s.most, s.held)
	return true
}

func (s *semaphore) ReleasePermit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
}

func (s *semaphore) out() (held, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.most
}
