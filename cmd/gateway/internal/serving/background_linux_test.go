package serving

import (
	"fmt"
	"os"
	"strings"
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
	usual := niceness(t, os.Getpid())
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
		stat, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", thread))
		return err != nil || thread == os.Getpid() && strings.Contains(string(stat), "State:")
	})
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
