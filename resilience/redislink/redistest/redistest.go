// Package redistest runs real redis-servers for tests. Nothing of it serves.
package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// patience with a server that starts, and with anything else that is to happen.
const patience = 5 * time.Second

// Server is a real redis-server child process. It ends with the test.
type Server struct {
	Port string

	t    testing.TB
	args []string
	cmd  *exec.Cmd
}

// Start starts a server without persistence; args are further arguments.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{Port: freePort(t), t: t}
	s.args = append([]string{"--port", s.Port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, args...)
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// StartSentinel starts a sentinel that watches one master under the name "main".
func StartSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	s := &Server{Port: freePort(t), t: t, args: []string{conf, "--sentinel"}}
	text := "port " + s.Port + "\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 " + master.Port + " 1\nsentinel down-after-milliseconds main 500\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

func freePort(t testing.TB) string {
	t.Helper()
	// Cluster nodes take port+10000 too, so that the port must be below 55536.
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close()
		if len(port) < 5 || port < "55000" {
			return port
		}
	}
	t.Fatal("no free port below 55000")
	return ""
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return "127.0.0.1:" + s.Port }

// Restart starts the server again after Kill, on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	Eventually(s.t, patience, "redis-server accepts", func() bool {
		c, err := net.Dial("tcp", s.Addr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// Signal sends a signal.
func (s *Server) Signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the child; harmless when it has ended.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// Do runs a command on a connection of its own. It gives the reply's text, or the
// error's.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr()}, ForceSingleClient: true, DisableCache: true, RingScaleEachConn: 8})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	m, err := c.Do(context.Background(), c.B().Arbitrary(args...).Build()).ToMessage()
	if err != nil {
		return err.Error()
	}
	if n, err := m.ToInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	text, _ := m.ToString()
	return text
}

// Eventually waits until f holds, and fails the test after the limit.
func Eventually(t testing.TB, limit time.Duration, what string, f func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !f() {
		if time.Since(start) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}
