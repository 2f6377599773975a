package experiments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/serving"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		saveUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// fakeWorld has versions loaded or not, and treats plans as a *serving.World does.
type fakeWorld struct {
	mu             sync.Mutex
	started        bool
	loaded         map[serving.Ref]bool
	active, wanted *abtest.Plan
	wantedErr      error
	// set counts the plans that it took, and onSet hears of each.
	set   int
	onSet func()
}

func newWorld(t testing.TB, loaded ...int) *fakeWorld {
	t.Helper()
	empty, err := abtest.Compile(abtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &fakeWorld{started: true, loaded: map[serving.Ref]bool{}, active: empty, wanted: empty}
	for _, v := range loaded {
		w.loaded[serving.Ref{Model: "risk", Version: v}] = true
	}
	return w
}

func (w *fakeWorld) SetPlan(p *abtest.Plan) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = p
	if !w.started {
		return nil
	}
	return w.tryLocked()
}

// start is when the models are loaded.
func (w *fakeWorld) start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started = true
	return w.tryLocked()
}

func (w *fakeWorld) tryLocked() error {
	w.wantedErr = nil
	var problems abtest.Problems
	for i, e := range w.wanted.Experiments() {
		for j, v := range e.Variants() {
			if e.Enabled() && v.Version() > 0 && !w.loaded[serving.Ref{Model: v.Model(), Version: v.Version()}] {
				problems = append(problems, abtest.Problem{Path: fmt.Sprintf("experiments[%d].variants[%d].version", i, j), Message: "is not loaded"})
			}
		}
	}
	if problems != nil {
		w.wantedErr = problems
		return problems
	}
	w.active = w.wanted
	w.set++
	if w.onSet != nil {
		w.onSet()
	}
	return nil
}

func (w *fakeWorld) KeepPlan() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted, w.wantedErr = w.active, nil
}

func (w *fakeWorld) State() serving.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return serving.State{Started: w.started, Plan: w.active, PlanErr: w.wantedErr}
}

func (w *fakeWorld) Missing(p *abtest.Plan) (missing []serving.Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range p.Experiments() {
		for _, v := range e.Variants() {
			if ref := (serving.Ref{Model: v.Model(), Version: v.Version()}); e.Enabled() && v.Version() > 0 && !w.loaded[ref] {
				missing = append(missing, ref)
			}
		}
	}
	return missing
}

// arrive loads a version, as the repository does by itself.
func (w *fakeWorld) arrive(version int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded[serving.Ref{Model: "risk", Version: version}] = true
	if w.wanted != w.active {
		_ = w.tryLocked()
	}
}

// rig is a keeper of a file in a directory, over a fake world.
type rig struct {
	*Keeper
	t     testing.TB
	world *fakeWorld
	file  string
	data  string
	// onDisk are versions that can be loaded.
	onDisk map[int]bool
	log    strings.Builder

	mu    sync.Mutex
	plans []*abtest.Plan // that OnPlan heard of
}

const twoArms = `# Risk's experiments.
experiments:
  - name: gbm   # boosting
    model: risk
    variants:
      - {name: control, weight: 90, version: 1}
      - {name: treatment, weight: 10, version: 2}
`

func newRig(t testing.TB, text string) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, world: newWorld(t, 1, 2), file: filepath.Join(dir, "experiments.yaml"), data: filepath.Join(dir, "data"), onDisk: map[int]bool{}}
	r.write(text)
	r.open()
	return r
}

// open opens the keeper, again if need be.
func (r *rig) open() {
	r.t.Helper()
	k, err := Open(r.options())
	if err != nil {
		r.t.Fatal(err)
	}
	r.Keeper = k
}

func (r *rig) options() Options {
	return Options{File: r.file, DataDir: r.data, ReloadInterval: 10 * time.Millisecond, World: r.world,
		Load: func(_ context.Context, _ string, version int) error {
			if !r.onDisk[version] {
				return fmt.Errorf("version %d is not on the disk", version)
			}
			r.world.mu.Lock()
			defer r.world.mu.Unlock()
			r.world.loaded[serving.Ref{Model: "risk", Version: version}] = true
			return nil
		},
		OnPlan: func(p *abtest.Plan) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.plans = append(r.plans, p)
		},
		Log: slog.New(slog.NewTextHandler(&r.log, nil)), Registerer: prometheus.NewRegistry()}
}

// write edits the file as somebody with an editor does.
func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o640); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) onTheDisk() string {
	r.t.Helper()
	data, err := os.ReadFile(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// weight is what a variant of gbm has in the plan that serves.
func (r *rig) weight(variant string) int {
	r.t.Helper()
	v := r.world.State().Plan.Experiment("gbm").Variant(variant)
	if v == nil {
		r.t.Fatalf("there is no variant %s", variant)
	}
	return v.Weight() / 100
}

// edit is by alice, for the file as it is.
func (r *rig) edit() Edit {
	return Edit{IfMatch: ETag([]byte(r.onTheDisk())), Author: Author{Who: "alice", Via: ViaAPI, Message: "why"}}
}

// saved saves a text, which must work.
func (r *rig) saved(text string) *Outcome {
	r.t.Helper()
	out, err := r.Save(context.Background(), []byte(text), r.edit())
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// refused wants an error of a code that says all of the texts.
func refused(t testing.TB, err error, code Code, texts ...string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want one of code %s", err, code)
	}
	for _, text := range texts {
		if !strings.Contains(e.Error(), text) {
			t.Errorf("%q does not say %q", e.Error(), text)
		}
	}
	return e
}

func weighted(control, treatment int) string {
	return strings.NewReplacer("90", fmt.Sprint(control), "weight: 10", fmt.Sprintf("weight: %d", treatment)).Replace(twoArms)
}
