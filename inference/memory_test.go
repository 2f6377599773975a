//go:build linux

package inference

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
)

// Loading and closing a model again and again, as hot swaps do, must not grow
// the process.
func TestReloadsLeaveNoMemoryBehind(t *testing.T) {
	r := openRuntime(t)
	data, err := os.ReadFile("../bench/testdata/repository/mlp/1/model.onnx")
	ok(t, err)
	reload := func(times int) {
		for range times {
			s, err := r.Load(data, SessionOptions{})
			ok(t, err)
			run, err := s.NewRunner([]int{1, 8, 64})
			ok(t, err)
			ok(t, run.Verify(nil))
			ok(t, run.Close())
			ok(t, s.Close())
		}
	}
	reload(40)
	before := residentKiB(t)
	reload(200)
	after := residentKiB(t)
	t.Logf("model of %d KiB; resident %d KiB, after 200 reloads %d KiB", len(data)>>10, before, after)
	// A leak of one model each time would be 200 times its size.
	if grown, bound := after-before, 16<<10; grown > bound {
		t.Errorf("200 reloads grew the process by %d KiB, more than %d", grown, bound)
	}
}

func residentKiB(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	ok(t, err)
	_, rest, found := bytes.Cut(status, []byte("VmRSS:"))
	if !found {
		t.Fatal("no VmRSS in /proc/self/status")
	}
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	ok(t, err)
	return kib
}
