package models

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func index(i int) *int { return &i }

func paths(ps []Problem) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Path)
	}
	return strings.Join(out, " ")
}

func TestDefaultConfigIsValid(t *testing.T) {
	c := DefaultConfig()
	if ps := c.Validate(); len(ps) != 0 {
		t.Errorf("%v", ps)
	}
	if c.QueueLimit() != 256 {
		t.Errorf("queue limit %d, want 4 x 64", c.QueueLimit())
	}
	c.QueueRows = 100
	if c.QueueLimit() != 100 {
		t.Errorf("queue limit %d", c.QueueLimit())
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"max_batch_size":                    func(c *Config) { c.MaxBatchSize = -1 },
		"batch_sizes[1]":                    func(c *Config) { c.BatchSizes = []int{8, 8, 64} },
		"batch_sizes[0] batch_sizes[1]":     func(c *Config) { c.BatchSizes = []int{0, 65} },
		"batch_sizes":                       func(c *Config) { c.BatchSizes = []int{1, 8} },
		"instances threads":                 func(c *Config) { c.Instances, c.Threads = 0, 1000 },
		"max_queue_delay run_timeout":       func(c *Config) { c.MaxQueueDelay, c.RunTimeout = -1, time.Hour },
		"queue_rows":                        func(c *Config) { c.QueueRows = 63 },
		"execution_provider features":       func(c *Config) { c.ExecutionProvider, c.Features = "gpu", "" },
		"cuda.device cuda.on_missing":       func(c *Config) { c.CUDA.Device, c.CUDA.OnMissing = -1, "ignore" },
		"cuda.memory_limit_mb":              func(c *Config) { c.CUDA.MemoryLimitMB = -1 },
		"inputs[0].name inputs[0].features": func(c *Config) { c.Inputs = []InputBinding{{}} },
		"inputs[0].features[1]":             func(c *Config) { c.Inputs = []InputBinding{{Name: "X", Features: []string{"a.b", "a.b"}}} },
		"inputs[0].features[0] inputs[1].name": func(c *Config) {
			c.Inputs = []InputBinding{{Name: "X", Features: []string{"user."}}, {Name: "X", Features: []string{"b"}}}
		},
		"outputs[1]":        func(c *Config) { c.Outputs = []string{"p", "p"} },
		"prediction.output": func(c *Config) { c.Prediction.Index = index(0) },
		"prediction.index":  func(c *Config) { c.Prediction = Prediction{"p", index(-1)} },
		"prediction.output fallback.q fallback.r": func(c *Config) {
			c.Outputs, c.Prediction.Output, c.Fallback = []string{"p"}, "x", map[string][]any{"q": {1}, "r": {1}}
		},
		`fallback["a b"]`: func(c *Config) { c.Fallback = map[string][]any{"a b": {}} },
		"description":     func(c *Config) { c.Description = strings.Repeat("x", 5000) },
	} {
		c := DefaultConfig()
		change(&c)
		ps := c.Validate()
		if got := paths(ps); got != want {
			t.Errorf("got problems %v, want at %s", ps, want)
		}
	}
}

func TestCheckSignature(t *testing.T) {
	sig := &Signature{
		Inputs:  []Port{{"X", Float32, []int{3}}, {"kind", String, nil}},
		Outputs: []Port{{"label", Int64, nil}, {"p", Float32, []int{2}}},
	}
	for want, change := range map[string]func(*Config){
		"": func(c *Config) {
			c.Inputs = []InputBinding{{Name: "X", Features: []string{"a", "b", "c"}}}
			c.Outputs = []string{"p"}
			c.Prediction = Prediction{"p", index(1)}
			c.Fallback = map[string][]any{"p": {0.5, int64(1)}}
		},
		"inputs[0].name inputs[1].features": func(c *Config) {
			c.Inputs = []InputBinding{{Name: "x", Features: []string{"a"}}, {Name: "kind", Features: []string{"a", "b"}}}
		},
		"outputs[0]":        func(c *Config) { c.Outputs = []string{"prob"} },
		"prediction.output": func(c *Config) { c.Prediction = Prediction{"prob", nil} },
		"prediction.index":  func(c *Config) { c.Prediction = Prediction{"p", nil} },
		"prediction.index ": func(c *Config) { c.Prediction = Prediction{"p", index(2)} },
		"fallback.label fallback.p fallback.q": func(c *Config) {
			c.Fallback = map[string][]any{"label": {0.5}, "p": {1.0}, "q": {1}}
		},
		"fallback": func(c *Config) { c.Fallback = map[string][]any{"p": {0.5, 0.5}} },
	} {
		c := DefaultConfig()
		change(&c)
		ps := c.CheckSignature(sig)
		if got := paths(ps); got != strings.TrimSpace(want) {
			t.Errorf("got %v, want %q", ps, want)
		}
	}
	c := DefaultConfig()
	c.Inputs = []InputBinding{{Name: "x", Features: []string{"a"}}}
	if got := fmt.Sprint(c.CheckSignature(sig)); !strings.Contains(got, `no input "x"; it has X, kind`) {
		t.Errorf("message does not help: %s", got)
	}
}

func TestFallbackRow(t *testing.T) {
	l := NewLayout([]Port{{"label", String, nil}, {"p", Float32, []int{2}}})
	c := DefaultConfig()
	if _, ok, err := c.FallbackRow(l); ok || err != nil {
		t.Errorf("a config without a fallback gave one, %v", err)
	}
	c.Fallback = map[string][]any{"label": {"yes"}, "p": {0.25, int64(1)}}
	row, ok, err := c.FallbackRow(l)
	if !ok || err != nil || row.StringAt(0) != "yes" || row.Float32(l.Offset[1]) != 0.25 || row.Float32(l.Offset[1]+4) != 1 {
		t.Errorf("%+v %v %v", row, ok, err)
	}
	for _, bad := range []map[string][]any{{"q": {1}}, {"p": {1e39, 0.0}}} {
		c.Fallback = bad
		if _, ok, err := c.FallbackRow(l); ok || err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
