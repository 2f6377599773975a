//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/models"
)

// backendCase is one of the ONNX project's backend tests, as cases.py lists it.
type backendCase struct {
	Name    string   `json:"name"` // kind/test_name
	Model   string   `json:"model"`
	Sets    []string `json:"sets"`
	Inputs  []port   `json:"inputs"`
	Outputs []port   `json:"outputs"`
	tolerance
	// Reference says what ONNX Runtime makes of it by itself.
	Reference verdict `json:"reference"`
	Detail    string  `json:"detail"`
}

type port struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// verdict is what ONNX Runtime, asked directly, makes of a test.
type verdict string

const (
	passes      verdict = "passes"
	differs     verdict = "differs"     // its own answer is what a server is held against
	random      verdict = "random"      // two runs of it differ
	unsupported verdict = "unsupported" // Detail says why
	notCarried  verdict = "not carried" // Detail names the types that the protocol lacks
)

// repositoryName is the test's name as that of a model.
func (c *backendCase) repositoryName() string { return strings.ReplaceAll(c.Name, "/", "-") }

// dataSet is one run of a model.
type dataSet struct{ inputs, outputs []models.Tensor }

// withLocale is the environment of what runs ONNX Runtime, with the locale that one
// of its operators asks for.
func withLocale(dir string) []string {
	return append(child.Environment(dir), "LOCPATH="+filepath.Join(harness.home, "locale"))
}

// backendCases has cases.py list the tests and ask ONNX Runtime about each.
func backendCases(t *testing.T, dir string) (cases []backendCase, versions map[string]string) {
	t.Helper()
	code, _, stderr := child.Run(t, 10*time.Minute, dir, withLocale(dir), harness.python, script(t, "cases.py"), filepath.Join(dir, "reference"))
	if code != 0 {
		t.Fatalf("cases.py: exit %d: %s", code, stderr)
	}
	data, err := os.ReadFile(filepath.Join(dir, "reference/cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var listed struct {
		Versions map[string]string
		Cases    []backendCase
	}
	if err := json.Unmarshal(data, &listed); err != nil {
		t.Fatal(err)
	}
	return listed.Cases, listed.Versions
}

// dataSets reads the inputs and the expected outputs of each of a test's runs.
func (c *backendCase) dataSets(dir string) (sets []dataSet, err error) {
	for _, folder := range c.Sets {
		expected := folder
		if c.Reference == differs {
			expected = filepath.Join(dir, "reference", c.Name, filepath.Base(folder))
		}
		var s dataSet
		if s.inputs, err = readTensors(folder, "input", c.Inputs); err != nil {
			return nil, err
		}
		if s.outputs, err = readTensors(expected, "output", c.Outputs); err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// readTensors reads files such as input_0.pb, which belong to the ports in order.
func readTensors(folder, prefix string, ports []port) (tensors []models.Tensor, err error) {
	for i := range ports {
		path := filepath.Join(folder, fmt.Sprintf("%s_%d.pb", prefix, i))
		if !isFile(path) {
			break
		}
		t, err := readTensorProto(path)
		if err != nil {
			return nil, err
		}
		t.Name = ports[i].Name
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// place makes a model of the repository out of a test: the file alone, with no
// configuration beside it.
func (c *backendCase) place(repository string) error {
	data, err := os.ReadFile(c.Model)
	if err != nil {
		return err
	}
	folder := filepath.Join(repository, c.repositoryName(), "1")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "model.onnx"), data, 0o644)
}
