package e2e

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// logBuffer keeps what a process writes; it is read while the process runs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// process is a child process of the test. It is killed by its id when the test
// ends.
type process struct {
	name           string
	cmd            *exec.Cmd
	stdout, stderr logBuffer
	started        time.Time
	ended          chan struct{} // closed when the process has ended and code is set
	code           int           // -1 for a death by a signal
	// quiet says that a test expects what the log holds: it is not searched.
	quiet bool
}

// startProcess starts a program in dir with nothing but env as its environment.
func startProcess(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(name, args...), started: time.Now(), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		err := p.cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			p.code = exit.ExitCode()
		} else if err != nil {
			p.code = -1
		}
		close(p.ended)
	}()
	t.Cleanup(func() { p.end(t) })
	return p
}

// end kills the process, shows its output when the test failed, and searches it
// for what must never be there (I9).
func (p *process) end(t *testing.T) {
	// A stopped process does not die of a signal that it can handle; SIGKILL
	// ends it all the same.
	_ = p.cmd.Process.Kill()
	<-p.ended
	log := p.stderr.String()
	for _, bad := range []string{"WARNING: DATA RACE", "panic:", "fatal error:", "msg=\"panic", "\"msg\":\"panic"} {
		if !p.quiet && strings.Contains(log, bad) {
			t.Errorf("the log of %s holds %q", p.name, bad)
		}
	}
	if t.Failed() {
		t.Logf("--- %s, pid %d, exit %d, stdout:\n%s--- stderr:\n%s", p.name, p.cmd.Process.Pid, p.code, shortened(p.stdout.String()), shortened(log))
	}
}

// shortened keeps both ends of a long log.
func shortened(s string) string {
	const keep = 8 << 10
	if len(s) <= 2*keep {
		return s
	}
	return s[:keep] + "\n[...]\n" + s[len(s)-keep:]
}

// signal sends the process a signal.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s to %s: %v", s, p.name, err)
	}
}

// kill ends the process as kill -9 does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.ended
}

// wait gives the exit code. It fails the test when the process runs on.
func (p *process) wait(t *testing.T, limit time.Duration) int {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
		return p.code
	case <-timer.C:
		t.Fatalf("%s still runs after %s", p.name, limit)
		return -1
	}
}

// running says whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// childEnvironment is that of a gateway: no setting of whoever runs the tests
// reaches it.
func childEnvironment(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "ONNXRUNTIME_LIB=" + os.Getenv(libraryVariable),
		"GORACE=atexit_sleep_ms=10"} // a process with the race detector sleeps a second before it ends
}

// freePort finds a port that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// command runs a program to its end.
func command(t *testing.T, dir, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := startProcess(t, dir, childEnvironment(dir), name, args...)
	code = p.wait(t, time.Minute)
	return code, p.stdout.String(), p.stderr.String()
}
