package serving

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"hotpath/features"
	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/router"
	"hotpath/router/oip"
)

func newCatalog(s *stage, r *repository.Repository) *Catalog {
	return &Catalog{World: s.world, Repository: r, IsReady: func() bool { return true }, Version: "v9", KeepVersions: 2}
}

func wantRefusal(t *testing.T, err *router.Error, code router.Code, field string, parts ...string) {
	t.Helper()
	if err == nil || err.Code != code || err.Field != field {
		t.Fatalf("got %v, want %s at %q", err, code, field)
	}
	wantError(t, err, parts...)
}

func refused(t *testing.T, err *router.Error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCatalogDescribesModels(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := newCatalog(s, nil)
	first, second := risk(t, "risk", 1, 1), risk(t, "risk", 2, 2)
	ok(t, s.add("risk", s.load(first), s.load(second)))
	ok(t, s.add("echo", s.load(fixture(t, "echo"))))
	ok(t, s.offer(func(all map[string]*repository.ModelSet) { all["risk"].Labels = map[string]int{"stable": 1} }))
	if c.ModelReady("risk", "") {
		t.Error("ready before the world has started")
	}
	ok(t, s.world.Start())

	m, err := c.Model("risk", "stable")
	refused(t, err)
	if m.Name != "risk" || m.Platform != "onnxruntime_onnx" || !slices.Equal(m.Versions, []string{"1", "2"}) {
		t.Errorf("got %+v", m)
	}
	if want := []oip.TensorMetadata{{Name: "X", Datatype: "FP32", Shape: []int64{-1, 30}}}; !reflect.DeepEqual(m.Inputs, want) {
		t.Errorf("inputs %+v, want %+v", m.Inputs, want)
	}
	echo, err := c.Model("echo", "1")
	refused(t, err)
	if want := []oip.TensorMetadata{{Name: "id", Datatype: "FP64", Shape: []int64{-1, 1}}, {Name: "x", Datatype: "FP32", Shape: []int64{-1, 4}}}; !reflect.DeepEqual(echo.Inputs, want) {
		t.Errorf("inputs %+v, want %+v", echo.Inputs, want)
	}
	for _, version := range []string{"", "1", "2", "stable"} {
		if !c.ModelReady("risk", version) {
			t.Errorf("version %q is not ready", version)
		}
	}
	_, err = c.Model("nowhere", "")
	wantRefusal(t, err, router.UnknownModel, "model", `no model named "nowhere"`)
	_, err = c.Model("", "")
	wantRefusal(t, err, router.UnknownModel, "model", "missing")
	for _, version := range []string{"3", "canary", "0", "-1", "1.0", "99999999999999999999"} {
		if c.ModelReady("risk", version) {
			t.Errorf("version %q is ready", version)
		}
		_, err = c.Model("risk", version)
		wantRefusal(t, err, router.UnknownModel, "version", `model "risk"`, version)
	}
}

func TestCatalogDescribesTheServer(t *testing.T) {
	c := newCatalog(newStage(t, features.SchemaConfig{}), nil)
	got := c.Server()
	if got.Name != "hotpath" || got.Version != "v9" || !slices.Contains(got.Extensions, "statistics") || slices.Contains(got.Extensions, "model_repository") {
		t.Errorf("got %+v", got)
	}
	c.RepositoryAPI = true
	if got := c.Server().Extensions; !slices.Contains(got, "model_repository") {
		t.Errorf("extensions %v, want those for loading too", got)
	}
	c.IsReady = func() bool { return false }
	if c.Ready() || !c.Live() {
		t.Error("want a server that lives and is not ready")
	}
}

func TestCatalogShowsConfigs(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := newCatalog(s, nil)
	r := risk(t, "risk", 1, 1)
	r.Config.MaxQueueDelay, r.Config.Instances, r.Config.QueueRows = 1500*time.Microsecond, 2, 40
	r.Config.VersionPolicy = models.VersionPolicy{Specific: []int{1, 3}}
	ok(t, s.add("risk", s.load(r)))
	ok(t, s.add("strings", s.load(fixture(t, "strings"))))
	ok(t, s.world.Start())

	got, err := c.Config("risk", "")
	refused(t, err)
	if got.MaxBatchSize != 8 || got.Platform != "onnxruntime_onnx" || got.Backend != "onnxruntime" || got.DefaultModel != "model.onnx" {
		t.Errorf("got %+v", got)
	}
	if want := []oip.ConfigTensor{{Name: "X", DataType: "TYPE_FP32", Dims: []int64{30}}}; !reflect.DeepEqual(got.Input, want) {
		t.Errorf("input %+v, want %+v", got.Input, want)
	}
	if want := []oip.InstanceGroup{{Name: "risk", Kind: "KIND_CPU", Count: 2, GPUs: []int32{}}}; !reflect.DeepEqual(got.InstanceGroup, want) {
		t.Errorf("instances %+v", got.InstanceGroup)
	}
	if d := got.DynamicBatching; d == nil || d.MaxQueueDelayMicrosecs != 1500 || !slices.Equal(d.PreferredBatchSize, []int32{1, 4, 8}) || d.DefaultQueuePolicy.MaxQueueSize != 40 {
		t.Errorf("batching %+v", d)
	}
	if p := got.VersionPolicy.Specific; p == nil || !slices.Equal(p.Versions, []int64{1, 3}) {
		t.Errorf("policy %+v", got.VersionPolicy)
	}
	for name, want := range map[string]string{"run_timeout": "250ms", "queue_rows": "40", "threads": "1", "execution_provider": "cpu"} {
		if got.Parameters[name].StringValue != want {
			t.Errorf("parameter %s is %q, want %q", name, got.Parameters[name].StringValue, want)
		}
	}
	text, err := c.Config("strings", "")
	refused(t, err)
	if text.Input[0].DataType != "TYPE_STRING" || text.VersionPolicy.Latest == nil || text.VersionPolicy.Latest.NumVersions != 2 {
		t.Errorf("got %+v", text)
	}
	_, err = c.Config("risk", "7")
	wantRefusal(t, err, router.UnknownModel, "version", "7")
}

// Triton's dims are never empty: what the model takes is then said by reshape.
func TestConfigReshapesScalars(t *testing.T) {
	got := configTensors([]models.Port{{Name: "x", DType: models.Bool}}, []models.InputBinding{{Name: "x", Ragged: true}})
	want := []oip.ConfigTensor{{Name: "x", DataType: "TYPE_BOOL", Dims: []int64{1}, Reshape: &oip.Reshape{Shape: []int64{}}, AllowRagged: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestVersionPolicyInTritonsWords(t *testing.T) {
	c := &Catalog{KeepVersions: 3}
	if p := c.versionPolicy(models.VersionPolicy{All: true}); p.All == nil || p.Latest != nil || p.Specific != nil {
		t.Errorf("all: %+v", p)
	}
	if p := c.versionPolicy(models.VersionPolicy{Latest: 5}); p.Latest == nil || p.Latest.NumVersions != 5 {
		t.Errorf("latest: %+v", p)
	}
	if p := c.versionPolicy(models.VersionPolicy{}); p.Latest == nil || p.Latest.NumVersions != 3 {
		t.Errorf("none: %+v", p)
	}
}

// The index, loads and unloads over a real directory, with a version whose file
// is broken and a model that has none.
func TestCatalogIndexAndControl(t *testing.T) {
	s, r, dir := demoStage(t)
	c := newCatalog(s, r)
	ctx := context.Background()
	index := func(readyOnly bool) map[string]string {
		states := map[string]string{}
		for _, e := range c.Index(readyOnly) {
			states[e.Name+"/"+e.Version] = e.State
			if (e.State == oip.StateUnavailable) != (e.Reason != "") {
				t.Errorf("%+v: a reason belongs to what is unavailable", e)
			}
		}
		return states
	}
	broken := filepath.Join(dir, "risk", "9")
	ok(t, os.MkdirAll(broken, 0o755))
	ok(t, os.WriteFile(filepath.Join(broken, "model.onnx"), []byte("no model"), 0o644))
	wantRefusal(t, c.Load(ctx, "risk", nil), router.BadRequest, "", "version 9")
	if got := index(false); got["risk/9"] != oip.StateUnavailable || got["risk/2"] != oip.StateReady {
		t.Errorf("index %v", got)
	}
	if got := index(true); len(got) == 0 || got["risk/9"] != "" || got["risk/2"] != oip.StateReady {
		t.Errorf("ready %v", got)
	}
	ok(t, os.RemoveAll(broken))
	ok(t, os.CopyFS(filepath.Join(dir, "risk", "3"), os.DirFS(filepath.Join("..", "..", "..", "..", "models", "demo", "candidates", "risk", "3"))))
	refused(t, c.Load(ctx, "risk", oip.Parameters{"config": ""}))
	if got := index(true); got["risk/3"] != oip.StateReady || !c.ModelReady("risk", "3") {
		t.Errorf("after a load: %v", got)
	}
	refused(t, c.Unload(ctx, "risk"))
	if got := index(false); got["risk/3"] != oip.StateUnavailable || c.ModelReady("risk", "") {
		t.Errorf("after the unload: %v", got)
	}
	refused(t, c.Load(ctx, "risk", nil))
	if got := slices.Collect(maps.Values(index(true))); len(got) < 2 || !c.ModelReady("risk", "2") {
		t.Errorf("after it was loaded again: %v", index(false))
	}
	wantRefusal(t, c.Load(ctx, "risk", oip.Parameters{"config": "{}"}), router.BadRequest, "parameters.config", "config.yaml")
	wantRefusal(t, c.Load(ctx, "nowhere", nil), router.UnknownModel, "model", "nowhere")
	wantRefusal(t, c.Load(ctx, "../etc", nil), router.BadRequest, "", "etc")
	wantRefusal(t, c.Unload(ctx, "nowhere"), router.UnknownModel, "model", "nowhere")
	late, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Load(late, "risk", nil); err == nil || err.Code != router.Deadline {
		t.Errorf("a load without time: %v", err)
	}
}
