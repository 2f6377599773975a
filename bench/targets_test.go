package bench

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func TestTargetsAreVegetas(t *testing.T) {
	for _, name := range ScenarioNames() {
		var b bytes.Buffer
		err := WriteTargets(&b, TargetOptions{URL: "http://127.0.0.1:8080/", Scenario: name, Users: 300})
		if err != nil {
			t.Fatal(err)
		}
		next := vegeta.NewJSONTargeter(&b, nil, nil)
		seen := make(map[string]bool)
		for {
			var target vegeta.Target
			err := next(&target)
			if err == vegeta.ErrNoTargets || err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if target.Method != "POST" || !strings.HasPrefix(target.URL, "http://127.0.0.1:8080/predict") || target.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("%s: %s %s %v", name, target.Method, target.URL, target.Header)
			}
			if !json.Valid(target.Body) {
				t.Fatalf("%s: body %s", name, target.Body)
			}
			seen[string(target.Body)] = true
		}
		if len(seen) != 300 {
			t.Errorf("%s: %d distinct requests of 300", name, len(seen))
		}
	}
}

func TestTargetBodies(t *testing.T) {
	body := func(name string) string {
		sc, ok := scenarioByName(name)
		if !ok {
			t.Fatal(name)
		}
		return string(sc.body(nil, &sc, "x", 7, 1000))
	}
	if got := body("features_mid"); got != `{"user_id":"u0000007","model":"mid"}` {
		t.Error(got)
	}
	var tensor struct{ Features struct{ X []float32 } }
	if err := json.Unmarshal([]byte(body("tensor")), &tensor); err != nil || len(tensor.Features.X) != tensorWidth {
		t.Errorf("%v: %s", err, body("tensor"))
	}
	var batch struct{ Instances []map[string]string }
	if err := json.Unmarshal([]byte(body("batch100")), &batch); err != nil || len(batch.Instances) != batchSize ||
		batch.Instances[99]["user_id"] != "u0000096" {
		t.Errorf("%v: %s", err, body("batch100"))
	}
}

func TestTargetOptionsAreChecked(t *testing.T) {
	for _, o := range []TargetOptions{
		{URL: "http://a", Scenario: "nothing", Users: 1},
		{URL: "http://a", Scenario: "tensor"},
		{URL: "a:80", Scenario: "tensor", Users: 1},
	} {
		if err := WriteTargets(io.Discard, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestReadBinding(t *testing.T) {
	b, err := readBinding("testdata/repository", "mid")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join("testdata", "repository", "mid", "1", "model.onnx"); b.file != want || b.input != "x" || strings.Join(b.fields, ",") != "f0,f1,f2,f3,f4,f5,f6,f7,f8,f9" {
		t.Errorf("mid: %+v", b)
	}
	dir := t.TempDir()
	if _, err := readBinding(dir, "none"); err == nil {
		t.Error("a model that is not there: no error")
	}
	for _, v := range []string{"2", "10"} {
		if err := os.MkdirAll(filepath.Join(dir, "bare", v), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "bare", v, "model.onnx"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err = readBinding(dir, "bare")
	if err != nil || filepath.Base(filepath.Dir(b.file)) != "10" || b.input != defaultInput {
		t.Errorf("bare: %+v, %v", b, err)
	}
}
