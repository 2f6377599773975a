package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/cmd/gateway/internal/admin"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
	"hotpath/resilience"
	"hotpath/router/httpapi"
)

// adminPort is a real admin handler over a real repository of the demo models,
// whose loader loads nothing, behind a real socket. It gives its address.
func adminPort(t *testing.T) (addr, dir string) {
	t.Helper()
	dir = demoFiles(t)
	repo, err := repository.Open(repository.DefaultOptions(filepath.Join(dir, "repository")), bindingCheck{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := repo.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	<-repo.Started()
	file := filepath.Join(dir, "experiments.yaml")
	world := newStillWorld(t)
	kept, err := experiments.Open(experiments.Options{File: file, DataDir: filepath.Join(dir, "data"), World: world,
		Load: func(context.Context, string, int) error { return nil }, Rescan: func() {}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	measured := newReadout(t, world.State().Plan)
	server := httptest.NewServer(admin.New(admin.Options{
		Repository: repo, Gatherer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Readiness: func() httpapi.Readiness {
			return httpapi.Readiness{Status: httpapi.StatusReady, Dependencies: map[string]httpapi.Dependency{"models": {Status: "degraded", Detail: "two\nlines"}}}
		},
		Status: func() admin.Status {
			return admin.Status{Version: "v1", Models: []admin.ModelStatus{{Model: "risk", Version: 2, Current: true}}, Features: admin.FeatureStatus{Kind: "refused"}}
		},
		Config: func(io.Writer) error { return nil },
		Reload: func(ctx context.Context) error { return kept.Reload(ctx, true) },
		Experiments: func() admin.Experiments {
			at, err := kept.Last()
			return admin.Experiments{Plan: world.State().Plan, File: file, DefaultModel: "risk", ReloadedAt: at, ReloadErr: err}
		},
		Editor: kept, Report: measured.Report, Reports: measured.Reports,
		Guards:    func() []resilience.State { return []resilience.State{{Name: "features", Breaker: "open"}} },
		GuardHold: func(string, bool) error { return admin.ErrNoGuard },
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), dir
}

// row finds the line of a table that begins with these words.
func row(table string, words ...string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(strings.Join(strings.Fields(line), " "), strings.Join(words, " ")) {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return ""
}

func TestModelsOverTheAdminPort(t *testing.T) {
	addr, _ := adminPort(t)
	models := func(args ...string) result {
		return cli(t, append([]string{"models", "--admin", addr}, args...)...)
	}
	list := models("list")
	if !strings.HasPrefix(row(list.out, "risk", "2"), "risk 2 ready current") || row(list.out, "digits", "1") == "" {
		t.Errorf("%+v", list)
	}
	if one := models("list", "risk"); row(one.out, "risk", "1", "ready", "previous") == "" || row(one.out, "digits") != "" {
		t.Errorf("%+v", one)
	}
	var s repository.Status
	if err := json.Unmarshal([]byte(models("list", "-o", "json").out), &s); err != nil || len(s.Models) != 3 {
		t.Errorf("%v %+v", err, s)
	}
	if got := models("rollback", "risk"); row(got.out, "risk", "1", "ready", "current,", "pinned") == "" || got.code != 0 {
		t.Errorf("%+v", got)
	}
	models("rollback", "risk").wants(t, 1, "", `model "risk": no version to go back to is loaded; promote one by its number (conflict)`)
	if got := models("promote", "risk", "2"); row(got.out, "risk", "2", "ready", "current") == "" {
		t.Errorf("%+v", got)
	}
	models("load", "risk", "7").wants(t, 1, "", "(unknown_version)")
	models("list", "nope").wants(t, 1, "", "(unknown_model)")
	if got := models("unload", "digits"); row(got.out, "digits", "1", "unloaded") == "" {
		t.Errorf("%+v", got)
	}
}

func TestExperimentsOverTheAdminPort(t *testing.T) {
	addr, dir := adminPort(t)
	experiments := func(args ...string) result {
		return cli(t, append([]string{"experiments", "--admin", addr}, args...)...)
	}
	list := experiments("list")
	if row(list.out, "risk-gbm", "risk", "running", "control", "50%", "risk", "1") == "" || row(list.out, "treatment", "50%") == "" || row(list.out, "digest") == "" {
		t.Errorf("%+v", list)
	}
	assigned := experiments("assign", "--user", "user-7", "--attr", "country=de")
	if row(assigned.out, "variant") != "variant treatment" || row(assigned.out, "reason") != "reason override" || row(assigned.out, "served") != "served by risk 2" {
		t.Errorf("%+v", assigned)
	}
	var a admin.Assignment
	if err := json.Unmarshal([]byte(experiments("assign", "--user", "u", "--model", "digits", "-o", "json").out), &a); err != nil || a.Reason != "default" {
		t.Errorf("%v %+v", err, a)
	}
	experiments("reload").wants(t, 0, "risk-gbm", "")
	writeFile(t, dir, "experiments.yaml", "experiments: [{name: x}]\n")
	file := filepath.Join(dir, "experiments.yaml")
	experiments("reload").wants(t, 1, "", "bad_experiments:\n  "+file+":1:")
}

func TestStatusOverTheAdminPort(t *testing.T) {
	addr, _ := adminPort(t)
	got := cli(t, "status", "--admin", addr)
	for _, want := range []string{"readiness ready", "models degraded: two; lines", "guard features open", "features [], not connected (refused)", "model risk 2"} {
		if row(got.out, strings.Fields(want)...) == "" {
			t.Errorf("lacks %q:\n%s", want, got.out)
		}
	}
	var s admin.Status
	if err := json.Unmarshal([]byte(cli(t, "status", "--admin", addr, "-o", "json").out), &s); err != nil || s.Version != "v1" {
		t.Errorf("%v %+v", err, s)
	}
}

func TestTheAdminPortIsFound(t *testing.T) {
	addr, _ := adminPort(t)
	_, port, _ := net.SplitHostPort(addr)
	file := writeFile(t, t.TempDir(), "g.yaml", "server: {admin_listen: \"0.0.0.0:"+port+"\", admin_insecure: true}\n")
	for _, c := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"--admin", addr}},
		{nil, []string{"--admin", "http://" + addr + "/"}},
		{nil, []string{"--admin", ":" + port}},
		{[]string{"HOTPATH_SERVER_ADMIN_LISTEN=" + addr}, nil},
		{nil, []string{"--config", file}},
		// A configuration that is wrong does not matter when the port is named.
		{[]string{"HOTPATH_LOG_LEVEL=nonsense"}, []string{"--admin", addr}},
	} {
		cliWith(t, c.env, "", append([]string{"status"}, c.args...)...).wants(t, 0, "gateway", "")
	}
}

func TestWhatAnswersIsNoAdminPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	cli(t, "status", "--admin", l.Addr().String()).wants(t, 1, "",
		"no gateway answers at "+l.Addr().String()+": connection refused; start one by `gateway serve`, or give the address of its admin port by --admin, $HOTPATH_SERVER_ADMIN_LISTEN or server.admin_listen")

	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	addr := other.Listener.Addr().String()
	cli(t, "status", "--admin", addr).wants(t, 1, "", addr+" answers 404 Not Found and is not the admin port of a gateway")

	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	cli(t, "models", "load", "risk", "--timeout", "30ms", "--admin", slow.Listener.Addr().String()).wants(t, 1, "", "no answer from "+slow.Listener.Addr().String()+" within 30ms; what was asked for may still be going on")
}

func TestRefusalsShowEveryProblem(t *testing.T) {
	e := &refusalError{admin.ErrorDetail{Code: "bad_experiments", Message: "all of it", Problems: []strictyaml.Problem{
		{File: "e.yaml", Line: 1, Column: 2, Path: "layers", Message: "wrong"}, {Message: "not there"}}}}
	if got := e.Error(); got != "bad_experiments:\n  e.yaml:1:2: layers: wrong\n  not there" {
		t.Errorf("%q", got)
	}
}
