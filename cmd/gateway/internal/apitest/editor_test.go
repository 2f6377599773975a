package apitest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/strictyaml"
)

// fakeEditor stands for an *experiments.Keeper: everything ends in err.
type fakeEditor struct {
	err    error
	before func()
}

var heldTreatment = experiments.Held{Hold: abtest.Hold{Experiment: "adults", Variant: "b"}, Who: "guardrail", Via: experiments.ViaGuardrail, At: time.Now(), Text: "error_rate"}

func (f *fakeEditor) outcome() (*experiments.Outcome, error) {
	f.before()
	now := time.Now()
	place := abtest.Place{Experiment: "adults", Variant: "a", Model: "risk", Version: 2}
	return &experiments.Outcome{Revision: 3, ETag: strings.Repeat("0a", 16), Digest: "ab", Diff: "--- a\n", Added: 1, Warning: "late",
		Findings:  []experiments.Finding{{Finding: abtest.Finding{Path: "experiments[0]", Severity: abtest.Warning, Code: "weights_move", Message: "moves"}, Line: 3, Column: 1}},
		NotLoaded: []experiments.NotLoaded{{Model: "risk", Version: 3}},
		Preview: &experiments.Preview{Requests: 2, Moved: 1, Source: experiments.SourceTraffic, From: &now, To: &now, At: now, OmittedFlows: 1,
			Models: []experiments.ModelPreview{{Model: "risk", Requests: 2, Moved: 1}},
			Flows: []abtest.Flow{{From: place, To: abtest.Place{Model: "risk", Label: "stable"}, Requests: 1, Samples: []abtest.Sample{{User: "u", Before: abtest.ReasonSplit}}},
				{From: place, To: place, Requests: 1, Samples: []abtest.Sample{}}}}}, f.err
}

func (f *fakeEditor) Document() (*experiments.Document, error) {
	f.before()
	return &experiments.Document{Text: []byte("experiments: []\n"), ETag: strings.Repeat("0a", 16), Revision: 3, ReadOnly: errors.New("a ConfigMap"), Stored: true}, f.err
}

func (f *fakeEditor) Save(context.Context, []byte, experiments.Edit) (*experiments.Outcome, error) {
	return f.outcome()
}

func (f *fakeEditor) Replace(context.Context, []byte, experiments.Edit) (*experiments.Outcome, error) {
	return f.outcome()
}

func (f *fakeEditor) Patch(context.Context, []byte, experiments.Edit) (*experiments.Outcome, error) {
	return f.outcome()
}

func (f *fakeEditor) Restore(context.Context, int, experiments.Edit) (*experiments.Outcome, error) {
	return f.outcome()
}

func (f *fakeEditor) Check(context.Context, []byte, experiments.Subjects) (*experiments.Outcome, error) {
	out, err := f.outcome()
	out.DryRun, out.Revision = true, 0
	return out, err
}

func (f *fakeEditor) Lint(context.Context) ([]experiments.Finding, error) {
	out, err := f.outcome()
	return out.Findings, err
}

func (f *fakeEditor) revision() experiments.Revision {
	return experiments.Revision{Number: 3, At: time.Now(), Who: "alice", Via: experiments.ViaAPI, Message: "why", ETag: "ab", Digest: "cd", Added: 1, Bytes: 2}
}

func (f *fakeEditor) History() []experiments.Revision {
	f.before()
	held := f.revision()
	held.Via, held.Hold, held.Released = experiments.ViaOperator, &heldTreatment.Hold, true
	return []experiments.Revision{held, f.revision()}
}

func (f *fakeEditor) Revision(int) (*experiments.RevisionText, error) {
	f.before()
	return &experiments.RevisionText{Revision: f.revision(), Text: "experiments: []\n", Diff: ""}, f.err
}

func (f *fakeEditor) Holds() []experiments.Held { return []experiments.Held{heldTreatment} }

func (f *fakeEditor) Hold(context.Context, abtest.Hold, experiments.Author) error {
	f.before()
	return f.err
}

func (f *fakeEditor) Release(context.Context, string, experiments.Author) (int, error) {
	f.before()
	return 1, f.err
}

func (p *adminPort) report(name string) (*readout.Report, bool) {
	p.fail()
	return &readout.Report{Experiment: name, Model: "risk", State: "running", Control: "a", Unit: "user"}, name == "adults"
}

// refusals are the editor's errors by their status.
var refusals = map[int]error{
	404: &experiments.Error{Code: experiments.CodeUnknownRevision, Err: errors.New("because")},
	409: &experiments.Error{Code: experiments.CodeReadOnly, Err: errors.New("because")},
	412: &experiments.Error{Code: experiments.CodePrecondition, Err: errors.New("because"), ETag: strings.Repeat("0b", 16)},
	422: &experiments.Error{Code: experiments.CodeBadExperiments, Err: strictyaml.Problems{{File: "e.yaml", Line: 3, Column: 1, Path: "experiments[0]", Message: "is wrong"}}},
	428: &experiments.Error{Code: experiments.CodeNoPrecondition, Err: errors.New("because"), ETag: strings.Repeat("0b", 16)},
	500: errors.New("a bug"),
	503: &experiments.Error{Code: experiments.CodeStorage, Err: errors.New("because")},
	504: &experiments.Error{Code: experiments.CodeDeadline, Err: errors.New("because")},
}

// refuse sends a request once for each of the editor's errors.
func (p *adminPort) refuse(t *testing.T, template, method, target, body string, statuses []int, headers ...string) {
	t.Helper()
	for _, status := range statuses {
		p.editor.err = refusals[status]
		p.send(t, method, template, method, target, body, status, headers...)
	}
	p.editor.err = nil
}

func (p *adminPort) edits(t *testing.T) {
	const all = "/admin/experiments"
	p.send(t, "GET", all, "GET", all+"?nonsense=1", "", 400)
	p.send(t, "GET", all, "DELETE", all, "", 405)
	p.panics = true
	p.send(t, "GET", all, "GET", all, "", 500)
	p.panics = false
	p.send(t, "GET", all, "GET", all, "", 200, "Accept", "application/yaml")
	p.send(t, "GET", all, "GET", all+"?format=json", "", 200)
	p.refuse(t, all, "GET", all+"?format=yaml", "", []int{409, 500, 503})
	for method, kind := range map[string]string{"PUT": "application/yaml", "PATCH": "application/merge-patch+json"} {
		body := map[string]string{"PUT": "experiments: []\n", "PATCH": "{}"}[method]
		sent := []string{"Content-Type", kind, "If-Match", `"ab"`, "X-Actor", "alice"}
		p.send(t, method, all, method, all+"?message=why&dry_run=false", body, 200, sent...)
		p.send(t, method, all, method, all+"?actor=alice", "{}", 200, "Content-Type", "application/json", "If-Match", "*")
		p.send(t, method, all, method, all+"?nonsense=1", body, 400, sent...)
		p.send(t, method, all, method, all, body, 403, "Sec-Fetch-Site", "cross-site")
		p.send(t, method, all, "DELETE", all, "", 405)
		p.send(t, method, all, method, all, strings.Repeat("#", strictyaml.MaxBytes+1), 413, sent...)
		p.send(t, method, all, method, all, body, 415, "Content-Type", "text/plain")
		p.refuse(t, all, method, all, body, []int{409, 412, 422, 428, 500, 503, 504}, sent...)
	}
	p.checks(t)
	p.histories(t)
	for verb, query := range map[string]string{"pause": "?message=why", "resume": "?actor=alice", "rollback": "?variant=b"} {
		template, path := all+"/{experiment}/"+verb, all+"/adults/"+verb
		p.send(t, "POST", template, "POST", path+query, "", 200)
		p.operation(t, template, path)
		p.refuse(t, template, "POST", path+query, "", []int{404, 409, 500, 503, 504})
	}
	const report = all + "/{experiment}/report"
	p.send(t, "GET", all+"/report", "GET", all+"/report", "", 200)
	p.page(t, all+"/report", all+"/report", "")
	p.send(t, "GET", report, "GET", all+"/adults/report", "", 200)
	p.send(t, "GET", report, "GET", all+"/absent/report", "", 404)
	p.page(t, report, all+"/adults/report", "")
}

func (p *adminPort) checks(t *testing.T) {
	const check, lint = "/admin/experiments/check", "/admin/experiments/lint"
	sent := []string{"Content-Type", "application/json"}
	body := `{"text":"experiments: []","users":["u"],"model":"risk","entities":{"session":"s"},"context":{"age":18,"beta":true},"samples":0}`
	p.send(t, "POST", check, "POST", check, body, 200, sent...)
	p.send(t, "POST", check, "POST", check, "{", 400, sent...)
	p.send(t, "POST", check, "POST", check, body, 403, "Sec-Fetch-Site", "cross-site")
	p.send(t, "POST", check, "PUT", check, "", 405)
	p.send(t, "POST", check, "POST", check, strings.Repeat(" ", 2*strictyaml.MaxBytes+1), 413, sent...)
	p.send(t, "POST", check, "POST", check, body, 415, "Content-Type", "text/plain")
	p.refuse(t, check, "POST", check, body, []int{409, 422, 500, 503, 504}, sent...)
	p.send(t, "GET", lint, "GET", lint, "", 200)
	p.page(t, lint, lint, "")
	p.refuse(t, lint, "GET", lint, "", []int{409, 504})
}

func (p *adminPort) histories(t *testing.T) {
	const list, one, restore = "/admin/experiments/history", "/admin/experiments/history/{revision}", "/admin/experiments/restore"
	p.send(t, "GET", list, "GET", list, "", 200)
	p.page(t, list, list, "")
	p.send(t, "GET", one, "GET", list+"/3", "", 200)
	p.page(t, one, list+"/3", "")
	p.refuse(t, one, "GET", list+"/3", "", []int{404, 503})
	p.send(t, "POST", restore, "POST", restore+"?revision=3&dry_run=true", "", 200, "If-Match", `"ab"`)
	p.operation(t, restore, restore)
	p.refuse(t, restore, "POST", restore+"?revision=3", "", []int{404, 409, 412, 422, 428, 500, 503, 504}, "If-Match", `"ab"`)
}
