package models

import (
	"fmt"
	"strings"
)

// CheckSignature reports every name and size in c that does not fit the graph.
// Widths of features are not known here: whoever has the feature schemas checks
// that they add up.
func (c *Config) CheckSignature(sig *Signature) []Problem {
	var ps problems
	c.checkInputs(&ps, sig)
	for i, name := range c.Outputs {
		if findPort(sig.Outputs, name) == nil {
			ps.add(fmt.Sprintf("outputs[%d]", i), "the model has no output %q; it has %s", name, portNames(sig.Outputs))
		}
	}
	c.checkWarmup(&ps, sig)
	if sig.Dynamic() {
		c.checkWhole(&ps, sig)
		return ps
	}
	c.checkPrediction(&ps, sig)
	if len(c.Fallback) > 0 {
		c.checkFallback(&ps, sig)
	}
	return ps
}

func (c *Config) checkPrediction(ps *problems, sig *Signature) {
	if c.Prediction.Output == "" {
		return
	}
	p := findPort(sig.Outputs, c.Prediction.Output)
	switch i := c.Prediction.Index; {
	case p == nil:
		ps.add("prediction.output", "the model has no output %q; it has %s", c.Prediction.Output, portNames(sig.Outputs))
	case i == nil && p.Width() != 1:
		ps.add("prediction.index", "is missing: output %s has %d elements", p.Name, p.Width())
	case i != nil && *i >= p.Width():
		ps.add("prediction.index", "%d is outside 0 to %d, the elements of output %s", *i, p.Width()-1, p.Name)
	}
}

// checkFallback reports what would keep FallbackRow from making an answer.
func (c *Config) checkFallback(ps *problems, sig *Signature) {
	layout := NewLayout(sig.Outputs)
	row := layout.NewRow()
	for _, name := range sortedKeys(c.Fallback) {
		i, values := layout.Port(name), c.Fallback[name]
		if i < 0 {
			ps.add(fallbackPath(name), "the model has no output %q; it has %s", name, portNames(sig.Outputs))
			continue
		}
		if err := putPort(&row, layout, i, values); err != nil {
			ps.add(fallbackPath(name), "%v", err)
		}
	}
	for _, p := range sig.Outputs {
		if _, ok := c.Fallback[p.Name]; !ok && c.Answers(p.Name) {
			ps.add("fallback", "has no value for output %s; give one, or leave the output out of outputs", p.Name)
		}
	}
}

// FallbackRow is the static answer laid out as the model's outputs; outputs
// without a value are zero. ok is false when the config has none.
func (c *Config) FallbackRow(outputs *Layout) (row Row, ok bool, err error) {
	if len(c.Fallback) == 0 {
		return Row{}, false, nil
	}
	row = outputs.NewRow()
	for _, name := range sortedKeys(c.Fallback) {
		i := outputs.Port(name)
		if i < 0 {
			return Row{}, false, fmt.Errorf("fallback: the model has no output %q", name)
		}
		if err := putPort(&row, outputs, i, c.Fallback[name]); err != nil {
			return Row{}, false, fmt.Errorf("fallback: output %s: %w", name, err)
		}
	}
	return row, true, nil
}

func findPort(ports []Port, name string) *Port {
	for i := range ports {
		if ports[i].Name == name {
			return &ports[i]
		}
	}
	return nil
}

func portNames(ports []Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
