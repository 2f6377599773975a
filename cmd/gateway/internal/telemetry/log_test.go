package telemetry

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func TestLoggerWritesWhatWasQueuedBeforeClose(t *testing.T) {
	var out safeBuffer
	log, err := NewLogger(&out, LogOptions{Level: "info", Format: "json"}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		log.Info("line")
	}
	log.Debug("hidden")
	log.Close()
	if n := strings.Count(out.b.String(), `"msg":"line"`); n != 100 {
		t.Errorf("%d lines written, want 100", n)
	}
	if strings.Contains(out.b.String(), "hidden") {
		t.Error("a debug line was written at level info")
	}
}

// FAULTS 39: a log that nobody reads must not hold a request up.
func TestLoggerDropsInsteadOfBlocking(t *testing.T) {
	r, w := io.Pipe() // blocks every write: nobody reads
	defer r.Close()
	reg := prometheus.NewRegistry()
	log, err := NewLogger(w, LogOptions{Level: "info", Format: "text"}, reg)
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		for range queuedLines + 100 {
			log.Info("line")
		}
		close(written)
	}()
	select {
	case <-written:
	case <-time.After(10 * time.Second):
		t.Fatal("logging blocked")
	}
	got, err := reg.Gather()
	if err != nil || len(got) != 1 || got[0].GetMetric()[0].GetCounter().GetValue() < 90 {
		t.Errorf("dropped lines are not counted: %v %v", got, err)
	}
	if n, err := testutil.GatherAndCount(reg, "hotpath_log_lines_dropped_total"); n != 1 || err != nil {
		t.Errorf("metric: %d %v", n, err)
	}
	r.Close() // the writer's goroutine ends with an error for the line it holds
	log.Close()
}
