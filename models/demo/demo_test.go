package demo_test

import (
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"hotpath/models/demo"
)

// read returns a file of the embedded tree.
func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := fs.ReadFile(demo.Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// folders lists the version folders of a repository of the tree.
func folders(t *testing.T, repository string) []string {
	t.Helper()
	found, err := fs.Glob(demo.Files(), repository+"/*/*/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		found[i] = path.Dir(f)
	}
	return found
}

func TestRepositoryHoldsTheDemoModels(t *testing.T) {
	want := []string{"repository/digits/1", "repository/progression/1", "repository/risk/1", "repository/risk/2"}
	if got := folders(t, "repository"); !slices.Equal(got, want) {
		t.Errorf("repository = %v, want %v", got, want)
	}
	want = []string{"candidates/risk/3"}
	if got := folders(t, "candidates"); !slices.Equal(got, want) {
		t.Errorf("candidates = %v, want %v", got, want)
	}
}

func TestEveryModelIsComplete(t *testing.T) {
	type values = map[string][]any
	for _, folder := range append(folders(t, "repository"), folders(t, "candidates")...) {
		t.Run(folder, func(t *testing.T) {
			if n := len(read(t, folder+"/model.onnx")); n == 0 || n > 300<<10 {
				t.Errorf("model.onnx has %d bytes, want at most 300 KiB", n)
			}
			if strings.HasPrefix(folder, "repository/") {
				var config struct {
					Description string
					Prediction  struct{ Output string }
				}
				if err := yaml.Unmarshal(read(t, path.Dir(folder)+"/config.yaml"), &config); err != nil {
					t.Fatal(err)
				}
				if config.Description == "" || config.Prediction.Output == "" {
					t.Errorf("config.yaml lacks a description or a prediction: %+v", config)
				}
			}
			var golden struct {
				Source    string
				Tolerance float64
				Cases     []struct{ Inputs, Outputs values }
			}
			if err := json.Unmarshal(read(t, folder+"/golden.json"), &golden); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(golden.Source, "scikit-learn ") || golden.Tolerance != 1e-5 || len(golden.Cases) < 20 {
				t.Errorf("source %q, tolerance %g, %d cases; want scikit-learn's, 1e-5, at least 20",
					golden.Source, golden.Tolerance, len(golden.Cases))
			}
			for i, c := range golden.Cases {
				if len(c.Inputs) == 0 || len(c.Outputs["label"]) != 1 || len(c.Outputs["probabilities"]) < 2 {
					t.Errorf("case %d lacks inputs, a label or probabilities", i)
				}
			}
		})
	}
}

// schema is what the test needs of features.yaml.
type schema struct {
	Entities map[string]struct {
		Features map[string]struct {
			Type    string
			Default *float64
		}
	}
}

func TestFeaturesFitTheRiskModel(t *testing.T) {
	var s schema
	if err := yaml.Unmarshal(read(t, "features.yaml"), &s); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Inputs []struct {
			Name     string
			Features []string
		}
	}
	if err := yaml.Unmarshal(read(t, "repository/risk/config.yaml"), &config); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(read(t, "features.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	bound := config.Inputs[0].Features
	if len(config.Inputs) != 1 || config.Inputs[0].Name != "X" || len(bound) != 30 {
		t.Fatalf("risk binds %+v, want one input X of 30 features", config.Inputs)
	}
	for i, reference := range bound {
		name, ok := strings.CutPrefix(reference, "user.")
		if feature := s.Entities["user"].Features[name]; !ok || feature.Type != "float" || feature.Default == nil {
			t.Errorf("%s is no float feature with a default in features.yaml", reference)
		}
		if column := rows[0][i+2]; column != name {
			t.Errorf("features.csv: column %d is %q, want %q", i+2, column, name)
		}
	}
}

func TestEveryUserHasEveryFeature(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(string(read(t, "features.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows[0][:2], []string{"entity", "id"}) || len(rows) != 501 {
		t.Fatalf("header starts with %v and %d rows follow, want entity,id and 500", rows[0][:2], len(rows)-1)
	}
	for i, row := range rows[1:] {
		if want := "user-" + strconv.Itoa(i+1); row[0] != "user" || row[1] != want {
			t.Errorf("row %d is of %s %s, want user %s", i+1, row[0], row[1], want)
		}
		for _, cell := range row[2:] {
			f, err := strconv.ParseFloat(cell, 32)
			if err != nil || strconv.FormatFloat(f, 'f', -1, 32) != cell {
				t.Errorf("row %d: %q is not the shortest form of a float32", i+1, cell)
			}
		}
	}
}

func TestExperimentNamesVersionsThatExist(t *testing.T) {
	var file struct {
		Experiments []struct {
			Model    string
			Variants []struct {
				Name    string
				Weight  float64
				Version int
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "experiments.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	versions := folders(t, "repository")
	for _, e := range file.Experiments {
		sum := 0.0
		for _, v := range e.Variants {
			sum += v.Weight
			if folder := "repository/" + e.Model + "/" + strconv.Itoa(v.Version); !slices.Contains(versions, folder) {
				t.Errorf("variant %s wants %s, which is not in the repository", v.Name, folder)
			}
		}
		if sum != 100 {
			t.Errorf("weights of %s sum to %g, want 100", e.Model, sum)
		}
	}
	if len(file.Experiments) != 1 {
		t.Errorf("%d experiments, want 1", len(file.Experiments))
	}
}
