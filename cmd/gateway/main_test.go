package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the expected files in testdata")

// testExec makes the test binary behave like the gateway's ("run"), or like one
// whose C code crashes ("crash"), for tests that need a process of their own.
const testExec = "GATEWAY_TEST_EXEC"

func TestMain(m *testing.M) {
	switch os.Getenv(testExec) {
	case "run":
		main()
	case "crash": // as C code below would
		fmt.Fprintln(os.Stderr, "reading node 7")
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		time.Sleep(time.Minute)
	}
	goleak.VerifyTestMain(m)
}

// result is what one run of the program did.
type result struct {
	code        int
	out, stderr string
}

// cli runs the program inside the test, without an environment.
func cli(t *testing.T, args ...string) result {
	t.Helper()
	return cliWith(t, nil, "", args...)
}

func cliWith(t *testing.T, environ []string, stdin string, args ...string) result {
	t.Helper()
	var out, stderr bytes.Buffer
	code := run(context.Background(), args, environ, strings.NewReader(stdin), &out, &stderr)
	return result{code, out.String(), stderr.String()}
}

// wants checks the exit code and that each text is there.
func (r result) wants(t *testing.T, code int, out, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.stderr, stderr) {
		t.Errorf("exit %d, want %d\nstdout, which should hold %q:\n%s\nstderr, which should hold %q:\n%s", r.code, code, out, r.out, stderr, r.stderr)
	}
}

// writeFile makes a file below dir.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// demoFiles lays the demo out in a new folder.
func demoFiles(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	if err := layOutDemo(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
