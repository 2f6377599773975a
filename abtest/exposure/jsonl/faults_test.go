package jsonl_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
)

// limitFiles makes the kernel refuse to let files grow beyond so many bytes, as a
// full disk does: the write that meets the limit is done in part.
func limitFiles(t *testing.T, bytes uint64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	set := func(r unix.Rlimit) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &r); err != nil {
			t.Error(err)
		}
	}
	set(unix.Rlimit{Cur: bytes, Max: before.Max})
	lift = func() { set(before) }
	t.Cleanup(lift)
	return lift
}

// TestADiskThatIsFull: a batch that fits in part is not there at all until it fits
// as a whole.
func TestADiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	lift := limitFiles(t, 2000)
	s := open(t, jsonl.Options{Dir: dir})
	write(t, s, lines(0, 4))
	for range 3 {
		if err := s.Write(lines(4, 12)); err == nil {
			t.Fatal("the disk is not full")
		}
		got, r := read(t, 0, dir)
		wantRange(t, got, 0, 4)
		if r.Torn != 0 {
			t.Errorf("%+v", r)
		}
	}
	write(t, s, lines(4, 5)) // which fits
	lift()
	write(t, s, lines(5, 12))
	end(t, s)
	got, r := read(t, 0, dir)
	wantRange(t, got, 0, 12)
	if r.Files != 1 || r.Malformed+r.Torn != 0 {
		t.Errorf("%+v", r)
	}
}

// TestARemovedDirectory is made again.
func TestARemovedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "exposures")
	s := open(t, jsonl.Options{Dir: dir})
	write(t, s, lines(0, 2))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, s, lines(2, 4))
	// Somebody moves the file away, as logrotate would.
	if err := os.Rename(files(t, dir)[0], filepath.Join(dir, "exposures-20260101T000000.000000000Z.jsonl")); err != nil {
		t.Fatal(err)
	}
	write(t, s, lines(4, 6))
	end(t, s)
	got, r := read(t, 0, dir)
	wantRange(t, got, 2, 6)
	if r.Files != 2 {
		t.Errorf("%+v", r)
	}
}

// sum is a metric's value, over its labels.
func sum(t *testing.T, reg *prometheus.Registry, name string) (total float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}

// TestALogWhoseDirectoryCannotBeUsed: row 39. Recording goes on as if nothing were;
// once the directory can be used, everything that waited is in it.
func TestALogWhoseDirectoryCannotBeUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "exposures")
	if err := os.WriteFile(dir, nil, 0o644); err != nil { // a file where the directory should be
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	l, err := exposure.Open(exposure.Options{Sinks: []exposure.Sink{open(t, jsonl.Options{Dir: dir})}}, reg)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	for i := range n {
		if !l.Record(event(strconv.Itoa(i))) {
			t.Fatalf("%d was dropped", i)
		}
		switch i {
		case n / 2:
			until(t, func() bool { return sum(t, reg, "hotpath_exposure_sink_errors_total") > 0 })
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return sum(t, reg, "hotpath_exposure_sink_up") == 1 })
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _ := read(t, 0, dir)
	wantRange(t, got, 0, n)
	if lost := sum(t, reg, "hotpath_exposure_sink_lost_total"); lost != 0 {
		t.Errorf("%v were lost", lost)
	}
}

// TestALogOnAFullDisk: row 39. What the disk has no room for waits, and beyond that
// is lost and counted; when there is room, it goes on.
func TestALogOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	lift := limitFiles(t, 50_000)
	reg := prometheus.NewRegistry()
	l, err := exposure.Open(exposure.Options{SinkBytes: 100_000, Sinks: []exposure.Sink{open(t, jsonl.Options{Dir: dir})}}, reg)
	if err != nil {
		t.Fatal(err)
	}
	const n = 3000
	for i := range n {
		if !l.Record(event(strconv.Itoa(i))) {
			t.Fatalf("%d was dropped", i)
		}
		if i%100 == 99 { // no faster than the log's goroutine, which has a small queue before the disk
			until(t, func() bool { return sum(t, reg, "hotpath_exposures_total") == float64(i+1) })
		}
	}
	until(t, func() bool { return sum(t, reg, "hotpath_exposure_sink_errors_total") > 0 })
	lost := sum(t, reg, "hotpath_exposure_sink_lost_total")
	if lost == 0 {
		t.Error("nothing was lost")
	}
	lift()
	until(t, func() bool {
		return sum(t, reg, "hotpath_exposure_sink_up") == 1 && sum(t, reg, "hotpath_exposure_sink_waiting_bytes") == 0
	})
	l.Record(event(strconv.Itoa(n)))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, r := read(t, 0, dir)
	if len(got) == 0 || float64(len(got))+lost != n+1 || got[len(got)-1] != n {
		t.Errorf("%d are there, %v were lost", len(got), lost)
	}
	if r.Torn+r.Malformed != 0 {
		t.Errorf("%+v", r)
	}
}

// TestALogThroughFiles writes many records, restarts in between, and reads them all.
func TestALogThroughFiles(t *testing.T) {
	const processes = 4
	each, longest := 20_000, int64(3<<20)
	if raceDetector {
		each, longest = 4000, 600<<10
	}
	dir := t.TempDir()
	for p := range processes {
		o := jsonl.Options{Dir: dir, MaxBytes: longest, Keep: 100, Compress: p%2 == 0}
		l, err := exposure.Open(exposure.Options{Window: time.Hour, SinkBytes: 64 << 20, Sinks: []exposure.Sink{open(t, o)}}, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		for i := p * each; i < (p+1)*each; i++ {
			for !l.Record(event(strconv.Itoa(i))) {
				time.Sleep(time.Millisecond)
			}
			if i%100 == 0 {
				f := exposure.Feedback{At: 1, Unit: []byte(strconv.Itoa(i)), Outcome: []byte("click"), Value: 1}
				until(t, func() bool { return l.Feedback(&f) })
			}
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got, r := read(t, 0, dir)
	wantRange(t, got, 0, processes*each)
	if r.Feedback != processes*each/100 || r.Malformed+r.Torn+r.Unknown != 0 || r.Files < 8 {
		t.Errorf("%+v", r)
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("it never happened")
}
