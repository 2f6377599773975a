package promotion

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAGoodVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.manager(t.TempDir())
	r := quick()
	r.ShadowRequests, r.SHA256 = 500, sumOf("new")
	s := deploy(t, m, r)
	if s.Version != 3 || s.Before != 2 || s.SHA256 != r.SHA256 || s.Size != 3 {
		t.Errorf("%+v", s)
	}
	s = ended(t, m, s.ID)
	if want := "stage:done verify:done trial:done contract:done load:done shadow:done switch:done watch:done"; s.State != Done || steps(s) != want || s.EndedAt == nil {
		t.Errorf("%s: %s (%s)", s.State, steps(s), s.Reason)
	}
	w.as("deployed", 3, 1, 2, 3)
	if data, err := os.ReadFile(filepath.Join(w.dir, "m/3", manifestFile)); err != nil || !strings.Contains(string(data), sumOf("new")) {
		t.Errorf("%s %v", data, err)
	}
	if got, err := m.Get(s.ID); err != nil || got.State != Done {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := m.Get("d-0"); codeOf(err) != CodeUnknownDeployment {
		t.Error(err)
	}
	if _, err := m.Cancel(within(t), s.ID); codeOf(err) != CodeConflict {
		t.Error(err)
	}
}

// TestEachStepFails: what came before is undone, and the state says how far it got.
func TestEachStepFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		prepare func(w *world, r *Request)
		step    string
		state   State
		reason  string
	}{
		"verify":       {func(w *world, _ *Request) { w.fail["check"] = broken }, VerifyStep, Failed, "verify: broken"},
		"trial":        {func(w *world, _ *Request) { w.fail["trial"] = broken }, TrialStep, Failed, "trial: broken"},
		"binding":      {func(w *world, r *Request) { w.fail["contract"] = broken; r.AllowContractChange = true }, ContractStep, Failed, "broken"},
		"contract":     {func(w *world, _ *Request) { w.differ = []string{"input x is gone"} }, ContractStep, Failed, "input x is gone; if that is meant"},
		"hold":         {func(w *world, _ *Request) { w.fail["hold"] = broken }, LoadStep, Failed, "load: broken"},
		"load":         {func(w *world, _ *Request) { w.fail["load"] = broken }, LoadStep, Failed, "load: broken"},
		"shapes":       {func(w *world, _ *Request) { w.fail["differences"] = broken }, LoadStep, Failed, "broken"},
		"shadow":       {func(w *world, r *Request) { r.ShadowRequests, w.compare.Agreed = 1000, 900 }, ShadowStep, Failed, "90 % of 1000 requests agree"},
		"shadow fails": {func(w *world, r *Request) { r.ShadowRequests, w.compare.Failed = 1000, 100 }, ShadowStep, Failed, "100 of 1100 requests failed"},
		"shadow NaN":   {func(w *world, r *Request) { r.ShadowTime, w.compare.NonFinite = Duration(time.Second), 100 }, ShadowStep, Failed, "held NaN"},
		"shadow slow": {func(w *world, r *Request) {
			r.ShadowRequests, w.compare.LiveRun, w.compare.NextRun = 1000, time.Millisecond, 5*time.Millisecond
		}, ShadowStep, Failed, "a run takes 5ms"},
		"no traffic": {func(w *world, r *Request) { r.ShadowTime, w.compare = Duration(10*time.Millisecond), Comparison{} }, ShadowStep, Failed, "no live request"},
		"little":     {func(w *world, r *Request) { r.ShadowRequests = 2000 }, ShadowStep, Failed, "only 1000 of 2000"},
		"mirror":     {func(w *world, r *Request) { r.ShadowRequests, w.fail["mirror"] = 1, broken }, ShadowStep, Failed, "broken"},
		"switch":     {func(w *world, _ *Request) { w.fail["release"] = broken }, SwitchStep, Failed, "switch: broken"},
		"breaker":    {func(w *world, _ *Request) { w.after = w.onRelease(Health{Trips: 1}) }, WatchStep, RolledBack, "circuit breaker"},
		"errors":     {func(w *world, _ *Request) { w.after = w.onRelease(Health{Requests: 100, Failed: 50}) }, WatchStep, RolledBack, "50 of 100 requests failed"},
		"few errors": {func(w *world, _ *Request) { w.after = w.onRelease(Health{Requests: 3, Failed: 2}) }, WatchStep, RolledBack, "2 of 3 requests failed"},
		"NaN":        {func(w *world, _ *Request) { w.after = w.onRelease(Health{Requests: 100, NonFinite: 50}) }, WatchStep, RolledBack, "NaN"},
		"runs":       {func(w *world, _ *Request) { w.after = w.onRelease(Health{Runs: 100, RunErrors: 50}) }, WatchStep, RolledBack, "50 of 100 runs failed"},
		"slow": {func(w *world, _ *Request) {
			w.health[2] = Health{Runs: 1000, RunTime: time.Second}
			w.after = w.onRelease(Health{Runs: 1000, RunTime: 5 * time.Second})
		}, WatchStep, RolledBack, "5.0 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := quick()
			c.prepare(w, &r)
			m := w.manager(t.TempDir())
			s := ended(t, m, deploy(t, m, r).ID)
			if failed := s.step(c.step); s.State != c.state || failed.State != StepFailed || !strings.Contains(s.Reason, c.reason) {
				t.Errorf("%s (%s): %s", s.State, s.Reason, steps(s))
			}
			if undone := s.step(UndoStep); undone == nil || undone.State != StepDone {
				t.Errorf("undo: %+v", undone)
			}
			w.as("undone", 2, 1, 2)
			// The number is free again unless it has served.
			next := 3
			if c.state == RolledBack {
				next = 4
			}
			w.mu.Lock()
			w.health, w.fail, w.differ, w.after = map[int]Health{}, map[string]error{}, nil, nil
			w.mu.Unlock()
			if s := deploy(t, m, quick()); s.Version != next || ended(t, m, s.ID).State != Done {
				t.Errorf("the next is version %d", s.Version)
			}
		})
	}
}

// onRelease gives version 3 counters once it serves.
func (w *world) onRelease(h Health) func(string) {
	return func(call string) {
		if call == "release" {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.health[3] = h
		}
	}
}

func TestContractChangeAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.differ = []string{"input x is gone"}
	m := w.manager(t.TempDir())
	r := quick()
	r.AllowContractChange = true
	if s := ended(t, m, deploy(t, m, r).ID); s.State != Done || !strings.Contains(s.step(ContractStep).Detail, "allowed changes: input x is gone") {
		t.Errorf("%s %+v", s.State, s.Steps)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"check", "trial", "load"} {
		w := newWorld(t)
		w.block[call] = make(chan struct{})
		m := w.manager(t.TempDir())
		s := deploy(t, m, quick())
		eventually(t, call, func() bool { return w.saw(call) })
		s, err := m.Cancel(within(t), s.ID)
		if err != nil || s.State != Cancelled || !strings.HasPrefix(s.Reason, "cancelled by an operator during") {
			t.Errorf("%s: %v %s %s", call, err, s.State, s.Reason)
		}
		w.as(call, 2, 1, 2)
	}
	// In the watch it has served: it is taken back.
	w := newWorld(t)
	m := w.manager(t.TempDir())
	r := quick()
	r.WatchWindow = Duration(time.Hour)
	s := deploy(t, m, r)
	eventually(t, "watched", func() bool { s, _ = m.Get(s.ID); return s.reached(WatchStep) })
	if s, err := m.Cancel(within(t), s.ID); err != nil || s.State != RolledBack {
		t.Errorf("%v %+v", err, s)
	}
	w.as("watch", 2, 1, 2)
}

func TestOneOfAModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.block["trial"] = make(chan struct{})
	m := w.manager(t.TempDir())
	first := deploy(t, m, quick())
	if _, _, err := m.Deploy(within(t), "m", quick(), "", upload("other")); codeOf(err) != CodeConflict || !strings.Contains(err.Error(), first.ID) {
		t.Error(err)
	}
	other, _, err := m.Deploy(within(t), "n", quick(), "", upload("first of n"))
	if err != nil || other.Version != 1 || other.Before != 0 {
		t.Errorf("%+v %v", other, err)
	}
	close(w.block["trial"])
	for _, id := range []string{first.ID, other.ID} {
		if s := ended(t, m, id); s.State != Done {
			t.Errorf("%s: %s", s.State, s.Reason)
		}
	}
}

func TestAnotherVersionMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.block["trial"] = make(chan struct{})
	m := w.manager(t.TempDir())
	s := deploy(t, m, quick())
	eventually(t, "trial", func() bool { return w.saw("trial") })
	w.mu.Lock()
	w.current["m"] = 1
	w.mu.Unlock()
	close(w.block["trial"])
	if s := ended(t, m, s.ID); s.State != Failed || !strings.Contains(s.Reason, "version 1 is current by now") {
		t.Errorf("%s %s", s.State, s.Reason)
	}
	w.as("refused", 1, 1, 2)
	// In the watch an operator's choice stands.
	w.mu.Lock()
	w.current["m"] = 2
	w.mu.Unlock()
	r := quick()
	r.WatchWindow = Duration(time.Hour)
	s = deploy(t, m, r)
	eventually(t, "watched", func() bool { s, _ = m.Get(s.ID); return s.reached(WatchStep) })
	w.mu.Lock()
	w.current["m"] = 1
	w.mu.Unlock()
	if s := ended(t, m, s.ID); s.State != RolledBack || !strings.Contains(s.Reason, errSuperseded.Error()) {
		t.Errorf("%s %s", s.State, s.Reason)
	}
	w.as("left alone", 1, 1, 2, 3)
}

func TestFromTheRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.manager(t.TempDir())
	r := quick()
	for from, code := range map[int]Code{9: CodeUnknownVersion, 2: CodeConflict} {
		r.From = from
		if _, _, err := m.Deploy(within(t), "m", r, "", nil); codeOf(err) != code {
			t.Errorf("from %d: %v", from, err)
		}
	}
	r.From = 1
	s, _, err := m.Deploy(within(t), "m", r, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := ended(t, m, s.ID); s.State != Done {
		t.Errorf("%s %s", s.State, s.Reason)
	}
	w.as("1 again", 1, 1, 2)
	// One that fails keeps its folder.
	w.put("m", 3)
	w.fail["load"] = errors.New("broken")
	r.From = 3
	if s, _, err = m.Deploy(within(t), "m", r, "", nil); err != nil {
		t.Fatal(err)
	}
	if s := ended(t, m, s.ID); s.State != Failed {
		t.Errorf("%s %s", s.State, s.Reason)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "m/3", ModelFile)); err != nil {
		t.Error(err)
	}
}

// half is an upload that breaks off.
type half struct{ io.Reader }

func (half) Next() (string, io.Reader, error) {
	return ModelFile, io.MultiReader(strings.NewReader("half"), half{}), nil
}
func (half) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBadUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.manager(t.TempDir())
	wrong := quick()
	wrong.SHA256 = sumOf("other")
	for name, c := range map[string]struct {
		files Files
		r     Request
		code  Code
	}{
		"half":        {half{}, quick(), CodeUpload},
		"too large":   {upload(strings.Repeat("x", 101)), quick(), CodeTooLarge},
		"empty":       {upload(""), quick(), CodeBadRequest},
		"no model":    {&send{ConfigFile, "a"}, quick(), CodeBadRequest},
		"twice":       {&send{ModelFile, "a", ModelFile, "b"}, quick(), CodeBadRequest},
		"a path":      {&send{"../../evil", "a"}, quick(), CodeBadRequest},
		"damaged":     {upload("new"), wrong, CodeBadModel},
		"there":       {upload("new"), Request{Version: 2, MaxLatencyRatio: 1}, CodeConflict},
		"no number":   {upload("new"), Request{Version: -1, MaxLatencyRatio: 1}, CodeBadRequest},
		"both":        {upload("new"), Request{From: 1, MaxLatencyRatio: 1}, CodeBadRequest},
		"neither":     {nil, quick(), CodeBadRequest},
		"no sum":      {upload("new"), Request{SHA256: "ABC", MaxLatencyRatio: 1}, CodeBadRequest},
		"ratio":       {upload("new"), Request{}, CodeBadRequest},
		"two numbers": {nil, Request{Version: 1, From: 2, MaxLatencyRatio: 1}, CodeBadRequest},
	} {
		if _, _, err := m.Deploy(within(t), "m", c.r, "", c.files); codeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		w.as(name, 2, 1, 2)
	}
	for _, s := range m.List("m") {
		if s.State != Failed || s.step(StageStep).State != StepFailed {
			t.Errorf("%+v", s)
		}
	}
}

// TestTheModelsOwnConfig is what a version is read with, and no link leads out of
// the repository to it.
func TestTheModelsOwnConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, "m", ConfigFile), []byte("instances: 2"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.block["check"] = make(chan struct{})
	m := w.manager(t.TempDir())
	s := deploy(t, m, quick())
	data, err := os.ReadFile(filepath.Join(m.folders.staged(s.ID), "m", ConfigFile))
	if err != nil || string(data) != "instances: 2" {
		t.Errorf("%q %v", data, err)
	}
	close(w.block["check"])
	ended(t, m, s.ID)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(outside, nil, 0o644), os.Remove(filepath.Join(w.dir, "m", ConfigFile)), os.Symlink(outside, filepath.Join(w.dir, "m", ConfigFile))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Deploy(within(t), "m", quick(), "", upload("new")); codeOf(err) != CodeStorage || !strings.Contains(err.Error(), "escapes") {
		t.Error(err)
	}
	w.as("refused", 3, 1, 2, 3)
}
