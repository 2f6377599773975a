package onnxscan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The reasons for a refusal; Scan wraps them with where and what.
var (
	// ErrNotONNX is a file that is no whole ONNX model.
	ErrNotONNX = errors.New("not an ONNX model")
	// ErrExternalData is a tensor whose data lies in another file.
	ErrExternalData = errors.New("external data is refused")
	// ErrOperator is an operator of a domain that is not allowed, or one that reads files.
	ErrOperator = errors.New("operator is refused")
	// ErrLimit is a model over one of the Limits.
	ErrLimit = errors.New("model is over a limit")
	// ErrOutputs is a model with outputs that are not tensors.
	ErrOutputs = errors.New("outputs are not tensors")
)

// Limits bound what is accepted. All must be positive.
type Limits struct {
	MaxBytes int64 // size of the file
	MaxNodes int   // nodes of all graphs and functions together
	MaxDepth int   // graphs nested in attributes of graphs
	// Domains of operators that may be used; "" is ai.onnx. Functions that the
	// model itself defines are allowed besides.
	Domains []string
}

// DefaultLimits accepts what common exporters write.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 512 << 20, MaxNodes: 200_000, MaxDepth: 16,
		Domains: []string{"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}}
}

// Summary is what a model says about itself.
type Summary struct {
	IRVersion int64
	Opsets    []Opset
	Producer  string
	Nodes     int
	// Inputs are those that a run must give: graph inputs without an initializer.
	Inputs  []Value
	Outputs []Value
	// HasZipMap is set when a ZipMap operator makes an output of maps.
	HasZipMap bool
}

// Opset is a version of an operator set that the model uses.
type Opset struct {
	Domain  string
	Version int64
}

type operator struct{ domain, name string }

type scanner struct {
	limits    Limits
	sum       *Summary
	functions map[operator]bool
	// uses are the operators outside the allowed domains, to be compared with
	// functions once all of them are known, and where each is used first.
	uses         map[operator]string
	initializers map[string]bool
	graphs       int
}

// Scan walks the whole file. The error wraps one of the package's errors.
func Scan(data []byte, limits Limits) (*Summary, error) {
	if int64(len(data)) > limits.MaxBytes {
		return nil, fmt.Errorf("%w: file of %d bytes, at most %d are allowed", ErrLimit, len(data), limits.MaxBytes)
	}
	if err := notONNX(data); err != nil {
		return nil, err
	}
	s := &scanner{limits: limits, sum: &Summary{}, functions: map[operator]bool{},
		uses: map[operator]string{}, initializers: map[string]bool{}}
	if err := s.model(data); err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return s.sum, nil
}

// finish judges what can be judged only after the whole file.
func (s *scanner) finish() error {
	switch {
	case s.graphs == 0:
		return malformed("model", errors.New("has no graph"))
	case s.sum.IRVersion == 0:
		return malformed("model", errors.New("has no IR version"))
	case len(s.sum.Opsets) == 0:
		return malformed("model", errors.New("names no operator sets"))
	}
	var bad []string
	for op, at := range s.uses {
		if !s.functions[op] {
			bad = append(bad, fmt.Sprintf("%s.%s (%s)", op.domain, op.name, at))
		}
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return fmt.Errorf("%w: %s: allowed domains are %s", ErrOperator,
			strings.Join(bad[:min(len(bad), 5)], ", "), strings.TrimSpace(strings.Join(s.limits.Domains, " ")))
	}
	s.sum.Inputs = slices.DeleteFunc(s.sum.Inputs, func(v Value) bool { return s.initializers[v.Name] })
	return nil
}

// CheckOutputs refuses a model that answers with anything but tensors, and says
// how to export it otherwise. Only the wanted outputs count; none named: all.
func (s *Summary) CheckOutputs(wanted ...string) error {
	var bad []string
	for _, v := range s.Outputs {
		if v.Kind != Tensor && (len(wanted) == 0 || slices.Contains(wanted, v.Name)) {
			bad = append(bad, v.Name+" is "+v.Type())
		}
	}
	switch {
	case len(bad) == 0:
		return nil
	case s.HasZipMap:
		return fmt.Errorf(`%w: %s: export without ZipMap: convert_sklearn(model, options={id(model): {"zipmap": False}}), or name the other outputs under outputs in config.yaml`,
			ErrOutputs, strings.Join(bad, ", "))
	}
	return fmt.Errorf("%w: %s: export the model so that every output is a tensor", ErrOutputs, strings.Join(bad, ", "))
}
