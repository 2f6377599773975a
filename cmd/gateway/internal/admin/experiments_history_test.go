package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/experiments"
)

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
