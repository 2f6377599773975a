package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hotpath/models"
	"hotpath/models/strictyaml"
)

// defaultInput is the ONNX input's name where a model has no configuration.
const defaultInput = "x"

// binding is what the suite needs to know of a model of the repository.
type binding struct {
	file   string   // the model.onnx of the highest version
	input  string   // name of the first input
	fields []string // hash fields of the user, in order
}

// readBinding reads a model's folder. The gateway checks the configuration; here
// only the features that are stored for a user matter.
func readBinding(repository, model string) (binding, error) {
	dir := filepath.Join(repository, model)
	b := binding{input: defaultInput}
	files, err := filepath.Glob(filepath.Join(dir, "[0-9]*", "model.onnx"))
	if err != nil {
		return b, err
	}
	highest := -1
	for _, f := range files {
		if v := number([]byte(filepath.Base(filepath.Dir(f)))); v > highest {
			highest, b.file = v, f
		}
	}
	if highest < 0 {
		return b, fmt.Errorf("model %s: no <version>/model.onnx under %s", model, dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	config := models.DefaultConfig()
	if err := strictyaml.Decode(filepath.Join(dir, "config.yaml"), text, &config); err != nil {
		return b, err
	}
	if len(config.Inputs) > 0 && config.Inputs[0].Name != "" {
		b.input = config.Inputs[0].Name
	}
	for _, in := range config.Inputs {
		for _, f := range in.Features {
			if name, ok := strings.CutPrefix(f, "user."); ok {
				b.fields = append(b.fields, name)
			}
		}
	}
	return b, nil
}
