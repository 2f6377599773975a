package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
