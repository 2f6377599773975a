package batchertest

import "sync"

// stopper is the part of a fake runner that is asked to stop.
type stopper struct {
	stop chan struct{}

	counting sync.Mutex
	cancels  int
}

func newStopper() stopper { return stopper{stop: make(chan struct{}, 1)} }

// Cancel counts itself and lets one receive from Cancelled go on.
func (s *stopper) Cancel() {
	s.counting.Lock()
	s.cancels++
	s.counting.Unlock()
	select {
	case s.stop <- struct{}{}:
	default:
	}
}

// Cancelled yields once after a Cancel, for an OnRun that can be stopped.
func (s *stopper) Cancelled() <-chan struct{} { return s.stop }

// Cancels counts the calls of Cancel.
func (s *stopper) Cancels() int {
	s.counting.Lock()
	defer s.counting.Unlock()
	return s.cancels
}
