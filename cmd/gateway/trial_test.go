package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/inference"
)

const fixtures = "../../models/testdata/fixtures"

// runtimeLibrary is the ONNX Runtime library of the tests.
func runtimeLibrary(t *testing.T) string {
	t.Helper()
	path, err := inference.FindLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	if path, err = filepath.Abs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func readModel(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name, "1", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTrialProcess runs this test binary as the gateway's.
func TestTrialProcess(t *testing.T) {
	t.Setenv(testExec, "run")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trial := trialProcess(exe, runtimeLibrary(t))
	if err := trial(t.Context(), readModel(t, "echo")); err != nil {
		t.Errorf("a good model: %v", err)
	}
	for name, want := range map[string]string{"garbage": "ONNX Runtime cannot read the model", "truncated": "ONNX Runtime cannot read the model"} {
		err := trial(t.Context(), readModel(t, name))
		if err == nil || !strings.Contains(err.Error(), want) || strings.HasPrefix(err.Error(), "gateway: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := trialProcess(exe, "/nowhere/lib.so")(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "/nowhere/lib.so") {
		t.Errorf("without a library: %v", err)
	}
	t.Setenv(testExec, "crash")
	err = trialProcess(exe, "lib.so")(t.Context(), nil)
	if want := "the model crashed ONNX Runtime (SIGSEGV: segmentation violation): reading node 7"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// script stands for a gateway whose library does what a test needs.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTrialNamesACrash(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"cat >/dev/null; echo 'reading node 7' >&2; kill -SEGV $$", "the model crashed ONNX Runtime (signal: segmentation fault): reading node 7"},
		{"kill -ABRT $$", "the model crashed ONNX Runtime (signal: aborted)"},
		{"kill -KILL $$", "the model crashed ONNX Runtime (signal: killed)"},
		// What Go writes when C code crashes below it.
		{"echo 'reading node 7' >&2; echo 'SIGSEGV: segmentation violation' >&2; echo 'PC=0x0 m=0 sigcode=1' >&2; exit 2",
			"the model crashed ONNX Runtime (SIGSEGV: segmentation violation): reading node 7"},
		{"echo 'gateway: no such operator' >&2; exit 1", "no such operator"},
		{"exit 1", "the trial process ended with exit status 1 and said nothing"},
		{"for i in 1 2 3 4 5 6 7 8; do echo line $i >&2; done; exit 1", "line 4\nline 5\nline 6\nline 7\nline 8"},
	} {
		err := trialProcess(script(t, c.text), "lib.so")(t.Context(), []byte("model"))
		message := ""
		if err != nil {
			message = strings.ReplaceAll(err.Error(), " (core dumped)", "")
		}
		if message != c.want {
			t.Errorf("%s\ngot  %q\nwant %q", c.text, message, c.want)
		}
	}
	err := trialProcess("/nowhere/gateway", "lib.so")(t.Context(), nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a binary: %v", err)
	}
}

func TestTrialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := trialProcess(script(t, "exec sleep 60"), "lib.so")(ctx, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "models.load_timeout") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTrialSeesNoSettings(t *testing.T) {
	t.Setenv("HOTPATH_FEATURES_REDIS_PASSWORD", "hush")
	err := trialProcess(script(t, `echo "[$HOTPATH_FEATURES_REDIS_PASSWORD] $*" >&2; exit 1`), "lib.so")(t.Context(), nil)
	if err == nil || err.Error() != "[] trial-load --library lib.so --size 0" {
		t.Errorf("%v", err)
	}
}

// TestTrialIsBounded looks at the limits of a trial from inside.
func TestTrialIsBounded(t *testing.T) {
	if os.Getenv("GATEWAY_TEST_LIMIT") != "" {
		if err := limitTrial(1 << 20); err != nil {
			t.Fatal(err)
		}
		limits, err := os.ReadFile("/proc/self/limits")
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.Write(limits)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTrialIsBounded$")
	cmd.Env = append(os.Environ(), "GATEWAY_TEST_LIMIT=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := map[string]string{"Max cpu time": "60", "Max core file size": "0"}
	for line := range strings.Lines(string(out)) {
		for name, limit := range want {
			if rest, ok := strings.CutPrefix(line, name); ok && strings.Fields(rest)[0] == limit {
				delete(want, name)
			}
		}
		if rest, ok := strings.CutPrefix(line, "Max address space"); ok && strings.Fields(rest)[0] == "unlimited" {
			t.Error("the address space is not bounded")
		}
	}
	if len(want) > 0 {
		t.Errorf("lacks %v:\n%s", want, out)
	}
}
