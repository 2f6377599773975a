package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// root is the repository's, as seen from this package's folder, where go test
// runs.
const root = "../../.."

// The environment variables that TestMain leaves for the tests.
const (
	binaryVariable  = "HOTPATH_E2E_BINARY"
	libraryVariable = "HOTPATH_E2E_LIBRARY"
)

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

// testMain builds the gateway, runs the tests and looks for goroutines that the
// harness left behind.
func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hotpath-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "gateway")
	args := []string{"build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "hotpath/cmd/gateway")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	library, err := libraryPath()
	for _, err := range []error{err, build.Run(), os.Setenv(binaryVariable, binary), os.Setenv(libraryVariable, library)} {
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "e2e: the tests left goroutines behind:", err)
		return 1
	}
	return code
}

// libraryPath is where the ONNX Runtime library lies: the gateways run in
// folders from which they would not find it.
func libraryPath() (string, error) {
	path := os.Getenv("ONNXRUNTIME_LIB")
	if path == "" {
		name := "libonnxruntime.so.1"
		if runtime.GOOS == "darwin" {
			name = "libonnxruntime.1.dylib"
		}
		path = filepath.Join(root, ".onnxruntime", runtime.GOOS+"-"+runtime.GOARCH, name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no ONNX Runtime library: %w; run make onnxruntime", err)
	}
	return path, nil
}

// scaled is a time limit: wider where the race detector slows everything down.
func scaled(d time.Duration) time.Duration {
	if raceEnabled {
		return 3 * d
	}
	return d
}

// byRace chooses a size of the load.
func byRace[T any](with, without T) T {
	if raceEnabled {
		return with
	}
	return without
}

// verdict logs a case's line.
func verdict(t *testing.T, name, expected, format string, args ...any) {
	t.Helper()
	t.Logf("%s | %s | %s", name, expected, fmt.Sprintf(format, args...))
}

// within polls a condition until it holds, and says how long that took. It fails
// the test after the limit.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !condition() {
		if time.Since(start) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}
