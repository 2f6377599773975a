package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/cmd/gateway/internal/serving"
)

// anyWorld serves every plan at once.
type anyWorld struct {
	mu   sync.Mutex
	plan *abtest.Plan
}

func (w *anyWorld) SetPlan(p *abtest.Plan) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan = p
	return nil
}

func (w *anyWorld) KeepPlan() {}

func (w *anyWorld) State() serving.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return serving.State{Started: true, Plan: w.plan}
}

func (w *anyWorld) Missing(*abtest.Plan) []serving.Ref { return nil }

// served is the file of an editing port.
const served = `experiments:
  - name: e # the one
    model: risk
    variants:
      - {name: a, weight: 50}
      - {name: b, weight: 50}
`

// keeperOf is a real keeper of a file.
func keeperOf(t *testing.T, text string) (k *experiments.Keeper, w *anyWorld, file string) {
	t.Helper()
	dir := t.TempDir()
	file, w = filepath.Join(dir, "experiments.yaml"), &anyWorld{}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	k, err := experiments.Open(experiments.Options{File: file, DataDir: filepath.Join(dir, "data"), ReloadInterval: time.Second, World: w,
		Load: func(context.Context, string, int) error { return errors.New("no") }, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return k, w, file
}

// editing is a port whose experiments can be edited.
type editing struct {
	*port
	file string
}

func newEditing(t *testing.T) *editing {
	t.Helper()
	p := &editing{port: newPort(t)}
	k, w, file := keeperOf(t, served)
	p.file = file
	p.options.Editor = k
	p.options.Experiments = func() Experiments { return Experiments{Plan: w.State().Plan, File: file, DefaultModel: "risk"} }
	p.options.Reload = func(ctx context.Context) error { return k.Reload(ctx, true) }
	p.options.Report = func(name string) (*readout.Report, bool) {
		return &readout.Report{Experiment: name, Model: "risk"}, name == "e" || name == "history"
	}
	p.options.Reports = func() []*readout.Report { return nil }
	p.handler = New(p.options)
	return p
}

func (p *editing) etag() string {
	p.t.Helper()
	return p.do("GET", "/admin/experiments", "").Header().Get("ETag")
}

func (p *editing) text() string {
	p.t.Helper()
	data, err := os.ReadFile(p.file)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// outcome is an experiments.Outcome as it is read: severities and reasons are words.
type outcome struct {
	experiments.Outcome
	Findings []struct {
		Severity, Code, Path, Message string
		Line, Column                  int
	} `json:"findings"`
	Preview *preview `json:"preview"`
}

type preview struct {
	experiments.Preview
	Flows []struct {
		From, To abtest.Place
		Requests int
		Samples  []struct{ User, Before, After string }
	} `json:"flows"`
}

func weights(a, b int) string {
	return strings.NewReplacer("a, weight: 50", fmt.Sprintf("a, weight: %d", a), "b, weight: 50", fmt.Sprintf("b, weight: %d", b)).Replace(served)
}

func TestTheFileIsGivenWithItsETag(t *testing.T) {
	p := newEditing(t)
	w := p.do("GET", "/admin/experiments", "")
	etag := w.Header().Get("ETag")
	l := decode[ExperimentList](p.port, w)
	if etag != `"`+l.ETag+`"` || len(l.ETag) != 32 || l.Revision != 1 || !l.Writable || l.ReadOnly != "" || !l.HistoryStored || l.Holds == nil || l.List[0].Name != "e" {
		t.Errorf("%s %+v", etag, l)
	}
	for _, headers := range [][]string{{"Accept", "application/yaml"}, {"Accept", "application/yaml;q=0.9, */*"}} {
		if w := p.do("GET", "/admin/experiments", "", headers...); w.Body.String() != served || w.Header().Get("ETag") != etag || w.Header().Get("Content-Type") != "application/yaml" {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
	}
	if w := p.do("GET", "/admin/experiments?format=yaml", "", "Accept", "application/json"); w.Body.String() != served {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := p.do("GET", "/admin/experiments?format=json", "", "Accept", "application/yaml"); !json.Valid(w.Body.Bytes()) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	p.refused(p.do("GET", "/admin/experiments?format=toml", ""), 400, "bad_request")
	if err := os.Chmod(p.file, 0o444); err != nil {
		t.Fatal(err)
	}
	if l := decode[ExperimentList](p.port, p.do("GET", "/admin/experiments", "")); l.Writable || !strings.Contains(l.ReadOnly, "read-only") {
		t.Errorf("%+v", l)
	}
	p.refused(p.do("PUT", "/admin/experiments", weights(80, 20), "If-Match", etag), 409, "read_only")
}

func TestPutMakesARevision(t *testing.T) {
	p := newEditing(t)
	before := p.etag()
	w := p.do("PUT", "/admin/experiments?message=more+of+a", weights(80, 20), "If-Match", before, "Content-Type", "application/yaml; charset=utf-8", "X-Actor", "alice")
	etag := w.Header().Get("ETag")
	out := decode[outcome](p.port, w)
	if out.Revision != 2 || etag != `"`+out.ETag+`"` || etag == before || p.text() != weights(80, 20) || out.Added != 2 || out.Preview == nil {
		t.Errorf("%+v", out)
	}
	all := decode[[]experiments.Revision](p.port, p.do("GET", "/admin/experiments/history", ""))
	if len(all) != 2 || all[0].Who != "alice" || all[0].Message != "more of a" || all[0].Via != experiments.ViaAPI {
		t.Errorf("%+v", all)
	}
	// JSON says the same without the comments, which stay.
	document := `{"experiments":[{"name":"e","model":"risk","variants":[{"name":"a","weight":30},{"name":"b","weight":70}]}]}`
	w = p.do("PUT", "/admin/experiments", document, "If-Match", "*", "Content-Type", "application/json")
	if out := decode[outcome](p.port, w); out.Revision != 3 || p.text() != weights(30, 70) {
		t.Errorf("%+v\n%s", out, p.text())
	}
	if all := p.history(); !strings.HasPrefix(all[0].Who, "admin API from 192.0.2.1") {
		t.Errorf("%+v", all[0])
	}
	// A dry run needs no precondition, and changes nothing.
	w = p.do("PUT", "/admin/experiments?dry_run=true", served)
	if out := decode[outcome](p.port, w); !out.DryRun || out.Diff == "" || out.Revision != 0 || w.Header().Get("ETag") != "" || p.text() != weights(30, 70) {
		t.Errorf("%+v", out)
	}
	w = p.do("PUT", "/admin/experiments?dry_run=true", served, "If-Match", before)
	p.refused(w, 412, "precondition_failed")
}

func (p *editing) history() []experiments.Revision {
	p.t.Helper()
	return decode[[]experiments.Revision](p.port, p.do("GET", "/admin/experiments/history", ""))
}

func TestOfTwoEditorsOneIsTold(t *testing.T) {
	p := newEditing(t)
	etag := p.etag()
	codes := make(chan *httptest.ResponseRecorder, 2)
	for i, who := range []string{"alice", "bob"} {
		go func() {
			codes <- p.do("PUT", "/admin/experiments", weights(60+i, 40-i), "If-Match", etag, "X-Actor", who)
		}()
	}
	one, two := <-codes, <-codes
	if one.Code != 200 {
		one, two = two, one
	}
	out := decode[outcome](p.port, one)
	winner := p.history()[0].Who
	d := p.refused(two, 412, "precondition_failed")
	if !strings.Contains(d.Message, winner) || !strings.Contains(d.Message, out.ETag) || two.Header().Get("ETag") != `"`+out.ETag+`"` {
		t.Errorf("%q %s", d.Message, two.Header().Get("ETag"))
	}
	if len(p.history()) != 2 || experiments.ETag([]byte(p.text())) != out.ETag {
		t.Error("the winner's edit is lost")
	}
}

func TestABrokenEditHasAllProblems(t *testing.T) {
	p := newEditing(t)
	etag := p.etag()
	for _, target := range []string{"/admin/experiments", "/admin/experiments?dry_run=true"} {
		w := p.do("PUT", target, weights(80, 30)+"  - {name: x, model: risk, state: off, variants: []}\n", "If-Match", etag)
		d := p.refused(w, 422, "bad_experiments")
		if len(d.Problems) != 3 || d.Problems[0].Line != 4 || d.Problems[1].Path != "experiments[1].state" || d.Problems[2].Line == 0 {
			t.Errorf("%+v", d.Problems)
		}
	}
	w := p.do("PATCH", "/admin/experiments", `{"experiments":{"e":{"variants":{"a":{"weight":51}},"modle":"x"}}}`, "If-Match", etag)
	if d := p.refused(w, 422, "bad_experiments"); len(d.Problems) != 1 || !strings.Contains(d.Message, "did you mean model?") {
		t.Errorf("%+v", d.Problems)
	}
	if p.text() != served {
		t.Error("something changed")
	}
}

// Many patch at once, and repeat what came too late: every edit is there in the end.
func TestAStormOfPatches(t *testing.T) {
	p := newEditing(t)
	const editors, each = 6, 3
	var wg sync.WaitGroup
	for i := range editors {
		wg.Go(func() {
			for j := range each {
				for {
					patch := fmt.Sprintf(`{"experiments":{"e-%d-%d":{"model":"m%d","variants":{"a":{"weight":100}}}}}`, i, j, i)
					w := p.do("PATCH", "/admin/experiments", patch, "If-Match", p.etag(), "Content-Type", "application/merge-patch+json")
					if w.Code == 200 {
						break
					}
					if w.Code != 412 {
						t.Errorf("%d %s", w.Code, w.Body)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	l := decode[ExperimentList](p.port, p.do("GET", "/admin/experiments", ""))
	if len(l.List) != editors*each+1 || !strings.Contains(p.text(), "name: e # the one") {
		t.Errorf("%d experiments\n%s", len(l.List), p.text())
	}
	if n := len(p.history()); n != editors*each+1 {
		t.Errorf("%d revisions", n)
	}
}

func TestHistoryAndRestore(t *testing.T) {
	p := newEditing(t)
	p.do("PUT", "/admin/experiments", weights(80, 20), "If-Match", "*")
	one := decode[experiments.RevisionText](p.port, p.do("GET", "/admin/experiments/history/2", ""))
	if one.Number != 2 || one.Text != weights(80, 20) || !strings.Contains(one.Diff, "@@") {
		t.Errorf("%+v", one)
	}
	stale := `"` + experiments.ETag([]byte(served)) + `"`
	p.refused(p.do("POST", "/admin/experiments/restore?revision=1", "", "If-Match", stale), 412, "precondition_failed")
	p.refused(p.do("POST", "/admin/experiments/restore?revision=1", ""), 428, "precondition_required")
	out := decode[outcome](p.port, p.do("POST", "/admin/experiments/restore?revision=1&actor=carol", "", "If-Match", p.etag()))
	if out.Revision != 3 || p.text() != served {
		t.Errorf("%+v", out)
	}
	if r := p.history()[0]; r.Via != experiments.ViaRestore || r.Who != "carol" || r.Message != "revision 1" {
		t.Errorf("%+v", r)
	}
	p.refused(p.do("POST", "/admin/experiments/restore?revision=77", "", "If-Match", "*"), 404, "unknown_revision")
	p.refused(p.do("GET", "/admin/experiments/history/77", ""), 404, "unknown_revision")
}

func TestCheckTellsWhoMoves(t *testing.T) {
	p := newEditing(t)
	ask := func(more string) outcome {
		t.Helper()
		text, err := json.Marshal(weights(10, 90))
		if err != nil {
			t.Fatal(err)
		}
		return decode[outcome](p.port, p.do("POST", "/admin/experiments/check", `{"text":`+string(text)+more+`}`, "Content-Type", "application/json"))
	}
	users := `,"users":["u0"`
	for i := range 199 {
		users += fmt.Sprintf(`,"u%d"`, i+1)
	}
	out := ask(users + "]")
	if p := out.Preview; p.Requests != 200 || p.Moved < 50 || p.Moved > 110 || len(p.Flows[0].Samples) != 3 || p.Source != "ids" || !out.DryRun {
		t.Errorf("%+v", p)
	}
	if out := ask(users + `],"model":"risk","entities":{"session":"s"},"context":{"age":18,"country":"de","beta":true},"samples":0`); out.Preview.Requests != 200 || len(out.Preview.Flows[0].Samples) != 0 {
		t.Errorf("%+v", out.Preview)
	}
	if out := ask(""); out.Preview.Source != "traffic" || out.Preview.Requests != 0 || len(out.Findings) != 2 || out.Findings[1].Line != 4 {
		t.Errorf("%+v", out)
	}
	if p.text() != served {
		t.Error("a check changed the file")
	}
}

func TestHoldsOfOperators(t *testing.T) {
	p := newEditing(t)
	l := decode[ExperimentList](p.port, p.do("POST", "/admin/experiments/e/rollback?variant=b&message=complaints", "", "X-Actor", "dave"))
	if len(l.Holds) != 1 || l.Holds[0].Who != "dave" || l.Holds[0].Variant != "b" || l.Holds[0].Text != "complaints" || l.List[0].Variants[1].Weight != 0 {
		t.Errorf("%+v", l)
	}
	if l := decode[ExperimentList](p.port, p.do("POST", "/admin/experiments/e/pause", "")); l.List[0].State != "paused" || len(l.Holds) != 2 {
		t.Errorf("%+v", l)
	}
	if l := decode[ExperimentList](p.port, p.do("POST", "/admin/experiments/e/resume?message=fixed", "")); l.List[0].State != "running" || len(l.Holds) != 0 || l.List[0].Variants[1].Weight != 50 {
		t.Errorf("%+v", l)
	}
	p.refused(p.do("POST", "/admin/experiments/absent/pause", ""), 404, "unknown_experiment")
	p.refused(p.do("POST", "/admin/experiments/absent/resume", ""), 404, "unknown_experiment")
	p.refused(p.do("POST", "/admin/experiments/e/rollback?variant=absent", ""), 404, "unknown_variant")
	p.refused(p.do("POST", "/admin/experiments/e/rollback?variant=a", ""), 409, "conflict")
	p.refused(p.do("POST", "/admin/experiments/e/rollback", ""), 400, "bad_request")
	p.refused(p.do("POST", "/admin/experiments/e/pause", "now"), 400, "bad_request")
}

func TestReportsAndFindings(t *testing.T) {
	p := newEditing(t)
	if r := decode[readout.Report](p.port, p.do("GET", "/admin/experiments/e/report", "")); r.Experiment != "e" {
		t.Errorf("%+v", r)
	}
	if r := decode[readout.Report](p.port, p.do("GET", "/admin/experiments/history/report", "")); r.Experiment != "history" {
		t.Errorf("an experiment may be called history: %+v", r)
	}
	p.refused(p.do("GET", "/admin/experiments/absent/report", ""), 404, "unknown_experiment")
	p.refused(p.do("GET", "/admin/experiments/e/reprot", ""), 404, "not_found")
	if w := p.do("GET", "/admin/experiments/report", ""); w.Body.String() != "[]\n" {
		t.Errorf("%s", w.Body)
	}
	if l := decode[struct{ Findings []map[string]any }](p.port, p.do("GET", "/admin/experiments/lint", "")); l.Findings == nil {
		t.Errorf("%+v", l)
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	p := newEditing(t)
	etag := p.etag()
	const put, patch, check = "PUT /admin/experiments", "PATCH /admin/experiments", "POST /admin/experiments/check"
	for _, c := range []struct {
		request, query, body string
		headers              []string
		status               int
		code, message        string
	}{
		{put, "", served, nil, 428, "precondition_required", "If-Match"},
		{put, "", served, []string{"If-Match", strings.Trim(etag, `"`)}, 400, "bad_request", "double quotes"},
		{put, "", served, []string{"If-Match", "W/" + etag}, 400, "bad_request", "double quotes"},
		{put, "", served, []string{"If-Match", etag + ", " + etag}, 400, "bad_request", "one ETag"},
		{put, "", "", []string{"If-Match", etag}, 400, "bad_request", "empty"},
		{put, "", served, []string{"If-Match", etag, "Content-Type", "text/plain"}, 415, "unsupported_media_type", "want application/yaml or application/json"},
		{put, "", served, []string{"If-Match", etag, "Content-Encoding", "gzip"}, 415, "unsupported_media_type", "compressed"},
		{put, "", strings.Repeat("#", 4<<20+1), []string{"If-Match", etag}, 413, "body_too_large", "4194304"},
		{put, "?dryrun=1", served, []string{"If-Match", etag}, 400, "bad_request", "did you mean dry_run?"},
		{put, "?dry_run=maybe", served, []string{"If-Match", etag}, 400, "bad_request", "neither true nor false"},
		{put, "?actor=a", served, []string{"If-Match", etag, "X-Actor", "b"}, 400, "bad_request", "give one"},
		{put, "?actor=" + strings.Repeat("a", 129), served, []string{"If-Match", etag}, 400, "bad_request", "129 bytes"},
		{put, "?message=a%0Ab", served, []string{"If-Match", etag}, 400, "bad_request", "cannot be shown"},
		{put, "?actor=%1B%5B31m", served, []string{"If-Match", etag}, 400, "bad_request", "cannot be shown"},
		{put, "", served, []string{"If-Match", etag, "Sec-Fetch-Site", "cross-site"}, 403, "cross_origin", ""},
		{patch, "", "[]", []string{"If-Match", etag}, 400, "bad_request", "want an object"},
		{patch, "", "{", []string{"If-Match", etag}, 400, "bad_request", "not valid"},
		{patch, "", "a: 1", []string{"If-Match", etag, "Content-Type", "application/yaml"}, 415, "unsupported_media_type", ""},
		{patch, "", "{}", nil, 428, "precondition_required", ""},
		{check, "", "{}", nil, 422, "bad_experiments", "experiments: []"},
		{check, "", `{"txt":""}`, nil, 400, "bad_request", "unknown field"},
		{check, "", `{"text":""} {}`, nil, 400, "bad_request", "something follows"},
		{check, "", `{"text":"","users":[""]}`, nil, 400, "bad_request", "users[0]"},
		{check, "", `{"text":"","model":"risk"}`, nil, 400, "bad_request", "those of users"},
		{check, "", `{"text":"","users":["u"],"context":{"a":[]}}`, nil, 400, "bad_request", "context.a"},
		{check, "", `{"text":"","samples":-1}`, nil, 400, "bad_request", "samples"},
		{check, "?dry_run=true", `{}`, nil, 400, "bad_request", "takes none"},
		{"GET /admin/experiments/history/x", "", "", nil, 400, "bad_request", "want a number"},
		{"GET /admin/experiments/history/01", "", "", nil, 400, "bad_request", "want a number"},
		{"POST /admin/experiments/restore", "", "", []string{"If-Match", etag}, 400, "bad_request", "parameter revision"},
		{"DELETE /admin/experiments", "", "", nil, 405, "method_not_allowed", "takes GET, HEAD, PATCH, PUT"},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		w := p.do(method, target+c.query, c.body, c.headers...)
		if d := p.refused(w, c.status, c.code); !strings.Contains(d.Message, c.message) {
			t.Errorf("%s%s: %q lacks %q", c.request, c.query, d.Message, c.message)
		}
	}
	if p.text() != served || len(p.history()) != 1 {
		t.Error("something changed")
	}
	if !strings.Contains(p.log.String(), "admin operation refused") {
		t.Error("a refused edit leaves no line in the log")
	}
}

func TestWithoutAnExperimentsFile(t *testing.T) {
	p := newPort(t)
	k, err := experiments.Open(experiments.Options{World: &anyWorld{}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	p.options.Editor = k
	p.handler = New(p.options)
	w := p.do("GET", "/admin/experiments", "")
	if l := decode[ExperimentList](p, w); w.Code != http.StatusOK || l.ETag != "" || l.Writable || w.Header().Get("ETag") != "" {
		t.Errorf("%d %+v", w.Code, l)
	}
	p.refused(p.do("GET", "/admin/experiments?format=yaml", ""), 409, "no_experiments_file")
	p.refused(p.do("PUT", "/admin/experiments", served, "If-Match", "*"), 409, "no_experiments_file")
}
