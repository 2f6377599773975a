package reload_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"hotpath/router/identity/reload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAContentCountsWhenItIsSeenTwice(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	var applied []string
	f := &reload.Files{What: "test", Names: []string{one, two}, MaxBytes: 10, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Apply: func(contents [][]byte) error {
			text := fmt.Sprintf("%s+%s", contents[0], contents[1])
			if strings.Contains(text, "bad") {
				return errors.New("it is bad")
			}
			applied = append(applied, text)
			return nil
		}}
	reg := prometheus.NewRegistry()
	gauge, err := reload.NewGauge(reg)
	if err != nil {
		t.Fatal(err)
	}
	put(one, "a")
	if err := f.Open(gauge); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("one of two files is missing: %v", err)
	}
	put(two, "b")
	if err := f.Open(gauge); err != nil {
		t.Fatal(err)
	}
	look := func(want string, ok float64) {
		t.Helper()
		f.Look()
		if got := strings.Join(applied, " "); got != want {
			t.Errorf("in use were %s, want %s", got, want)
		}
		if got := testutil.ToFloat64(gauge.WithLabelValues("test")); got != ok {
			t.Errorf("the gauge is %v, want %v", got, ok)
		}
	}
	look("a+b", 1)
	put(one, "half")
	look("a+b", 1) // it may be half a file
	put(one, "whole")
	look("a+b", 1)
	look("a+b whole+b", 1)
	look("a+b whole+b", 1)
	put(two, "bad")
	look("a+b whole+b", 1)
	for range 3 {
		look("a+b whole+b", 0)
	}
	put(two, strings.Repeat("x", 11))
	f.Look()
	look("a+b whole+b", 0)
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(two, 0o600); err != nil {
		t.Fatal(err)
	}
	f.Look()
	look("a+b whole+b", 0)
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	put(two, "b")
	f.Look()
	look("a+b whole+b whole+b", 1)
	for what, n := range map[string]int{"it is bad": 1, "more than 10 bytes": 1, "is not a regular file": 1, "level=ERROR": 3} {
		if got := strings.Count(log.String(), what); got != n {
			t.Errorf("the log says %q %d times, want %d:\n%s", what, got, n, log.String())
		}
	}
}
