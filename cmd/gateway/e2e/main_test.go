package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/cmd/gateway/e2e/child"
)

// root is the repository's, as seen from this package's folder, where go test
// runs.
const root = "../../.."

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
	if err := child.Prepare(root, dir, raceEnabled); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "e2e: the tests left goroutines behind:", err)
		return 1
	}
	return code
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
