package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// queuedLines bounds the log lines that wait for the writer.
const queuedLines = 1024

// Logger is a slog.Logger on a queue of its own.
type Logger struct {
	*slog.Logger
	lines *lines
}

// LogOptions of a Logger.
type LogOptions struct {
	Level  string // debug, info, warn, error
	Format string // json, text
}

// NewLogger starts a logger that writes to w. Close ends it.
func NewLogger(w io.Writer, o LogOptions, reg prometheus.Registerer) (*Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	l := &lines{w: w, queue: make(chan []byte, queuedLines), done: make(chan struct{})}
	dropped := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hotpath_log_lines_dropped_total",
		Help: "Log lines dropped because the log could not be written fast enough."},
		func() float64 { return float64(l.dropped.Load()) })
	if err := reg.Register(dropped); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(l, options)
	if o.Format == "text" {
		handler = slog.NewTextHandler(l, options)
	}
	go l.run()
	return &Logger{slog.New(handler), l}, nil
}

// Close writes what is queued, for no longer than a second: a log that cannot
// be written must not keep the process from ending.
func (l *Logger) Close() {
	l.lines.close()
	select {
	case <-l.lines.done:
	case <-time.After(time.Second):
	}
}

// lines is the queue before the writer. slog hands it one whole line a call.
type lines struct {
	w       io.Writer
	queue   chan []byte
	done    chan struct{} // closed by run
	dropped atomic.Uint64

	closing struct {
		sync.RWMutex
		done bool
	}
}

// Write queues a copy of a line, or drops it.
func (l *lines) Write(line []byte) (int, error) {
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closing.done {
		l.dropped.Add(1)
		return len(line), nil
	}
	select {
	case l.queue <- append([]byte(nil), line...):
	default:
		l.dropped.Add(1)
	}
	return len(line), nil
}

func (l *lines) run() {
	defer close(l.done)
	for line := range l.queue {
		if _, err := l.w.Write(line); err != nil {
			l.dropped.Add(1)
		}
	}
}

func (l *lines) close() {
	l.closing.Lock()
	defer l.closing.Unlock()
	if !l.closing.done {
		l.closing.done = true
		close(l.queue)
	}
}
