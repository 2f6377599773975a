package serving

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/models"
	"hotpath/models/promotion"
	"hotpath/models/repository"
)

// promoted is a manager of deployments over the demo's stage.
func promoted(t *testing.T, s *stage, r *repository.Repository, dir string) *promotion.Manager {
	t.Helper()
	o := repository.DefaultOptions(dir)
	p := &Promotion{World: s.world, Metrics: s.loader.Metrics, Read: o, Guard: guardOptions(),
		Bind: func(context.Context, repository.Candidate) error { return nil }}
	m, err := promotion.New(promotion.Options{Dir: t.TempDir(), RepositoryDir: dir, History: 10, StepTimeout: 20 * time.Second, ShadowTimeout: 20 * time.Second,
		Limits:     map[string]int64{promotion.ModelFile: 1 << 20, promotion.ConfigFile: 1 << 20, promotion.GoldenFile: 1 << 20},
		Repository: r, Checker: p, Traffic: p, Log: slog.New(slog.NewTextHandler(s.log, nil))}, promotion.Recovered{})
	ok(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ok(t, m.Close(ctx))
	})
	return m
}

// parts are files to deploy: name and content, name and content, …
type parts []any

func (p *parts) Next() (string, io.Reader, error) {
	if len(*p) == 0 {
		return "", nil, io.EOF
	}
	name, content := (*p)[0].(string), (*p)[1].([]byte)
	*p = (*p)[2:]
	return name, bytes.NewReader(content), nil
}

// outcome deploys and waits for the end.
func outcome(t *testing.T, m *promotion.Manager, model string, r promotion.Request, files *parts) (last promotion.Saga) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, _, err := m.Deploy(ctx, model, r, "", files)
	ok(t, err)
	ok(t, m.Watch(ctx, s.ID, func(s promotion.Saga) error { last = s; return nil }))
	return last
}

// failedStep is the step that failed; "" for none.
func failedStep(s promotion.Saga) string {
	for _, t := range s.Steps {
		if t.State == promotion.StepFailed {
			return t.Name
		}
	}
	return ""
}

func candidate3(t *testing.T) (model, golden []byte) {
	return modelFile(t, "demo", "candidates", "risk", "3", "model.onnx"), modelFile(t, "demo", "candidates", "risk", "3", "golden.json")
}

// traffic predicts until stop is called, which fails the test if one failed.
func traffic(t *testing.T, s *stage) (stop func()) {
	t.Helper()
	over := make(chan struct{})
	var users sync.WaitGroup
	for range 2 {
		users.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				x := s.begin("risk", "user-1")
				if refusal := s.pipeline.Predict(x); refusal != nil {
					t.Error(refusal)
				}
				s.pipeline.Finish(x)
			}
		})
	}
	return func() { close(over); users.Wait() }
}

// TestDeployingOverTheRealThing: the demo's third version comes into service by a
// comparison with the second, under traffic, and what is wrong is refused where it
// shows.
func TestDeployingOverTheRealThing(t *testing.T) {
	s, r, dir := demoStage(t)
	m := promoted(t, s, r, dir)
	request := promotion.Request{Agreement: 0.99, Tolerance: 1e-6, WatchWindow: promotion.Duration(200 * time.Millisecond), MaxErrorRate: 0.02, MaxLatencyRatio: 100}
	model, golden := candidate3(t)
	stop := traffic(t, s)
	defer stop()
	shadowed := request
	shadowed.ShadowRequests = 200
	for name, c := range map[string]struct {
		request promotion.Request
		files   parts
		step    string
		reason  string
	}{
		"half":     {request, parts{promotion.ModelFile, model[:len(model)/2]}, promotion.VerifyStep, "not an ONNX model"},
		"domain":   {request, parts{promotion.ModelFile, modelFile(t, "testdata", "fixtures", "custom_domain", "1", "model.onnx")}, promotion.VerifyStep, "operator is refused"},
		"data":     {request, parts{promotion.ModelFile, modelFile(t, "testdata", "fixtures", "external_data", "1", "model.onnx")}, promotion.VerifyStep, "external data is refused"},
		"config":   {request, parts{promotion.ModelFile, model, promotion.ConfigFile, []byte("instanses: 2\n")}, promotion.VerifyStep, "instanses: unknown key"},
		"contract": {request, parts{promotion.ModelFile, modelFile(t, "testdata", "fixtures", "echo", "1", "model.onnx")}, promotion.ContractStep, "input X FP32[30] is gone"},
		"golden": {request, parts{promotion.ModelFile, model, promotion.GoldenFile, bytes.Replace(golden, []byte(`"tolerance"`), []byte(`"tolerance": 0, "source"`), 1)},
			promotion.VerifyStep, "golden"},
		"answers": {request, parts{promotion.ModelFile, model, promotion.GoldenFile, modelFile(t, "demo", "repository", "risk", "2", "golden.json")}, promotion.LoadStep, "golden"},
		"shadow":  {shadowed, parts{promotion.ModelFile, model}, promotion.ShadowStep, "agree within 1e-06"},
	} {
		files := c.files
		got := outcome(t, m, "risk", c.request, &files)
		if got.State != promotion.Failed || failedStep(got) != c.step || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s: %s at %s: %s", name, got.State, failedStep(got), got.Reason)
		}
		if version, _, _ := s.answer("user-1"); version != 2 {
			t.Errorf("%s: version %d answers", name, version)
		}
		if _, err := os.Stat(filepath.Join(dir, "risk", "3")); !os.IsNotExist(err) {
			t.Errorf("%s: its folder is still there", name)
		}
	}
	shadowed.Tolerance = 1
	got := outcome(t, m, "risk", shadowed, &parts{promotion.ModelFile, model, promotion.GoldenFile, golden})
	if got.State != promotion.Done {
		t.Fatalf("%s: %s", got.State, got.Reason)
	}
	for _, step := range got.Steps {
		t.Logf("%s %s %s", step.Name, step.State, step.Detail)
	}
	if version, _, _ := s.answer("user-1"); version != 3 {
		t.Errorf("version %d answers", version)
	}
	h, err := (&Promotion{World: s.world, Metrics: s.loader.Metrics}).Health("risk", 3)
	ok(t, err)
	if h.Requests == 0 || h.Failed != 0 || h.Runs == 0 || h.RunTime <= 0 || len(h.UpTo) == 0 || h.UpTo[len(h.UpTo)-1] == 0 {
		t.Errorf("%+v", h)
	}
}

// TestTurnsBadAfterTheSwitch: nothing is wrong with the file, and every answer is
// NaN. The watch takes it back, and the version before goes on.
func TestTurnsBadAfterTheSwitch(t *testing.T) {
	s, r, dir := demoStage(t)
	ok(t, os.CopyFS(filepath.Join(dir, "flaky"), os.DirFS(filepath.Join("..", "..", "..", "..", "models", "testdata", "fixtures", "dynamic_output"))))
	m := promoted(t, s, r, dir)
	eventually(t, "flaky/1", func() bool { have, _ := r.List().Model("flaky"); return have.Current == 1 })
	version := func() (n int, failed bool) {
		x := s.begin("flaky", "user-1")
		defer s.pipeline.Finish(x)
		x.Request.Features = append(x.Request.Features, models.Value{Key: []byte("x"), Kind: models.KindArray, Raw: []byte("[1,2,3,4]")})
		refusal := s.pipeline.Predict(x)
		return x.Lane.Version, refusal != nil
	}
	if n, failed := version(); n != 1 || failed {
		t.Fatalf("version %d, failed %t", n, failed)
	}
	over := make(chan struct{})
	var user sync.WaitGroup
	seen := map[int]int{}
	user.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				n, _ := version()
				seen[n]++
			}
		}
	})
	got := outcome(t, m, "flaky", promotion.Request{AllowContractChange: true, WatchWindow: promotion.Duration(20 * time.Second), MaxErrorRate: 0.02, MaxLatencyRatio: 100},
		&parts{promotion.ModelFile, modelFile(t, "testdata", "fixtures", "nan", "1", "model.onnx")})
	if got.State != promotion.RolledBack || failedStep(got) != promotion.WatchStep || !strings.Contains(got.Reason, "NaN") {
		t.Errorf("%s at %s: %s", got.State, failedStep(got), got.Reason)
	}
	close(over)
	user.Wait()
	if n, failed := version(); n != 1 || failed || seen[2] == 0 {
		t.Errorf("version %d, failed %t after %v", n, failed, seen)
	}
}
