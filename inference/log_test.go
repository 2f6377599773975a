//go:build linux

package inference

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A client can make runs fail at will: that must not write to standard error,
// where the write could block a runner.
func TestAFailedRunWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(path)
	ok(t, err)
	defer f.Close()
	saved, err := syscall.Dup(2)
	ok(t, err)
	ok(t, syscall.Dup3(int(f.Fd()), 2, 0))
	failed := failRun(t)
	ok(t, syscall.Dup3(saved, 2, 0))
	ok(t, syscall.Close(saved))

	wantError(t, failed, "out of data bounds")
	written, err := os.ReadFile(path)
	ok(t, err)
	if len(written) > 0 {
		t.Errorf("standard error got %q", written)
	}
}

// failRun gives the error of a run that fails, and of a load that does.
func failRun(t *testing.T) error {
	r := openRuntime(t)
	if _, err := r.Load(t.Context(), fixture(t, "custom_domain"), SessionOptions{}); err == nil {
		t.Error("custom_domain was loaded")
	}
	run := newRunner(t, load(t, r, fixture(t, "gather_poison"), SessionOptions{}), 1)
	in, _ := run.Frames()
	in.Data[0][0] = 8
	return run.Run(1)
}
