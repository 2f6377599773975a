package admin

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hotpath/models/repository"
)

// acceptLoader stands for the loading into ONNX Runtime.
type acceptLoader struct{}

func (acceptLoader) Load(context.Context, repository.Candidate) (repository.Served, error) {
	return acceptLoader{}, nil
}
func (acceptLoader) Close() {}

// TestARealRepository takes a version through its life over HTTP.
func TestARealRepository(t *testing.T) {
	p := newPort(t)
	dir := t.TempDir()
	put := func(version string, model []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "echo", version), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "echo", version, "model.onnx"), model, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good, err := os.ReadFile("../../../../models/testdata/fixtures/echo/1/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	put("1", good)
	put("2", good)
	repo, err := repository.Open(repository.DefaultOptions(dir), acceptLoader{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := repo.Close(ctx); err != nil {
			t.Error(err)
		}
		p.handler.(*handler).o.Repository = repo
		p.refused(p.do("POST", "/admin/models/echo/load?version=1", ""), 503, "closed")
	}()
	p.handler.(*handler).o.Repository = repo
	<-repo.Started()

	current := func(target string, want int) {
		t.Helper()
		if m := decode[repository.ModelStatus](p, p.do("POST", "/admin/models/echo"+target, "")); m.Current != want {
			t.Errorf("%s: %+v", target, m)
		}
	}
	current("/rollback", 1)
	p.refused(p.do("POST", "/admin/models/echo/rollback", ""), 409, "conflict")
	current("/promote?version=2", 2)
	p.refused(p.do("POST", "/admin/models/echo/promote?version=9", ""), 404, "unknown_version")
	labelled := func(method, target string, want ...repository.Label) {
		t.Helper()
		if m := decode[repository.ModelStatus](p, p.do(method, "/admin/models/echo/labels/"+target, "")); !slices.Equal(m.Labels, want) {
			t.Errorf("%s %s: %+v, want %+v", method, target, m.Labels, want)
		}
	}
	labelled("PUT", "stable?version=1", repository.Label{Label: "stable", Version: 1, Wanted: 1, Set: true})
	labelled("PUT", "stable?version=2", repository.Label{Label: "stable", Version: 2, Wanted: 2, Set: true})
	labelled("DELETE", "stable")
	p.refused(p.do("DELETE", "/admin/models/echo/labels/stable", ""), 404, "unknown_label")
	p.refused(p.do("PUT", "/admin/models/echo/labels/7?version=1", ""), 400, "bad_request")
	p.refused(p.do("PUT", "/admin/models/echo/labels/stable?version=9", ""), 404, "unknown_version")
	put("3", []byte("no model at all"))
	p.refused(p.do("POST", "/admin/models/echo/load?version=3", ""), 422, "bad_model")
	p.refused(p.do("POST", "/admin/models/echo/unload?version=2", ""), 409, "conflict")
	p.refused(p.do("POST", "/admin/models/..%2F..%2Fetc/load", ""), 400, "bad_request")
	p.refused(p.do("POST", "/admin/models/nope/unload", ""), 404, "unknown_model")
	current("/unload", 0)
	s := decode[repository.Status](p, p.do("GET", "/admin/models", ""))
	if m, ok := s.Model("echo"); !ok || !m.Unloaded || len(m.Versions) != 3 || m.Versions[2].Reason == "" {
		t.Errorf("%+v", s)
	}
}
