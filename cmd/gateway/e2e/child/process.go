package child

import (
	"bytes"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Output keeps what a process writes; it is read while the process runs.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Process is a child process of a test. It is killed by its id when the test
// ends.
type Process struct {
	Name           string
	Cmd            *exec.Cmd
	Stdout, Stderr Output
	Started        time.Time
	// Quiet says that a test expects what the log holds: it is not searched.
	Quiet bool

	ended chan struct{} // closed when the process has ended and code is set
	code  int           // -1 for a death by a signal
}

// Start starts a program in dir with nothing but env as its environment.
func Start(t *testing.T, dir string, env []string, name string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name, Cmd: exec.Command(name, args...), Started: time.Now(), ended: make(chan struct{})}
	p.Cmd.Dir, p.Cmd.Env, p.Cmd.Stdout, p.Cmd.Stderr = dir, env, &p.Stdout, &p.Stderr
	if err := p.Cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		err := p.Cmd.Wait()
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

// Run runs a program to its end.
func Run(t *testing.T, limit time.Duration, dir string, env []string, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := Start(t, dir, env, name, args...)
	code = p.Wait(t, limit)
	return code, p.Stdout.String(), p.Stderr.String()
}

// end kills the process, shows its output when the test failed, and searches it
// for what must never be there (I9).
func (p *Process) end(t *testing.T) {
	// A stopped process does not die of a signal that it can handle; SIGKILL
	// ends it all the same.
	_ = p.Cmd.Process.Kill()
	<-p.ended
	log := p.Stderr.String()
	for _, bad := range []string{"WARNING: DATA RACE", "panic:", "fatal error:", "msg=\"panic", "\"msg\":\"panic"} {
		if !p.Quiet && strings.Contains(log, bad) {
			t.Errorf("the log of %s holds %q", p.Name, bad)
		}
	}
	if t.Failed() {
		t.Logf("--- %s, pid %d, exit %d, stdout:\n%s--- stderr:\n%s", p.Name, p.Cmd.Process.Pid, p.code, shortened(p.Stdout.String()), shortened(log))
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

// Signal sends the process a signal.
func (p *Process) Signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s to %s: %v", s, p.Name, err)
	}
}

// Kill ends the process as kill -9 does.
func (p *Process) Kill(t *testing.T) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	<-p.ended
}

// Wait gives the exit code. It fails the test when the process runs on.
func (p *Process) Wait(t *testing.T, limit time.Duration) int {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
		return p.code
	case <-timer.C:
		t.Fatalf("%s still runs after %s", p.Name, limit)
		return -1
	}
}

// Code is the exit code of a process that has ended; -1 for a death by a signal.
func (p *Process) Code() int { return p.code }

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// maxPort leaves room for the port 10,000 above, where the nodes of a Redis Cluster
// talk to each other.
const maxPort = 55535

// FreePort finds a port that nothing listens on.
func FreePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		if port <= maxPort {
			return strconv.Itoa(port)
		}
	}
	t.Fatalf("no free port up to %d", maxPort)
	return ""
}
