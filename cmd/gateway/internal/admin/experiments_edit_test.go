package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
)

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
	if d := p.refused(w, 422, "bad_experiments"); len(d.Problems) != 2 || !strings.Contains(d.Message, "did you mean model?") || !strings.Contains(d.Message, "add up to 101.00") {
		t.Errorf("%+v", d.Problems)
	}
	if p.text() != served {
		t.Error("something changed")
	}
}

// An edit that names a version which cannot be loaded is a wrong edit: it is refused
// as one, with the place, and not as if the request had named the version.
func TestAnEditThatNamesAMissingVersion(t *testing.T) {
	place := strictyaml.Problems{{File: "e.yaml", Line: 5, Column: 7, Path: "experiments[0].variants[0].version", Message: "is not loaded"}}
	f := failureOf(&experiments.Error{Code: experiments.CodeBadExperiments,
		Err: errors.Join(place, &repository.Error{Code: repository.CodeUnknownVersion, Model: "risk", Version: 9, Reason: "is not there"})})
	if f.status != 422 || f.code != "bad_experiments" || len(f.problems) != 2 || f.problems[0] != place[0] ||
		f.problems[1].Message != `model "risk" version 9: is not there` {
		t.Errorf("%d %s %+v", f.status, f.code, f.problems)
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
