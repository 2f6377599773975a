package serving

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hotpath/features"
	"hotpath/models"
	"hotpath/models/demo"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
	"hotpath/router"
)

// demoStage is a stage with the demo's features in an embedded store, and the
// demo's models in a repository of its own.
func demoStage(t *testing.T) (s *stage, r *repository.Repository, dir string) {
	t.Helper()
	var config features.SchemaConfig
	ok(t, strictyaml.Decode("features.yaml", modelFile(t, "demo", "features.yaml"), &config))
	schema, err := features.CompileSchema(config)
	ok(t, err)
	embedded, err := features.StartEmbedded(context.Background(), schema, bytes.NewReader(modelFile(t, "demo", "features.csv")))
	ok(t, err)
	t.Cleanup(embedded.Close)
	s = newStage(t, config, embedded.Addr())
	eventually(t, "the store is connected", func() bool { return s.loader.Store.State().Connected })

	dir = t.TempDir()
	ok(t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "..", "..", "models", "demo", "repository"))))
	o := repository.DefaultOptions(dir)
	o.Settle, o.Poll, o.Debounce = 20*time.Millisecond, 10*time.Millisecond, 5*time.Millisecond
	o.Pinned, o.OnChange, o.Registerer = s.world.Pinned, s.world.ModelsChanged, s.reg
	r, err = repository.Open(o, s.loader)
	ok(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ok(t, r.Close(ctx))
	})
	<-r.Started()
	ok(t, s.world.Start())
	return s, r, dir
}

// answer predicts with what the store has of a user, and with values sent.
func (s *stage) answer(user string, sent ...models.Value) (version int, prediction float64, degraded router.Degraded) {
	s.t.Helper()
	x := s.begin("risk", user)
	defer s.pipeline.Finish(x)
	x.Request.Features = append(x.Request.Features, sent...)
	if refusal := s.pipeline.Predict(x); refusal != nil {
		s.t.Fatal(refusal)
	}
	at := x.Lane.Out.Offset[x.Lane.Prediction.Port] + 4*x.Lane.Prediction.Element
	return x.Lane.Version, float64(x.Out().Float32(at)), x.Degraded
}

// featuresOf are what the demo's file has of the first user, as a request sends them.
func featuresOf(t *testing.T) (user string, values []models.Value) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(modelFile(t, "demo", "features.csv")))
	header, err := r.Read()
	ok(t, err)
	row, err := r.Read()
	ok(t, err)
	for i := 2; i < len(row); i++ {
		if header[i] != "_ts" && row[i] != "" {
			values = append(values, models.Value{Key: []byte(header[i]), Kind: models.KindNumber, Raw: []byte(row[i])})
		}
	}
	return row[1], values
}

// The demo end to end below the listeners: features from the store, scores of
// the real models, a candidate copied in and promoted, rolled back and unloaded.
func TestTheDemoOverARepository(t *testing.T) {
	s, r, dir := demoStage(t)
	user, sent := featuresOf(t)
	version, before, degraded := s.answer("user-1")
	if version != 2 || degraded != 0 || before < 0 || before > 1 {
		t.Errorf("version %d, prediction %v, degraded %d", version, before, degraded)
	}
	// The store's vector is the file's.
	if _, got, _ := s.answer("nobody", sent...); user != "user-1" || got != before {
		t.Errorf("with the values of %s sent: %v, from the store: %v", user, got, before)
	}
	if _, got, degraded := s.answer("nobody"); got == before || degraded != 0 {
		t.Errorf("of a user that is not there: %v, degraded %d", got, degraded)
	}
	if state := s.world.State(); state.Models != 3 {
		t.Errorf("%d models", state.Models)
	}
	ok(t, s.world.SetPlan(plan(t, everyone("pin", 1))))
	if version, _, _ := s.answer("user-1"); version != 1 {
		t.Errorf("version %d, want that of the experiment", version)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := r.Unload(ctx, "risk", 1)
	wantError(t, err, "an experiment needs it")
	ok(t, s.world.SetPlan(plan(t)))

	ok(t, os.CopyFS(filepath.Join(dir, "risk", "3"), os.DirFS(filepath.Join("..", "..", "..", "..", "models", "demo", "candidates", "risk", "3"))))
	ok(t, r.Load(ctx, "risk", 3))
	if version, got, _ := s.answer("user-1"); version != 3 || got == before {
		t.Errorf("version %d answers %v", version, got)
	}
	ok(t, r.Rollback(ctx, "risk"))
	if version, got, _ := s.answer("user-1"); version != 2 || got != before {
		t.Errorf("version %d answers %v, before %v", version, got, before)
	}
	ok(t, r.Unload(ctx, "risk", 3))
	eventually(t, "version 3 is gone", func() bool {
		return len(s.series("hotpath_batch_size", map[string]string{"model": "risk", "version": "3"})) == 0
	})
}

// A file that is no model is refused, and what serves goes on.
func TestABadFileDoesNotDisturb(t *testing.T) {
	s, r, dir := demoStage(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	files := demo.Files()
	model, err := files.ReadFile("repository/risk/1/model.onnx")
	ok(t, err)
	for name, data := range map[string][]byte{"half": model[:len(model)/2], "other model": modelFile(t, "testdata", "fixtures", "f64", "1", "model.onnx"), "empty": nil} {
		ok(t, os.MkdirAll(filepath.Join(dir, "risk", "9"), 0o755))
		ok(t, os.WriteFile(filepath.Join(dir, "risk", "9", "model.onnx"), data, 0o600))
		if err := r.Load(ctx, "risk", 9); err == nil {
			t.Errorf("%s was loaded", name)
		}
		if version, _, degraded := s.answer("user-1"); version != 2 || degraded != 0 {
			t.Errorf("after %s: version %d, degraded %d", name, version, degraded)
		}
	}
}
