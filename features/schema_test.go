package features

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hotpath/models"
)

func TestCompileSchemaReportsEverything(t *testing.T) {
	no := false
	_, err := CompileSchema(SchemaConfig{
		Entities: map[string]EntityConfig{
			"us er": {Features: map[string]FeatureConfig{"a": {Type: "float", Default: 1.0}}},
			"user": {Key: "features:user", Features: map[string]FeatureConfig{
				"a.b":  {Type: "float", Default: 1.0},
				"_ts":  {Type: "int", Default: uint64(1)},
				"kind": {Type: "double", Default: 1.0},
				"none": {Type: "float"},
				"text": {Type: "float", Default: "x"},
				"frac": {Type: "int", Default: 1.5},
				"str":  {Type: "string", Default: uint64(1)},
				"wide": {Type: "float", Width: 3, Default: []any{1.0, 2.0}},
				"elem": {Type: "bool", Width: 2, Default: []any{true, "maybe"}},
				"deep": {Type: "float", Width: -1, MaxAge: -time.Second, OnStale: "panic", Default: 1.0},
			}},
			"empty": {},
		},
		Request: map[string]FeatureConfig{
			"amount": {Type: "float", MaxAge: time.Hour, OnMissing: "error", Override: &no},
			"":       {Type: "float"},
		},
	})
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error %v (%T)", err, err)
	}
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	want := []string{
		"entities.empty.features",
		"entities.us er",
		"entities.user.features._ts",
		"entities.user.features.a.b",
		"entities.user.features.deep.max_age",
		"entities.user.features.deep.on_stale",
		"entities.user.features.deep.width",
		"entities.user.features.elem.default[1]",
		"entities.user.features.frac.default",
		"entities.user.features.kind.type",
		"entities.user.features.none.default",
		"entities.user.features.str.default",
		"entities.user.features.text.default",
		"entities.user.features.wide.default",
		"entities.user.key",
		"request.",
		"request.amount.max_age",
		"request.amount.on_missing",
		"request.amount.override",
	}
	if got := strings.Join(paths, "\n"); got != strings.Join(want, "\n") {
		t.Fatalf("paths:\n%s", err)
	}
}

func TestCompileSchemaLimits(t *testing.T) {
	c := SchemaConfig{Entities: map[string]EntityConfig{}}
	for i := range MaxEntities + 1 {
		c.Entities[fmt.Sprintf("e%d", i)] = EntityConfig{Features: map[string]FeatureConfig{"f": {Type: "float", Default: 1.0}}}
	}
	many := map[string]FeatureConfig{}
	for i := range MaxFeatures {
		many[fmt.Sprintf("f%d", i)] = FeatureConfig{Type: "float", Default: 1.0}
	}
	c.Entities["many"] = EntityConfig{Features: many}
	_, err := CompileSchema(c)
	if err == nil || !strings.Contains(err.Error(), "over the limit of 256") || !strings.Contains(err.Error(), "over the limit of 10000") {
		t.Fatalf("error %v", err)
	}
}

func TestOptionsValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatalf("defaults: %v", err)
	}
	var none Options
	err := none.Validate()
	for _, name := range []string{"addresses", "mode", "workers", "max_batch", "queue", "connections", "dial_timeout",
		"write_timeout", "keep_alive", "heal_interval", "read_buffer", "write_buffer", "max_value_bytes"} {
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("zero %s is not reported: %v", name, err)
		}
	}
	for want, change := range map[string]func(*Options){
		"master_set":         func(o *Options) { o.Mode = Sentinel },
		"db":                 func(o *Options) { o.Mode, o.DB = Cluster, 1 },
		"addresses[0]":       func(o *Options) { o.Addresses = []string{"redis"} },
		"one address, got 2": func(o *Options) { o.Addresses = []string{"a:1", "b:1"} },
		"tls.enabled":        func(o *Options) { o.TLS.CAFile = "ca.pem" },
		"recent_copies":      func(o *Options) { o.Copies.MaxAge = 0 },
	} {
		o := DefaultOptions()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

func TestTLSAuthorities(t *testing.T) {
	o := DefaultOptions()
	o.TLS = TLS{Enabled: true, CAFile: t.TempDir() + "/none.pem"}
	if _, err := OpenWriter(o, testSchema(t, 0)); err == nil || !strings.Contains(err.Error(), "tls.ca_file") {
		t.Fatalf("error %v", err)
	}
}

// TestViewProblems: every problem of a binding is told, with what was meant.
func TestViewProblems(t *testing.T) {
	s, _ := openStore(t, testOptions("127.0.0.1:1"), testSchema(t, 2))
	ports := []models.Port{
		{Name: "X", DType: models.Float32, Shape: []int{3}},
		{Name: "H", DType: models.Float16, Shape: []int{2}},
		{Name: "I", DType: models.Int64, Shape: []int{1}},
		{Name: "amount", DType: models.Float32, Shape: []int{2}},
	}
	_, err := s.View(models.NewLayout(ports), []models.Binding{
		{Port: 0, Features: []string{"user.agee", "usr.age", "user.country"}},
		{Port: 1, Features: []string{"user.country", "user.f0"}},
		{Port: 2, Features: []string{"user.f0"}},
		{Port: 2, Features: []string{"user.age"}},
		{Port: 9},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`no feature "agee"; did you mean age?`,
		`no entity "usr"; did you mean user?`,
		"user.country of type string cannot fill FP32",
		"user.country of type string cannot fill FP16 elements",
		"user.f0 of type float cannot fill INT64",
		"input I is bound twice",
		"the model has no input 9",
		"request.amount has width 1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in\n%v", want, err)
		}
	}
}

func TestViewWidths(t *testing.T) {
	s, _ := openStore(t, testOptions("127.0.0.1:1"), testSchema(t, 2))
	layout := models.NewLayout([]models.Port{{Name: "X", DType: models.Float64, Shape: []int{4}}})
	_, err := s.View(layout, []models.Binding{{Port: 0, Features: []string{"user.embed"}}})
	if err == nil || !strings.Contains(err.Error(), "have 3 elements together, the input has 4") {
		t.Fatalf("error %v", err)
	}
	v, err := s.View(layout, []models.Binding{{Port: 0, Features: []string{"user.embed", "user.f0"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Feature(1); got != (FeatureInfo{Name: "user.f0", Entity: "user", Port: 0, Element: 3, Width: 1, DType: models.Float64}) {
		t.Fatalf("feature 1: %+v", got)
	}
	x := newVector(v)
	for i, want := range []float64{0.5, 1, 1.5, -1} {
		if got := x.row.Float64(8 * i); got != want {
			t.Errorf("default element %d = %v, want %v", i, got, want)
		}
	}
}

func TestDefaultMustFitTheInput(t *testing.T) {
	schema, err := CompileSchema(SchemaConfig{Entities: map[string]EntityConfig{
		"u": {Features: map[string]FeatureConfig{"n": {Type: "int", Default: uint64(300)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := openStore(t, testOptions("127.0.0.1:1"), schema)
	_, err = s.View(models.NewLayout([]models.Port{{Name: "X", DType: models.Int8}}), []models.Binding{{Port: 0, Features: []string{"u.n"}}})
	if err == nil || !strings.Contains(err.Error(), "default 300 does not fit INT8") {
		t.Fatalf("error %v", err)
	}
}
