package promotion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/models/repository"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world stands for the repository, the checks and the traffic. Its state outlives
// a manager, as that of a repository with a state file outlives a process.
type world struct {
	t   *testing.T
	dir string // of the repository

	mu      sync.Mutex
	current map[string]int
	loaded  map[string]map[int]bool
	held    map[string]map[int]bool
	health  map[int]Health
	compare Comparison
	differ  []string
	// fail are errors of calls by their name; block holds a call until it is closed
	// or its context ends.
	fail  map[string]error
	block map[string]chan struct{}
	calls []string
	// before and after are called around every call that changes something.
	before, after func(call string)
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), current: map[string]int{"m": 2}, loaded: map[string]map[int]bool{"m": {1: true, 2: true}},
		held: map[string]map[int]bool{}, health: map[int]Health{}, fail: map[string]error{}, block: map[string]chan struct{}{},
		compare: Comparison{Offered: 1000, Compared: 1000, Agreed: 1000}}
	for _, n := range []int{1, 2} {
		w.put("m", n)
	}
	return w
}

func (w *world) put(model string, n int) {
	dir := filepath.Join(w.dir, model, strconv.Itoa(n))
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, ModelFile), []byte("old"), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

// called notes a call, and waits or fails as it was told.
func (w *world) called(ctx context.Context, name string) error {
	w.mu.Lock()
	w.calls = append(w.calls, name)
	block, err, before := w.block[name], w.fail[name], w.before
	w.mu.Unlock()
	if before != nil {
		before(name)
	}
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (w *world) done(name string) {
	if w.after != nil {
		w.after(name)
	}
}

func (w *world) List() *repository.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &repository.Status{}
	names, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Error(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name.Name(), ".") {
			continue
		}
		m := repository.ModelStatus{Name: name.Name(), Current: w.current[name.Name()]}
		entries, err := os.ReadDir(filepath.Join(w.dir, m.Name))
		if err != nil {
			w.t.Error(err)
		}
		for _, e := range entries {
			n, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			v := repository.VersionStatus{Version: n, State: repository.StateUnloaded, Current: n == m.Current}
			if w.loaded[m.Name][n] {
				v.State = repository.StateReady
			}
			m.Versions = append(m.Versions, v)
		}
		s.Models = append(s.Models, m)
	}
	return s
}

func (w *world) set(which *map[string]map[int]bool, model string, n int, yes bool) {
	if (*which)[model] == nil {
		(*which)[model] = map[int]bool{}
	}
	if (*which)[model][n] = yes; !yes {
		delete((*which)[model], n)
	}
}

func (w *world) Hold(ctx context.Context, model string, n int) error {
	if err := w.called(ctx, "hold"); err != nil {
		return err
	}
	defer w.done("hold")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(&w.held, model, n, true)
	return nil
}

func (w *world) Load(ctx context.Context, model string, n int) error {
	if err := w.called(ctx, "load"); err != nil {
		return err
	}
	defer w.done("load")
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := os.Stat(filepath.Join(w.dir, model, strconv.Itoa(n), ModelFile)); err != nil {
		return err
	}
	w.set(&w.loaded, model, n, true)
	return nil
}

func (w *world) Release(ctx context.Context, model string, n int) error {
	if err := w.called(ctx, "release"); err != nil {
		return err
	}
	defer w.done("release")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(&w.held, model, n, false)
	w.current[model] = n
	return nil
}

func (w *world) Undo(ctx context.Context, u repository.Undo) error {
	if err := w.called(ctx, "undo"); err != nil {
		return err
	}
	defer w.done("undo")
	w.undo(u)
	return nil
}

// undo is also what the repository does at a start with Options.Undone.
func (w *world) undo(u repository.Undo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u.Released && w.current[u.Model] == u.Version {
		if w.current[u.Model] = u.Back; u.Back == 0 {
			delete(w.current, u.Model)
		}
	}
	w.set(&w.held, u.Model, u.Version, false)
	if !u.Loaded {
		w.set(&w.loaded, u.Model, u.Version, false)
	}
}

func (w *world) Check(ctx context.Context, dir, model string, n int) (Candidate, error) {
	if err := w.called(ctx, "check"); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, model, strconv.Itoa(n), ModelFile))
	if err != nil {
		return nil, err
	}
	return fakeCandidate{w, string(data)}, nil
}

type fakeCandidate struct {
	w    *world
	data string
}

func (c fakeCandidate) SHA256() string                  { return sumOf(c.data) }
func (c fakeCandidate) Summary() string                 { return c.data }
func (c fakeCandidate) Trial(ctx context.Context) error { return c.w.called(ctx, "trial") }
func (c fakeCandidate) Contract() ([]string, error) {
	return c.w.differ, c.w.called(context.Background(), "contract")
}

func (w *world) Differences(string, int, int) ([]string, error) {
	return nil, w.called(context.Background(), "differences")
}

func (w *world) Mirror(string, int, float64, int) (Mirror, error) {
	return fakeMirror{w}, w.called(context.Background(), "mirror")
}

type fakeMirror struct{ w *world }

func (f fakeMirror) Report() Comparison {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return f.w.compare
}
func (f fakeMirror) Stop() { _ = f.w.called(context.Background(), "stop") }

func (w *world) Health(_ string, n int) (Health, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health[n], nil
}

// called says that a call was made.
func (w *world) saw(call string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.calls, call)
}

// as checks what serves and what there is of model m.
func (w *world) as(what string, current int, versions ...int) {
	w.t.Helper()
	w.mu.Lock()
	got, held := w.current["m"], len(w.held["m"])
	loaded := slices.Sorted(maps.Keys(w.loaded["m"]))
	w.mu.Unlock()
	var onDisk []int
	for _, m := range w.List().Models {
		for _, v := range m.Versions {
			if m.Name == "m" {
				onDisk = append(onDisk, v.Version)
			}
		}
	}
	hidden, _ := os.ReadDir(filepath.Join(w.dir, stagingDir))
	if got != current || held != 0 || !slices.Equal(loaded, versions) || !slices.Equal(onDisk, versions) || len(hidden) != 0 {
		w.t.Errorf("%s: current %d, held %d, loaded %v, on disk %v, hidden %v; want current %d of %v and nothing else", what, got, held, loaded, onDisk, hidden, current, versions)
	}
}

// manager opens a manager over the world, as a process does at its start.
func (w *world) manager(dir string) *Manager {
	w.t.Helper()
	r, err := Recover(dir, w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range r.Undone {
		w.undo(u)
	}
	m, err := New(Options{Dir: dir, RepositoryDir: w.dir, History: 5, Limits: map[string]int64{ModelFile: 100, ConfigFile: 100, GoldenFile: 100},
		StepTimeout: 5 * time.Second, ShadowTimeout: 300 * time.Millisecond, Repository: w, Checker: w, Traffic: w, Log: slog.New(slog.DiscardHandler)}, r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
	return m
}

// quick is a request whose watch a test can wait for.
func quick() Request {
	return Request{Agreement: 0.99, Tolerance: 0.001, WatchWindow: Duration(50 * time.Millisecond), MaxErrorRate: 0.02, MaxLatencyRatio: 3}
}

// send is an upload of name and content, name and content, …
type send []string

func (s *send) Next() (string, io.Reader, error) {
	if len(*s) == 0 {
		return "", nil, io.EOF
	}
	name, content := (*s)[0], (*s)[1]
	*s = (*s)[2:]
	return name, strings.NewReader(content), nil
}

func upload(content string) Files { return &send{ModelFile, content} }

// deploy begins a deployment of model m.
func deploy(t *testing.T, m *Manager, r Request) Saga {
	t.Helper()
	s, fresh, err := m.Deploy(within(t), "m", r, "", upload("new"))
	if err != nil || !fresh {
		t.Fatalf("fresh %t: %v", fresh, err)
	}
	return s
}

// ended waits for a deployment's end.
func ended(t *testing.T, m *Manager, id string) (last Saga) {
	t.Helper()
	if err := m.Watch(within(t), id, func(s Saga) error { last = s; return nil }); err != nil {
		t.Fatal(err)
	}
	return last
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// steps shows a deployment's steps as stage:done verify:done …
func steps(s Saga) string {
	var all []string
	for _, t := range s.Steps {
		all = append(all, t.Name+":"+string(t.State))
	}
	return strings.Join(all, " ")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func sumOf(data string) string {
	s, err := (&Manager{o: Options{Limits: map[string]int64{ModelFile: 1 << 20}}}).receive(context.Background(), "", upload(data))
	if err != nil {
		panic(fmt.Sprint(err))
	}
	return s.sum[ModelFile]
}
