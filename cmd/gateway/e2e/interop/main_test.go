//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hotpath/cmd/gateway/e2e/child"
)

// root is the repository's, as seen from this package's folder, where go test
// runs.
const root = "../../../.."

var (
	reportPath = flag.String("report", "", "write the report to this file")
	only       = flag.String("cases", "", "run only the ONNX tests whose name holds this text")
)

// harness is what TestMain prepares once for all tests.
var harness struct {
	home    string // where scripts/interop.sh put everything
	python  string // of the virtual environment; empty where it cannot be had
	perf    string // perf_analyzer; empty where it cannot be had
	missing string // why python is empty
	report  report
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hotpath-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := child.Prepare(root, dir, false); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	if err := findPython(); err != nil {
		harness.missing = err.Error()
		banner := strings.Repeat("!", 78)
		fmt.Fprintf(os.Stderr, "%s\n!! SKIPPED: no real client was tried, nothing was proved: %v\n%[1]s\n", banner, err)
	}
	code := m.Run()
	if *reportPath != "" && harness.missing == "" {
		if err := os.WriteFile(*reportPath, harness.report.markdown(), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "interop:", err)
			return 1
		}
	}
	return code
}

// findPython has scripts/interop.sh install the clients and finds them.
func findPython() error {
	script := exec.Command(filepath.Join(root, "scripts/interop.sh"))
	script.Stdout, script.Stderr = os.Stderr, os.Stderr
	if err := script.Run(); err != nil {
		return fmt.Errorf("scripts/interop.sh could not install the Python clients: %w", err)
	}
	home, err := filepath.Abs(filepath.Join(root, ".hotpath/interop"))
	if err != nil {
		return err
	}
	harness.home, harness.python = home, filepath.Join(home, "venv/bin/python")
	if perf := filepath.Join(home, "perf/perf_analyzer"); isFile(perf) {
		harness.perf = perf
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// needPython skips a test where the clients cannot be had.
func needPython(t *testing.T) {
	t.Helper()
	if harness.python == "" {
		t.Skip("SKIPPED: " + harness.missing)
	}
}

// script is the path of one of the Python scripts.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("python", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
