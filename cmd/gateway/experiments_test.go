package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/admin"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/cmd/gateway/internal/serving"
)

// stillWorld takes every plan: the demo's models are all there.
type stillWorld struct {
	mu   sync.Mutex
	plan *abtest.Plan
}

func newStillWorld(t *testing.T) *stillWorld {
	return &stillWorld{plan: compiled(t, "experiments: []\n")}
}

func (w *stillWorld) SetPlan(p *abtest.Plan) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan = p
	return nil
}

func (w *stillWorld) KeepPlan() {}

func (w *stillWorld) State() serving.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return serving.State{Started: true, Plan: w.plan}
}

func (w *stillWorld) Missing(*abtest.Plan) []serving.Ref { return nil }

// newReadout has seen some requests.
func newReadout(t *testing.T, plan *abtest.Plan) *readout.Readout {
	t.Helper()
	r, err := readout.New(readout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.SetPlan(plan)
	for _, user := range []string{"user-1", "user-2", "user-3"} {
		a := plan.Assign("risk", &abtest.Request{User: []byte(user)})
		r.Exposed(&exposure.Event{At: time.Now().UnixNano(), Unit: []byte(user), UnitName: "user", Experiment: a.Experiment.Name(), Assigned: a.Variant.Name(),
			Served: a.Variant.Name(), Reason: a.Reason, Plan: plan.Digest(), Code: "ok", LatencyNS: 1e6, Score: 0.5, HasScore: true}, true)
	}
	return r
}

// experimentsAt calls `gateway experiments` on an admin port.
func experimentsAt(t *testing.T, addr string) func(args ...string) result {
	return func(args ...string) result {
		t.Helper()
		return cliWith(t, []string{"USER=ann"}, "", append([]string{"experiments", "--admin", addr}, args...)...)
	}
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheListSaysWhatIsNotStored(t *testing.T) {
	for stored, want := range map[bool]bool{true: false, false: true} {
		var b strings.Builder
		l := admin.ExperimentList{HistoryStored: stored}
		l.File, l.Revision = "e.yaml", 1
		experimentsTable(&b, l)
		if got := strings.Contains(b.String(), "experiments.data_dir is not set"); got != want {
			t.Errorf("stored %v: %s", stored, b.String())
		}
	}
}

func TestApplyShowsWhatItChangesAndDoesIt(t *testing.T) {
	addr, dir := adminPort(t)
	x, file := experimentsAt(t, addr), filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	want := strings.Replace(before, "{name: control, weight: 50", "{name: control, weight: 80", 1)
	want = strings.Replace(want, "{name: treatment, weight: 50", "{name: treatment, weight: 20", 1)
	mine := writeFile(t, t.TempDir(), "mine.yaml", want)

	dry := x("apply", mine, "--dry-run")
	dry.wants(t, 0, "+      - {name: control, weight: 80, version: 1}\n", "")
	dry.wants(t, 0, "the new weights move 30.00 percent", "")
	dry.wants(t, 0, "there are no recent requests to look at", "")
	if contentOf(t, file) != before {
		t.Error("a dry run changed the file")
	}
	x("apply", mine).wants(t, 2, "-      - {name: control, weight: 50, version: 1}\n", "there is no terminal to ask on; add --yes")
	x("apply", mine, "--yes", "-m", "more data").wants(t, 0, "revision 2 serves, ETag "+experiments.ETag([]byte(want))+"\n", "")
	if contentOf(t, file) != want {
		t.Errorf("the file is\n%s", contentOf(t, file))
	}
	x("apply", mine, "--yes").wants(t, 0, "no line differs\n", "")
	if got := x("list"); row(got.out, "revision 2, ETag") == "" || row(got.out, "risk-gbm", "risk", "running", "control", "80%") == "" {
		t.Error(got.out)
	}
	history := x("history")
	if r := row(history.out, "2"); !strings.HasSuffix(r, "api +2 -2 more data") || !strings.Contains(r, "ann@") || row(history.out, "1") == "" {
		t.Errorf("%q in\n%s", r, history.out)
	}
	// JSON is the answer alone, on standard output.
	var c change
	got := x("apply", writeFile(t, t.TempDir(), "b.yaml", before), "--yes", "-o", "json", "--as", "bob")
	if err := json.Unmarshal([]byte(got.out), &c); err != nil || c.Revision != 3 || !strings.Contains(got.stderr, "weight: 50") {
		t.Errorf("%v %+v %s", err, c, got.stderr)
	}
	if r := row(x("history").out, "3"); !strings.Contains(r, " bob api ") {
		t.Errorf("%q", r)
	}
}

func TestOfTwoEditorsTheLaterOneHears(t *testing.T) {
	addr, dir := adminPort(t)
	x, file := experimentsAt(t, addr), filepath.Join(dir, "experiments.yaml")
	got := x("get")
	if got.out != contentOf(t, file) || got.code != 0 {
		t.Errorf("%+v", got)
	}
	etag := strings.TrimSpace(strings.TrimPrefix(got.stderr, "ETag: "))
	mine := writeFile(t, t.TempDir(), "mine.yaml", got.out+"# mine\n")
	theirs := writeFile(t, t.TempDir(), "theirs.yaml", got.out+"# theirs\n")
	x("apply", theirs, "--yes", "--as", "zoe").wants(t, 0, "revision 2 serves", "")
	x("apply", mine, "--yes", "--if-match", etag).wants(t, 1, "", "it was changed by zoe (api, revision 2)")
	if !strings.HasSuffix(contentOf(t, file), "# theirs\n") {
		t.Error("the later edit came through")
	}
	x("apply", mine, "--yes", "--if-match", "*").wants(t, 0, "revision 3 serves", "")
	var c abtest.Config
	if err := json.Unmarshal([]byte(x("get", "-o", "json").out), &c); err != nil || len(c.Experiments) != 1 {
		t.Errorf("%v %+v", err, c)
	}
}

func TestARefusedFileHasEveryProblemUnderItsOwnName(t *testing.T) {
	addr, dir := adminPort(t)
	x, file := experimentsAt(t, addr), filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	bad := writeFile(t, t.TempDir(), "bad.yaml", strings.Replace(strings.Replace(yamlBefore, "weight: 50", "weight: 40", 1), "fallback: control", "fallback: nobody", 1))
	for _, args := range [][]string{{"apply", bad, "--yes"}, {"diff", bad}, {"preview", bad}} {
		got := x(args...)
		got.wants(t, 1, "", "bad_experiments:\n  "+bad+":5:5: experiments[0].variants: weights add up to 90.00")
		got.wants(t, 1, "", "  "+bad+":8:15: experiments[0].fallback: ")
	}
	if contentOf(t, file) != before {
		t.Error("the file has changed")
	}
}

func TestSetChangesAFewKeys(t *testing.T) {
	addr, dir := adminPort(t)
	x, file := experimentsAt(t, addr), filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	x("set", "risk-gbm", "weight.control=80", "weight.treatment=20", "--dry-run").wants(t, 0, "weight: 80", "")
	x("set", "risk-gbm", "weight.control=80", "weight.treatment=20", "--yes", "-m", "more").wants(t, 0, "revision 2 serves", "")
	// What is not about it stays, comments included.
	after := contentOf(t, file)
	if strings.Replace(strings.Replace(after, "weight: 80", "weight: 50", 1), "weight: 20", "weight: 50", 1) != before {
		t.Errorf("the file is\n%s", after)
	}
	x("set", "risk-gbm", "weight.control=70", "--yes").wants(t, 1, "", "weights add up to 90.00")
	x("set", "risk-gbm", "state=paused", "ramp=50", "--yes").wants(t, 0, "revision 3 serves", "")
	if got := x("list"); row(got.out, "risk-gbm risk paused (50%)") == "" {
		t.Error(got.out)
	}
	x("set", "risk-gbm", "state=", "ramp=", "--yes").wants(t, 0, "revision 4 serves", "")
	if got := x("list"); row(got.out, "risk-gbm risk running control") == "" {
		t.Error(got.out)
	}
	x("set", "risk-gbm", "salt=x").wants(t, 2, "", "no key that can be set")
	// A slip of the keyboard makes nothing new.
	x("set", "risk-gmb", "state=paused", "--yes").wants(t, 1, "", `there is no experiment "risk-gmb" in the file; did you mean "risk-gbm"?`)
	x("set", "risk-gbm", "weight.tratment=0", "--yes").wants(t, 1, "", `experiment "risk-gbm" has no variant "tratment" (it has control, treatment); did you mean "treatment"?`)
}

func TestHoldsAndTheHistoryOfThem(t *testing.T) {
	addr, dir := adminPort(t)
	x, file := experimentsAt(t, addr), filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	got := x("pause", "risk-gbm", "-m", "errors since 14:00")
	if row(got.out, "risk-gbm risk paused") == "" || !strings.Contains(got.out, "held: risk-gbm is paused since ") || !strings.Contains(got.out, "(operator): errors since 14:00\n") {
		t.Errorf("%+v", got)
	}
	x("rollback", "risk-gbm", "treatment", "-m", "complaints").wants(t, 0, "held: risk-gbm has treatment rolled back", "")
	if got := x("resume", "risk-gbm"); row(got.out, "risk-gbm risk running") == "" || strings.Contains(got.out, "held:") {
		t.Errorf("%+v", got)
	}
	history := x("history")
	for _, want := range []string{"operator pause in risk-gbm errors since 14:00", "operator rollback of treatment in risk-gbm complaints", "operator end of pause in risk-gbm"} {
		if !strings.Contains(strings.Join(strings.Fields(history.out), " "), want) {
			t.Errorf("lacks %q:\n%s", want, history.out)
		}
	}
	if contentOf(t, file) != before {
		t.Error("a hold changed the file")
	}
	x("pause", "nope").wants(t, 1, "", "(unknown_experiment)")
	x("rollback", "risk-gbm", "control").wants(t, 1, "", "pause the experiment instead")
	x("rollback", "risk-gbm").wants(t, 2, "", "experiments rollback takes NAME VARIANT, not 1 argument")
}

func TestHistoryAndRestore(t *testing.T) {
	addr, dir := adminPort(t)
	x, file := experimentsAt(t, addr), filepath.Join(dir, "experiments.yaml")
	before := contentOf(t, file)
	x("set", "risk-gbm", "state=stopped", "--yes").wants(t, 0, "revision 2 serves", "")
	if got := x("history", "1"); got.out != before || !strings.HasPrefix(got.stderr, "revision 1, ") {
		t.Errorf("%+v", got)
	}
	x("history", "2", "--diff").wants(t, 0, "-    state: running\n+    state: stopped\n", "revision 2, ")
	var r experiments.RevisionText
	if err := json.Unmarshal([]byte(x("history", "2", "-o", "json").out), &r); err != nil || r.Number != 2 || r.Text != contentOf(t, file) {
		t.Errorf("%v %+v", err, r)
	}
	x("restore", "1", "--dry-run").wants(t, 0, "+    state: running\n", "")
	x("restore", "1").wants(t, 2, "+    state: running\n", "add --yes")
	x("restore", "1", "--yes").wants(t, 0, "revision 3 serves", "")
	if contentOf(t, file) != before {
		t.Error("the file is not as it was")
	}
	x("restore", "99", "--yes").wants(t, 1, "", "(unknown_revision)")
	x("restore", "x").wants(t, 2, "", `"x" is no revision`)
	x("history", "0").wants(t, 2, "", `"0" is no revision`)
	x("history", "--diff").wants(t, 2, "", "--diff needs a REVISION")
}

func TestLintDiffAndPreviewOfWhatServes(t *testing.T) {
	addr, dir := adminPort(t)
	x := experimentsAt(t, addr)
	x("lint").wants(t, 0, "nothing to say\n", "")
	mine := writeFile(t, t.TempDir(), "mine.yaml", strings.Replace(contentOf(t, filepath.Join(dir, "experiments.yaml")), "state: running", "state: stopped", 1))
	got := x("diff", mine)
	got.wants(t, 0, "-    state: running\n+    state: stopped\n", "")
	got.wants(t, 0, "experiments[0].state: info: was running, is stopped (state_changed)", "")
	list := writeFile(t, t.TempDir(), "ids.txt", "user-1\nuser-2\nuser-7\n")
	got = x("preview", mine, "--users", list, "--samples", "1", "--attr", "country=de")
	got.wants(t, 0, "3 of 3 assignments of the given users move (100%)", "")
	got.wants(t, 0, "no experiment: risk (current)", "")
	x("preview", mine, "--attr", "country=de").wants(t, 2, "", "--attr is of the users")
	x("preview", mine, "--users", list, "--attr", "country").wants(t, 2, "", "is not name=value")
}

func TestAssignOfManyUsers(t *testing.T) {
	addr, dir := adminPort(t)
	x := experimentsAt(t, addr)
	withPayload := strings.Replace(contentOf(t, filepath.Join(dir, "experiments.yaml")), "weight: 50, version: 2}", "weight: 50, version: 2, payload: {threshold: 0.7}}", 1)
	x("apply", writeFile(t, t.TempDir(), "p.yaml", withPayload), "--yes").wants(t, 0, "revision 2 serves", "")
	x("assign", "--user", "user-7").wants(t, 0, `{"threshold":0.7}`, "")
	list := writeFile(t, t.TempDir(), "ids.txt", "user-7\nuser-42\n")
	got := x("assign", "--experiment", "risk-gbm", "--users", list)
	if row(got.out, "user-7 risk-gbm treatment override", `{"threshold":0.7}`) == "" || row(got.out, "user-42 risk-gbm control split") == "" {
		t.Errorf("%+v", got)
	}
	var all []shownAssignment
	if err := json.Unmarshal([]byte(x("assign", "--users", list, "-o", "json").out), &all); err != nil || len(all) != 2 || string(all[0].Payload) == "" {
		t.Errorf("%v %+v", err, all)
	}
	x("assign", "--experiment", "nope", "--user", "u").wants(t, 1, "", `no experiment "nope" serves`)
	x("assign", "--user", "u", "--users", list).wants(t, 2, "", "none of the others can be")
	many := writeFile(t, t.TempDir(), "many.txt", strings.Repeat("u\n", maxAssignUsers+1))
	x("assign", "--users", many).wants(t, 2, "", "at most 1000 are asked about")
}

func TestNarrowLeavesWhatOneExperimentSays(t *testing.T) {
	s := shownAssignment{Assignment: admin.Assignment{Experiment: "a", Variant: "x", Reason: "split", ServedModel: "m", ServedVersion: 1, Shadows: []string{"s"},
		Considered: []admin.Considered{{Experiment: "a", Variant: "x", Reason: "split"}, {Experiment: "b", Variant: "y", Reason: "split"}}}}
	same := s
	same.narrow("a")
	if same.ServedModel != "m" || len(same.Shadows) != 1 || len(same.Considered) != 1 {
		t.Errorf("%+v", same)
	}
	s.narrow("b")
	if s.Experiment != "b" || s.Variant != "y" || s.ServedModel != "" || s.Shadows != nil || len(s.Considered) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestReportOfARunningGateway(t *testing.T) {
	addr, _ := adminPort(t)
	x := experimentsAt(t, addr)
	x("report").wants(t, 0, "risk-gbm: model risk, running; ", "")
	var one readout.Report
	if err := json.Unmarshal([]byte(x("report", "risk-gbm", "-o", "json").out), &one); err != nil || one.Exposures != 3 {
		t.Errorf("%v %+v", err, one)
	}
	x("report", "nope").wants(t, 1, "", "(unknown_experiment)")

	// Watching goes on until it is interrupted, and writes the page anew each time.
	page := filepath.Join(t.TempDir(), "report.html")
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	var out, stderr strings.Builder
	code := run(ctx, []string{"experiments", "report", "--watch", "--interval", "1s", "--html", page, "--admin", addr}, nil, strings.NewReader(""), &out, &stderr)
	if n := strings.Count(out.String(), "risk-gbm: model risk"); code != 0 || n != 2 || strings.Count(stderr.String(), "written to "+page) != 2 {
		t.Errorf("exit %d, shown %d times\n%s%s", code, n, out.String(), stderr.String())
	}
}
