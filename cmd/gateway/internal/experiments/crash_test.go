package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
)

// crashDir makes the test binary a gateway that saves and holds in a loop.
const crashDir = "EXPERIMENTS_TEST_CRASH_DIR"

// crashes is how many times it is killed.
const crashes = 20

// saveUntilKilled edits the file of a directory without end.
func saveUntilKilled(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	w := &fakeWorld{started: true, loaded: nil}
	var err error
	w.active, err = abtest.Compile(abtest.Config{})
	fail(err)
	k, err := Open(Options{File: filepath.Join(dir, "experiments.yaml"), DataDir: filepath.Join(dir, "data"), ReloadInterval: time.Second,
		World: w, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	fail(err)
	fmt.Println("saving")
	for i := 0; ; i++ {
		d, err := k.Document()
		fail(err)
		text := crashText(rand.IntN(1000))
		_, err = k.Save(context.Background(), []byte(text), Edit{IfMatch: d.ETag, Author: Author{Who: "child", Via: ViaAPI, Message: "crash"}})
		fail(err)
		if i%4 == 3 {
			fail(k.Hold(context.Background(), abtest.Hold{Experiment: "e", Variant: "b"}, Author{Who: "child", Via: ViaOperator}))
			_, err = k.Release(context.Background(), "e", Author{Who: "child", Via: ViaOperator})
			fail(err)
		}
	}
}

// crashText is a file that shows when it is not whole.
func crashText(n int) string {
	return fmt.Sprintf("# begin %d\nexperiments:\n  - name: e\n    model: m\n    salt: s-%d\n    variants: [{name: a, weight: 50}, {name: b, weight: 50}]\n%s# end %d\n",
		n, n, strings.Repeat("# filler\n", n%50), n)
}

// A gateway that is killed at any moment leaves one whole file, a history that can be
// read, and no doubt about what the file is.
func TestCrashesLeaveWholeFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "experiments.yaml")
	if err := os.WriteFile(file, []byte(crashText(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	saved := 0
	for range crashes {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashDir+"="+dir)
		out := &strings.Builder{}
		child.Stderr = out
		begun, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = begun.Read(make([]byte, 1))
		time.Sleep(rand.N(150 * time.Millisecond))
		_ = child.Process.Kill()
		_ = child.Wait()
		if out.Len() > 0 {
			t.Fatalf("the child failed: %s", out)
		}
		saved = checkAfterCrash(t, dir, saved)
	}
	if saved < crashes/2 {
		t.Errorf("only %d revisions in %d runs: nothing was tested", saved, crashes)
	}
	t.Logf("%d crashes, %d revisions", crashes, saved)
}

func checkAfterCrash(t *testing.T, dir string, before int) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "experiments.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscanf(string(data), "# begin %d\n", &n); err != nil || string(data) != crashText(n) {
		t.Fatalf("the file is not whole: %v\n%s", err, data)
	}
	r := &rig{t: t, world: newWorld(t), file: filepath.Join(dir, "experiments.yaml"), data: filepath.Join(dir, "data")}
	r.open()
	all := r.History()
	last, ok := r.history.last()
	if !ok || last.ETag != ETag(data) {
		t.Fatalf("the newest revision %+v is not the file's, %s", last, ETag(data))
	}
	if last.Via != ViaAPI && last.Via != ViaFile && last.Via != ViaStart {
		t.Errorf("%+v", last)
	}
	if !slices.IsSortedFunc(all, func(a, b Revision) int { return b.Number - a.Number }) || len(all) < before {
		t.Errorf("%d revisions after %d", len(all), before)
	}
	for _, rev := range all[:min(len(all), 20)] {
		if _, err := r.Revision(rev.Number); err != nil {
			t.Errorf("revision %d: %v", rev.Number, err)
		}
	}
	if strings.Contains(r.log.String(), "cannot be read") {
		t.Errorf("log: %s", r.log.String())
	}
	if held, err := os.ReadFile(filepath.Join(dir, "data", "holds.json")); err == nil && !json.Valid(held) {
		t.Errorf("half a file of holds: %s", held)
	}
	return len(all)
}
