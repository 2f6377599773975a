package serving

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// niceness of a thread: the kernel's answer to getpriority is 20 less it.
func niceness(t *testing.T, id int) int {
	t.Helper()
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
	ok(t, err)
	return 20 - p
}

func TestLoadsAreOfLowPriority(t *testing.T) {
	// Not the process's: its first thread may be one that a load was given before.
	usual := niceness(t, syscall.Gettid())
	var inside, thread int
	inBackground(func() {
		thread = syscall.Gettid()
		inside = niceness(t, thread)
		// Goroutines of f, such as a batcher's workers, are not.
		done := make(chan int)
		go func() { done <- niceness(t, syscall.Gettid()) }()
		if n := <-done; n != usual {
			t.Errorf("a goroutine started by it has niceness %d, want %d", n, usual)
		}
	})
	if inside != loadNice {
		t.Errorf("niceness %d, want %d", inside, loadNice)
	}
	eventually(t, "the thread has ended", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread))
		return os.IsNotExist(err)
	})
}

// The main thread would be of low priority for ever.
func TestTheMainThreadIsNotTaken(t *testing.T) {
	for range 200 {
		inBackground(func() {})
	}
	if n := niceness(t, os.Getpid()); n == loadNice {
		t.Errorf("the main thread has niceness %d", n)
	}
}

func TestAPanicInALoadIsTheCallers(t *testing.T) {
	defer func() {
		if p := recover(); p != "no such model" {
			t.Errorf("recovered %v", p)
		}
	}()
	inBackground(func() { panic("no such model") })
	t.Error("no panic")
}
