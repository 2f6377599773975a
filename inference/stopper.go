package inference

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// stopper holds a runner's run options, by which another goroutine can stop its
// run.
type stopper struct {
	// options are written by the runner's goroutine under mu, which Cancel takes to
	// read them: a Cancel that comes while a run begins must not meet options that
	// are being exchanged. nil after close.
	mu      sync.Mutex
	options *ort.RunOptions
	pointer unsafe.Pointer
	// terminated says that options were used to stop a run: ONNX Runtime may
	// keep them so, and the next run gets fresh ones.
	terminated atomic.Bool
}

func (s *stopper) open() (err error) {
	if s.options, err = ort.NewRunOptions(); err == nil {
		s.pointer = optionsPointer(s.options)
	}
	return err
}

// Cancel asks the run in progress to stop. ONNX Runtime looks at it between
// operators only: a run inside one long operator goes on to that one's end.
func (s *stopper) Cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options == nil {
		return
	}
	s.terminated.Store(true)
	// An error means that the run cannot be stopped; its callers leave at their
	// own deadlines all the same.
	_ = s.options.Terminate()
}

// cancelEvery is the pause between attempts to stop what makes several runs: a
// Cancel between two of them stops neither.
const cancelEvery = 10 * time.Millisecond

// within makes the runs of f, and stops them at the end of ctx: a slow model would
// otherwise be tried for minutes after its load was given up.
func (s *stopper) within(ctx context.Context, f func() error) error {
	over, stopped := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		tick := time.NewTicker(cancelEvery)
		defer tick.Stop()
		for {
			s.Cancel()
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	})
	err := f()
	close(over)
	if !stop() {
		<-stopped
	}
	return errors.Join(err, ctx.Err())
}

// begin gives the options for a run.
func (s *stopper) begin() (unsafe.Pointer, error) {
	if !s.terminated.Load() {
		return s.pointer, nil
	}
	fresh, err := ort.NewRunOptions()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.options
	s.options, s.pointer = fresh, optionsPointer(fresh)
	s.terminated.Store(false)
	return s.pointer, old.Destroy()
}

// close frees the options. Closing twice does nothing more.
func (s *stopper) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options == nil {
		return nil
	}
	options := s.options
	s.options, s.pointer = nil, nil
	return options.Destroy()
}
