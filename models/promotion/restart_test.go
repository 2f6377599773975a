package promotion

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	m := w.manager(dir)
	first, fresh, err := m.Deploy(within(t), "m", quick(), "key-1", upload("new"))
	if err != nil || !fresh {
		t.Fatal(err)
	}
	ended(t, m, first.ID)
	other := quick()
	other.Tolerance = 0.5
	check := func(m *Manager) {
		t.Helper()
		again, fresh, err := m.Deploy(within(t), "m", quick(), "key-1", upload("new"))
		if err != nil || fresh || again.ID != first.ID || again.State != Done {
			t.Errorf("again: %+v, fresh %t, %v", again, fresh, err)
		}
		for name, err := range map[string]error{
			"other file":    third(m.Deploy(within(t), "m", quick(), "key-1", upload("other"))),
			"other request": third(m.Deploy(within(t), "m", other, "key-1", upload("new"))),
			"other model":   third(m.Deploy(within(t), "n", quick(), "key-1", upload("new"))),
		} {
			if codeOf(err) != CodeKeyReused || !strings.Contains(err.Error(), first.ID) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	check(m)
	if err := m.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Deploy(within(t), "m", quick(), "", upload("new")); codeOf(err) != CodeClosed {
		t.Error(err)
	}
	m = w.manager(dir)
	check(m)
	// The key of an upload that broke off is free.
	if _, _, err := m.Deploy(within(t), "m", quick(), "key-2", half{}); codeOf(err) != CodeUpload {
		t.Error(err)
	}
	s, fresh, err := m.Deploy(within(t), "m", quick(), "key-2", upload("new"))
	if err != nil || !fresh {
		t.Errorf("%v %t", err, fresh)
	}
	ended(t, m, s.ID)
	if _, _, err := m.Deploy(within(t), "m", quick(), "a key", upload("new")); codeOf(err) != CodeBadRequest {
		t.Error(err)
	}
}

func third(_ Saga, _ bool, err error) error { return err }

func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	m := w.manager(dir)
	var last Saga
	for range 8 {
		last = ended(t, m, deploy(t, m, quick()).ID)
	}
	check := func(m *Manager) {
		t.Helper()
		eventually(t, "five are kept", func() bool {
			files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
			return len(m.List("")) == 5 && len(files) == 5
		})
		if all := m.List("m"); len(all) != 5 || all[0].ID != last.ID || len(m.List("n")) != 0 {
			t.Errorf("%d kept", len(all))
		}
	}
	check(m)
	if err := m.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	check(w.manager(dir))
}

// snapshot is what a crash leaves: the disks, and the repository's decisions.
type snapshot struct {
	at             string
	journals, repo string
	current        map[string]int
	held           map[int]bool
}

// crashes deploys once, and takes a snapshot before and after every call.
func crashes(t *testing.T, prepare func(w *world)) []snapshot {
	t.Helper()
	w := newWorld(t)
	dir := t.TempDir()
	var mu sync.Mutex
	var all []snapshot
	take := func(at string) {
		mu.Lock()
		defer mu.Unlock()
		s := snapshot{at: at, journals: t.TempDir(), repo: t.TempDir()}
		for to, from := range map[string]string{s.journals: dir, s.repo: w.dir} {
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				t.Error(err)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		s.current, s.held = maps.Clone(w.current), maps.Clone(w.held["m"])
		all = append(all, s)
	}
	w.before = func(call string) { take("before " + call) }
	w.after = func(call string) { take("after " + call) }
	prepare(w)
	m := w.manager(dir)
	r := quick()
	r.ShadowRequests = 10
	ended(t, m, deploy(t, m, r).ID)
	take("after the end")
	return all
}

// TestCrashes restarts from every snapshot: nothing half done is left, and the
// outcome is that of the table in doc.go.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(w *world){
		"good": func(*world) {},
		"bad": func(w *world) {
			take, give := w.after, w.onRelease(Health{Trips: 1})
			w.after = func(call string) { give(call); take(call) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := crashes(t, prepare)
			if len(all) < 12 {
				t.Fatalf("%d snapshots", len(all))
			}
			for _, s := range all {
				restart(t, s, name == "good")
			}
		})
	}
}

func restart(t *testing.T, s snapshot, good bool) {
	t.Helper()
	w := newWorld(t)
	w.dir, w.current = s.repo, s.current
	w.held["m"] = s.held
	for n := 1; n <= 3; n++ { // the repository loads what it finds
		if _, err := os.Stat(filepath.Join(w.dir, "m", fmt.Sprint(n))); err == nil {
			w.set(&w.loaded, "m", n, true)
		}
	}
	m := w.manager(s.journals)
	got := m.List("m")[0]
	want, versions := Failed, []int{1, 2}
	switch {
	case s.at == "after the end" && good:
		want, versions = Done, []int{1, 2, 3}
	case s.at == "before release", s.at == "after release", s.at == "after the end", strings.HasSuffix(s.at, "undo"):
		want = RolledBack
	}
	if got.State != want || want != Done && !strings.Contains(got.Reason, "stopped during") && s.at != "after the end" {
		t.Errorf("%s: %s (%s), want %s", s.at, got.State, got.Reason, want)
	}
	w.as(s.at, versions[len(versions)-1], versions...)
	// What a restart says, the next one says too.
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if again := w.manager(s.journals).List("m")[0]; again.State != got.State || again.Reason != got.Reason {
		t.Errorf("%s: %s then %s", s.at, got.State, again.State)
	}
}

// TestAStopAfterTheWatch: all that is missing is the record of the end.
func TestAStopAfterTheWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	m := w.manager(dir)
	s := ended(t, m, deploy(t, m, quick()).ID)
	if err := m.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	j := journal{dir}
	r, err := j.readOne(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.State, r.EndedAt = Running, nil
	if err := j.write(&r); err != nil {
		t.Fatal(err)
	}
	if got, err := w.manager(dir).Get(s.ID); err != nil || got.State != Done {
		t.Errorf("%+v %v", got, err)
	}
	w.as("done", 3, 1, 2, 3)
}

func TestCloseStopsWhereItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	m := w.manager(dir)
	r := quick()
	r.WatchWindow = Duration(time.Hour)
	s := deploy(t, m, r)
	eventually(t, "watched", func() bool { s, _ = m.Get(s.ID); return s.reached(WatchStep) })
	watched := make(chan error, 1)
	go func() { watched <- m.Watch(context.Background(), s.ID, func(Saga) error { return nil }) }()
	if err := m.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; codeOf(err) != CodeClosed {
		t.Error(err)
	}
	if w.saw("undo") {
		t.Error("it was undone by a process that ends")
	}
	got, err := w.manager(dir).Get(s.ID)
	if err != nil || got.State != RolledBack || !strings.Contains(got.Reason, "stopped during watch") {
		t.Errorf("%+v %v", got, err)
	}
	w.as("undone at the start", 2, 1, 2)
}

// TestAFolderOfSomebodyElse is not removed, whatever the journal says.
func TestAFolderOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.block["load"] = make(chan struct{})
	dir := t.TempDir()
	m := w.manager(dir)
	deploy(t, m, quick())
	eventually(t, "loading", func() bool { return w.saw("load") })
	if err := m.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "m/3")); err != nil {
		t.Fatal(err)
	}
	w.put("m", 3)
	w.manager(dir)
	if _, err := os.Stat(filepath.Join(w.dir, "m/3", ModelFile)); err != nil {
		t.Error(err)
	}
}

func TestJournalsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"d-0000000000000001.json": "{", "d-0000000000000002.json": `{"format": 9}`, "d-0000000000000003.json": `{"format": 1, "deployment": {"id": "../../x"}}`,
		"notes.txt": "", ".journal-1.tmp": "half",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Recover(dir, w.dir)
	if err == nil || strings.Count(err.Error(), "d-000") < 3 || !strings.Contains(err.Error(), "format 9 is unknown") || len(r.records) != 0 {
		t.Errorf("%v, %d records", err, len(r.records))
	}
	if _, err := os.Stat(filepath.Join(dir, ".journal-1.tmp")); err == nil {
		t.Error("half a write was left")
	}
	if r, err := Recover(filepath.Join(dir, "absent"), w.dir); err != nil || len(r.records) != 0 {
		t.Errorf("%v %v", r, err)
	}
}
