package serving

import (
	"runtime"
	"syscall"
)

// loadNice is the niceness of loads. Beside the runners of the versions that
// serve, which have 0, a load gets what they leave idle and a tenth of a core.
const loadNice = 10

// inBackground runs f on a thread of its own of low priority, and waits for it.
// A panic in f is one of the caller's.
func inBackground(f func()) {
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		runtime.LockOSThread()
		if syscall.Gettid() == syscall.Getpid() {
			// The main thread never ends. Held here, it is not the one that f gets.
			defer runtime.UnlockOSThread()
			inBackground(f)
			return
		}
		// Not unlocked: the thread ends with this goroutine, since only root could
		// raise its priority again. The Go runtime makes no threads out of one that
		// is locked, which would be of low priority as well.
		// Where that is forbidden, a load takes what it takes.
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), loadNice)
		f()
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}
