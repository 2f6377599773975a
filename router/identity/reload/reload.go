// Package reload reads files again when their content changes. It compares contents
// and not times, so that a file replaced by rename, through a symbolic link (as
// Kubernetes does) or in place is seen alike. What cannot be used is reported once,
// and what was there before stays.
//
// A content counts once it was seen at two looks in a row: a file that is being
// written in place is half a file for a moment.
package reload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Files are read together.
type Files struct {
	// What they are, for messages.
	What  string
	Names []string
	// MaxBytes bounds each of them.
	MaxBytes int64
	// Apply takes the contents in use, or says why it does not.
	Apply func(contents [][]byte) error
	Log   *slog.Logger

	mu   sync.Mutex
	seen [sha256.Size]byte // the content that was tried last
	next [sha256.Size]byte // the content of the last look
	ok   prometheus.Gauge
}

// NewGauge is the metric of reloads, by what is reloaded; 1: what is in the files is
// in use.
func NewGauge(reg prometheus.Registerer) (*prometheus.GaugeVec, error) {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotpath_identity_reload_ok",
		Help: "Whether the last content of the files that say who may call is in use, by what they hold."}, []string{"what"})
	return g, reg.Register(g)
}

// Open reads the files for the first time. Later failures show in the gauge.
func (f *Files) Open(gauge *prometheus.GaugeVec) error {
	if _, err := f.try(true); err != nil {
		return err
	}
	f.ok = gauge.WithLabelValues(f.What)
	f.ok.Set(1)
	return nil
}

// Watch looks for other contents until the context ends.
func (f *Files) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.Look()
		}
	}
}

// Look reads the files, and applies and reports what is new in them.
func (f *Files) Look() {
	changed, err := f.try(false)
	switch {
	case !changed:
	case err != nil:
		f.ok.Set(0)
		f.Log.Error("a change was refused; what was there before stays in use", "what", f.What, "error", err)
	default:
		f.ok.Set(1)
		f.Log.Info("reloaded", "what", f.What)
	}
}

// try applies what is not what was tried last, at once or when it is seen again.
func (f *Files) try(atOnce bool) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	contents, err := f.read()
	digest := sha256.New()
	for _, c := range contents {
		fmt.Fprintf(digest, "%d\n", len(c))
		digest.Write(c)
	}
	if err != nil {
		// A failure to read counts as a content, so that it is reported once.
		fmt.Fprint(digest, err)
	}
	sum := [sha256.Size]byte(digest.Sum(nil))
	again := sum == f.next
	f.next = sum
	if sum == f.seen || !again && !atOnce {
		return false, nil
	}
	f.seen = sum
	if err == nil {
		err = f.Apply(contents)
	}
	return true, err
}

func (f *Files) read() ([][]byte, error) {
	contents := make([][]byte, len(f.Names))
	for i, name := range f.Names {
		data, err := readFile(name, f.MaxBytes)
		if err != nil {
			return nil, err
		}
		contents[i] = data
	}
	return contents, nil
}

// readFile reads a regular file: a pipe in its place would make us wait.
func readFile(name string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a regular file", name))
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, nil
}
