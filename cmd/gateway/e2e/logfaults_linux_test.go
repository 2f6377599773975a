package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// startLoggingTo starts a gateway that writes a line about each request to a
// file, from which its ports can not be read.
func startLoggingTo(t *testing.T, log string) *gateway {
	t.Helper()
	dir := fixtures(t, "echo")
	at := child.Addresses{Traffic: "127.0.0.1:" + child.FreePort(t), Admin: "127.0.0.1:" + child.FreePort(t)}
	args := append([]string{"-c", `log=$1; shift; exec "$@" 2>"$log"`, "sh", log, child.Binary(), "serve", "--listen", at.Traffic, "--admin", at.Admin,
		"--set", "server.grpc_listen=127.0.0.1:0", "--set", "log.access_sample=1"}, fixtureArgs(dir)...)
	g := &gateway{&child.Gateway{Process: child.Start(t, dir, child.Environment(dir), "sh", args...), Dir: dir, Addresses: at}}
	within(t, 30*time.Second, "the gateway is ready", func() bool {
		if !g.Running() {
			t.Fatalf("the gateway ended with %d", g.Code())
		}
		status, _, _ := request(t, "GET", "http://"+at.Traffic+"/readyz", "")
		return status == 200
	})
	return g
}

// loggedLoad sends requests of which each is logged, and wants every answer
// right and none held up.
func loggedLoad(t *testing.T, g *gateway) report {
	t.Helper()
	r := load{addr: g.Traffic, conns: 16, total: byRace(4000, 20000), body: echoBody}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	if wrong := checkEcho(t, r); wrong > 0 {
		t.Errorf("%d answers are wrong", wrong)
	}
	if worst := r.quantile(1); worst > scaled(time.Second) {
		t.Errorf("a request took %s", worst)
	}
	return r
}

func (g *gateway) droppedLines(t *testing.T) int {
	t.Helper()
	return int(g.metrics(t).sum("hotpath_log_lines_dropped_total"))
}

// TestLogOnAFullDisk is row 39: every write of the log fails for want of space.
func TestLogOnAFullDisk(t *testing.T) {
	g := startLoggingTo(t, "/dev/full")
	r := loggedLoad(t, g)
	var dropped int
	within(t, scaled(5*time.Second), "the lines are counted as dropped", func() bool {
		dropped = g.droppedLines(t)
		return dropped >= len(r.answers)
	})
	verdict(t, "log on a full disk", "requests unaffected, lines dropped and counted", "%d answers, codes %v, slowest %s, %d lines dropped", len(r.answers), r.codes(),
		r.quantile(1).Round(time.Millisecond), dropped)
	g.Stop(t)
}

// TestLogThatNobodyReads is row 39: the log goes into a pipe whose reader has
// stopped. Once it goes on, so does the log.
func TestLogThatNobodyReads(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open for both, or opening would wait for the other side.
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	g := startLoggingTo(t, pipe)
	r := loggedLoad(t, g)
	dropped := g.droppedLines(t)
	if dropped == 0 {
		t.Errorf("no line was dropped of %d", len(r.answers))
	}
	var read child.Output
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&read, reader) })
	defer reading.Wait()
	defer reader.Close()
	within(t, scaled(5*time.Second), "what was queued is written", func() bool { return strings.Count(read.String(), "\n") >= 1000 })

	before := g.droppedLines(t)
	status, _, _ := request(t, "POST", "http://"+g.Traffic+"/predict", `{"user_id":"u","model":"nowhere"}`)
	within(t, scaled(5*time.Second), "the next line is written", func() bool { return strings.Contains(read.String(), "unknown_model") })
	if after := g.droppedLines(t); status != 404 || after != before {
		t.Errorf("status %d; %d lines dropped after the reader went on", status, after-before)
	}
	verdict(t, "log into a pipe that nobody reads", "requests unaffected, lines dropped and counted, the log goes on with its reader",
		"%d answers, codes %v, slowest %s, %d lines dropped, then none", len(r.answers), r.codes(), r.quantile(1).Round(time.Millisecond), dropped)
	g.Stop(t)
}
