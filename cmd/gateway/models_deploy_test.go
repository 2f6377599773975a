package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotpath/models/promotion"
)

func TestModelName(t *testing.T) {
	for path, want := range map[string]string{"/a/risk.onnx": "risk", "/a/risk/model.onnx": "risk", "/a/risk/3/model.onnx": "risk", "/a/my.risk.v2.onnx": "my.risk.v2"} {
		if got := modelName(path, false); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]string{"/a/risk": "risk", "/a/risk/3": "risk", "/a/risk/03": "03"} {
		if got := modelName(path, true); got != want {
			t.Errorf("%s/: %s, want %s", path, got, want)
		}
	}
}

func TestWhatIsSent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "risk", "3")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.onnx", "golden.json", "other.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, c := range map[string]struct {
		flags deployFlags
		file  string
		want  []deployFile
		wrong string
	}{
		"folder":     {deployFlags{}, dir, []deployFile{{"model", in("model.onnx")}, {"golden", in("golden.json")}}, ""},
		"file":       {deployFlags{}, in("model.onnx"), []deployFile{{"model", in("model.onnx")}}, ""},
		"flags":      {deployFlags{modelConfig: in("other.yaml"), golden: in("golden.json")}, in("model.onnx"), []deployFile{{"model", in("model.onnx")}, {"config", in("other.yaml")}, {"golden", in("golden.json")}}, ""},
		"absent":     {deployFlags{}, in("nothing"), nil, "no such file"},
		"no model":   {deployFlags{}, filepath.Dir(dir), nil, "model.onnx is not a file that can be sent"},
		"bad config": {deployFlags{modelConfig: dir}, dir, nil, "is not a file that can be sent"},
	} {
		got, err := c.flags.files(c.file)
		if !slices.Equal(got, c.want) || (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
		}
		if err == nil && c.flags.model != "risk" {
			t.Errorf("%s: model %q", name, c.flags.model)
		}
	}
	f := deployFlags{shadow: "30s", agreement: 0.5, watchWindow: time.Second}
	given := func(flag string) bool { return flag == "shadow" || flag == "agreement" || flag == "watch-window" }
	q, err := f.query(given, []deployFile{{"model", in("model.onnx")}})
	if want := (url.Values{"shadow": {"30s"}, "agreement": {"0.5"}, "watch_window": {"1s"}, "sha256": {q.Get("sha256")}}); err != nil || q.Encode() != want.Encode() || len(q.Get("sha256")) != 64 {
		t.Errorf("%v %v", q, err)
	}
}

func TestLiveLine(t *testing.T) {
	at := time.Now()
	step := promotion.Step{Name: "watch", State: promotion.StepRunning, StartedAt: &at, Detail: strings.Repeat("é", 200)}
	var out strings.Builder
	l := liveLine{w: &out, on: true}
	l.show(promotion.Step{Name: "trial", State: promotion.StepPending})
	l.show(step)
	l.clear()
	l.clear()
	if want := "\r\x1b[K… watch             " + strings.Repeat("é", 79-20) + "\r\x1b[K"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if isTerminal(&out) {
		t.Error("a buffer is taken for a terminal")
	}
}

func TestStepLine(t *testing.T) {
	at := time.Now()
	end := at.Add(1500 * time.Millisecond)
	for want, step := range map[string]promotion.Step{
		"✓ load        1.5s  ready": {Name: "load", State: promotion.StepDone, StartedAt: &at, EndedAt: &end, Detail: "ready"},
		"✗ trial       1.5s  a; b":  {Name: "trial", State: promotion.StepFailed, StartedAt: &at, EndedAt: &end, Detail: "a\nb"},
		"– shadow            not":   {Name: "shadow", State: promotion.StepSkipped, StartedAt: &at, EndedAt: &end, Detail: "not"},
		"":                          {Name: "watch", State: promotion.StepRunning, StartedAt: &at},
	} {
		if got := stepLine(step); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
