package models

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestValidateOfInputsAndWarmup(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"": func(c *Config) {
			c.MaxBatchSize = 0
			c.Inputs = []InputBinding{{Name: "x", Shape: []int{-1, 3}}}
		},
		" ":                                     func(c *Config) { c.Inputs = []InputBinding{{Name: "x", Ragged: true, Pad: 1}} },
		"  ":                                    func(c *Config) { c.Inputs = []InputBinding{{Name: "x", Shape: []int{}}} }, // a scalar
		"inputs[0].features":                    func(c *Config) { c.Inputs = []InputBinding{{Name: "x"}} },
		"inputs[0].shape[1] inputs[0].shape[2]": func(c *Config) { c.Inputs = []InputBinding{{Name: "x", Shape: []int{2, 0, -2}}} },
		"inputs[0].shape":                       func(c *Config) { c.Inputs = []InputBinding{{Name: "x", Shape: slices.Repeat([]int{1}, 32)}} },
		"inputs[0].pad":                         func(c *Config) { c.Inputs = []InputBinding{{Name: "x", Shape: []int{-1}, Pad: 1}} },
		"inputs[0].ragged":                      func(c *Config) { c.Inputs = []InputBinding{{Name: "x", Ragged: true, Features: []string{"a"}}} },
		"inputs[1].ragged": func(c *Config) {
			c.MaxBatchSize = 0
			c.Inputs = []InputBinding{{Name: "w", Shape: []int{1}}, {Name: "x", Ragged: true}}
		},
		"pad_batch batch_sizes":          func(c *Config) { c.MaxBatchSize, c.PadBatch, c.BatchSizes = 0, true, []int{1} },
		"warmup[0].name":                 func(c *Config) { c.Warmup = []WarmupSample{{}} },
		"warmup[1].name":                 func(c *Config) { c.Warmup = []WarmupSample{{Name: "a"}, {Name: "a"}} },
		"warmup[0].rows warmup[0].count": func(c *Config) { c.Warmup = []WarmupSample{{Name: "a", Rows: 65, Count: -1}} },
		"warmup[0].rows":                 func(c *Config) { c.MaxBatchSize = 0; c.Warmup = []WarmupSample{{Name: "a", Rows: 2}} },
		"warmup[0].shapes.x":             func(c *Config) { c.Warmup = []WarmupSample{{Name: "a", Shapes: map[string][]int{"x": {-1}}}} },
		"warmup":                         func(c *Config) { c.Warmup = make([]WarmupSample, 101) },
	} {
		c := DefaultConfig()
		change(&c)
		ps := c.Validate()
		if got := paths(ps); got != strings.TrimSpace(want) {
			t.Errorf("got problems %v, want at %q", ps, want)
		}
	}
}

func TestQueueWithoutBatches(t *testing.T) {
	c := DefaultConfig()
	c.MaxBatchSize = 0
	if c.QueueLimit() != 256 {
		t.Errorf("%d requests", c.QueueLimit())
	}
	c.QueueRows = 1
	if ps := c.Validate(); len(ps) > 0 || c.QueueLimit() != 1 {
		t.Errorf("%v, %d requests", ps, c.QueueLimit())
	}
}

func TestCheckSignatureOfVaryingSizes(t *testing.T) {
	open := Port{"tokens", Int64, []int{-1}}
	sig := &Signature{Batched: true, Inputs: []Port{open, {"x", Float32, []int{2}}}, Outputs: []Port{{"y", Float32, []int{-1}}}}
	for want, c := range map[string]Config{
		"":                                 {Inputs: []InputBinding{{Name: "tokens", Ragged: true, Pad: 7}}},
		" ":                                {Warmup: []WarmupSample{{Name: "a", Rows: 3, Inputs: map[string][]any{"tokens": {1, 2, 3}}}}},
		"inputs[0].name: no input":         {Inputs: []InputBinding{{Name: "token", Ragged: true}}},
		"inputs[0].pad: want an integer":   {Inputs: []InputBinding{{Name: "tokens", Ragged: true, Pad: "1.5"}}},
		"inputs[0].ragged: one size":       {Inputs: []InputBinding{{Name: "x", Ragged: true}}},
		"inputs[0].features: input tokens": {Inputs: []InputBinding{{Name: "x", Features: []string{"a", "b"}}}},
		"prediction.output: fixed size":    {Prediction: Prediction{Output: "y"}},
		"fallback: fixed size":             {Fallback: map[string][]any{"y": {1}}},
		"warmup[0]: no input":              {Warmup: []WarmupSample{{Name: "a", Inputs: map[string][]any{"z": {1}}}}},
		"warmup[0]: want an integer":       {Warmup: []WarmupSample{{Name: "a", Inputs: map[string][]any{"tokens": {"x"}}}}},
		"outputs[0]: no output":            {Outputs: []string{"z"}},
	} {
		ps := fmt.Sprint(c.CheckSignature(sig))
		path, word, _ := strings.Cut(want, ": ")
		if want = strings.TrimSpace(want); want == "" && ps != "[]" || want != "" && (!strings.Contains(ps, path) || !strings.Contains(ps, word)) {
			t.Errorf("got %s, want %q", ps, want)
		}
	}
	whole := &Signature{Inputs: []Port{open}, Outputs: []Port{{"y", Float32, []int{2}}}}
	c := Config{Inputs: []InputBinding{{Name: "tokens", Ragged: true}}, Warmup: []WarmupSample{{Name: "a", Rows: 2}}}
	if got := paths(c.CheckSignature(whole)); got != "inputs[0].ragged warmup[0].rows" {
		t.Error(got)
	}
}

func TestPadData(t *testing.T) {
	for _, c := range []struct {
		d    DType
		pad  any
		want []byte
	}{
		{Float32, nil, nil}, {Float32, -1, []byte{0, 0, 128, 191}}, {Float16, 1.0, []byte{0, 60}}, {BFloat16, 1, []byte{128, 63}},
		{Int64, -2, []byte{254, 255, 255, 255, 255, 255, 255, 255}}, {Uint8, 9, []byte{9}}, {Bool, true, []byte{1}}, {String, "<pad>", []byte("<pad>")}, {String, "", []byte{}},
	} {
		got, err := (&InputBinding{Pad: c.pad}).PadData(c.d)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s %v: %v %v", c.d, c.pad, got, err)
		}
	}
	for d, pad := range map[DType]any{Uint8: 256, Bool: 1, String: 1, Float32: "x", Float16: 1e6} {
		if got, err := (&InputBinding{Pad: pad}).PadData(d); err == nil {
			t.Errorf("%s took %v as %v", d, pad, got)
		}
	}
}
