package onnxscan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// str and num append a field; msg joins fields to a message.
func str(n protowire.Number, s string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), s))
}

func num(n protowire.Number, v uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v))
}

func msg(fields ...string) string { return strings.Join(fields, "") }

// model is a whole model around a graph's fields.
func model(graph ...string) []byte {
	return []byte(msg(num(1, 8), str(2, "test"), str(3, "1"), str(8, num(2, 15)), str(7, msg(graph...))))
}

func value(field protowire.Number, name, typ string) string {
	return str(field, str(1, name)+str(2, typ))
}

var (
	dims     = str(2, str(1, str(2, "N"))+str(1, num(1, 30)))
	floatIn  = value(11, "X", str(1, num(1, 1)+dims))
	floatOut = value(12, "Y", str(1, num(1, 1)+dims))
	external = str(8, "w") + str(13, str(1, "location")+str(2, "../../etc/passwd")) + num(14, 1)
)

func TestSummary(t *testing.T) {
	probabilities := str(4, str(1, str(5, num(1, 7)+str(2, str(1, num(1, 1))))))
	b := model(str(1, str(4, "ZipMap")+str(7, "ai.onnx.ml")), str(1, str(4, "Add")),
		floatIn, value(11, "w", str(1, num(1, 7))), str(5, str(8, "w")),
		floatOut, value(12, "p", probabilities), value(12, "opt", str(9, str(1, str(1, num(1, 8))))))
	s, err := Scan(b, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, v := range append(s.Inputs, s.Outputs...) {
		types = append(types, v.Name+" "+v.Type())
	}
	want := "X tensor(FP32)[N,30]; Y tensor(FP32)[N,30]; p seq(map(INT64,tensor(FP32))); opt optional(tensor(BYTES))"
	if got := strings.Join(types, "; "); got != want {
		t.Errorf("got %s", got)
	}
	if s.IRVersion != 8 || s.Producer != "test 1" || s.Nodes != 2 || !s.HasZipMap || len(s.Opsets) != 1 || s.Opsets[0].Version != 15 {
		t.Errorf("%+v", s)
	}
	err = s.CheckOutputs()
	if !errors.Is(err, ErrOutputs) || !strings.Contains(err.Error(), `options={id(model): {"zipmap": False}}`) ||
		!strings.Contains(err.Error(), "p is seq(map") || !strings.Contains(err.Error(), "opt is optional") {
		t.Errorf("got %v", err)
	}
}

// External data is refused wherever a tensor can be.
func TestExternalDataEverywhere(t *testing.T) {
	node := func(attribute ...string) string {
		return str(1, str(3, "n")+str(4, "Constant")+str(5, msg(attribute...)))
	}
	inner := str(5, external)
	for where, b := range map[string][]byte{
		"initializer":                model(str(5, external)),
		"location alone":             model(str(5, num(14, 1))),
		"entry alone":                model(str(5, str(13, ""))),
		"memory address":             model(str(5, str(13, str(1, "location")+str(2, "*/_ORT_MEM_ADDR_/*")))),
		"set and unset again":        model(str(5, num(14, 1)+num(14, 0))),
		"sparse values":              model(str(15, str(1, external))),
		"sparse indices":             model(str(15, str(2, external))),
		"attribute tensor":           model(node(str(5, external))),
		"attribute tensors":          model(node(str(10, external))),
		"attribute sparse":           model(node(str(22, str(1, external)))),
		"attribute sparse list":      model(node(str(23, str(2, external)))),
		"subgraph":                   model(node(str(6, inner))),
		"subgraphs":                  model(node(str(11, inner))),
		"subgraph of a subgraph":     model(node(str(6, node(str(6, inner))))),
		"function":                   append(model(), str(25, str(7, str(5, str(5, external))))...),
		"function attribute":         append(model(), str(25, str(11, str(5, external)))...),
		"training":                   append(model(), str(20, str(1, inner))...),
		"training algorithm":         append(model(), str(20, str(2, inner))...),
		"second graph, to be merged": append(model(), str(7, inner)...),
	} {
		if _, err := Scan(b, DefaultLimits()); !errors.Is(err, ErrExternalData) {
			t.Errorf("%s: got %v", where, err)
		}
	}
	_, err := Scan(model(str(5, external)), DefaultLimits())
	if !strings.Contains(err.Error(), `"../../etc/passwd"`) || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("message does not say what and where: %v", err)
	}
}

func TestOperators(t *testing.T) {
	node := func(domain, op string) string { return str(1, str(3, "n1")+str(4, op)+str(7, domain)) }
	function := str(25, str(1, "Gelu")+str(10, "pkg.local")+str(7, str(4, "Erf")))
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"standard":           {model(node("", "Add"), node("ai.onnx", "Add"), node("ai.onnx.ml", "Scaler"), node("com.microsoft", "FusedGemm")), ""},
		"custom":             {model(node("evil", "Shell")), `evil.Shell (node "n1"): allowed domains are`},
		"custom in subgraph": {model(str(1, str(4, "If")+str(5, str(6, node("evil", "Shell"))))), "evil.Shell"},
		"own function":       {append(model(node("pkg.local", "Gelu")), function...), ""},
		"not that function":  {append(model(node("pkg.local", "Other")), function...), "pkg.local.Other"},
		"in a function":      {append(model(), str(25, str(1, "F")+str(7, str(4, "Shell")+str(7, "evil")))...), "evil.Shell"},
		"compiled context":   {model(node("com.microsoft", "EPContext")), "EPContext"},
	} {
		_, err := Scan(c.b, DefaultLimits())
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrOperator) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	nested := func(depth int) []byte {
		g := floatIn
		for range depth {
			g = str(1, str(4, "If")+str(5, str(6, g)))
		}
		return model(g)
	}
	l := DefaultLimits()
	if _, err := Scan(nested(l.MaxDepth), l); err != nil {
		t.Errorf("at the limit of depth: %v", err)
	}
	for name, f := range map[string]func() ([]byte, Limits){
		"depth": func() ([]byte, Limits) { return nested(l.MaxDepth + 1), l },
		"deep":  func() ([]byte, Limits) { return nested(500), l },
		"bytes": func() ([]byte, Limits) { s := l; s.MaxBytes = 3; return model(), s },
		"nodes": func() ([]byte, Limits) { s := l; s.MaxNodes = 2; return model(str(1, ""), str(1, ""), str(1, "")), s },
		"name":  func() ([]byte, Limits) { return model(value(11, strings.Repeat("x", 5000), "")), l },
		"dimensions": func() ([]byte, Limits) {
			return model(value(11, "X", str(1, str(2, strings.Repeat(str(1, ""), 65))))), l
		},
		"types": func() ([]byte, Limits) {
			typ := str(1, num(1, 1))
			for range 20 {
				typ = str(4, str(1, typ))
			}
			return model(value(12, "Y", typ)), l
		},
	} {
		b, limits := f()
		if _, err := Scan(b, limits); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNotONNX(t *testing.T) {
	whole := model(floatIn, floatOut)
	for name, c := range map[string]struct{ data, want string }{
		"empty":          {"", "empty"},
		"zip":            {"PK\x03\x04rest", "zip archive"},
		"pickle":         {"\x80\x04\x95rest", "pickle"},
		"lfs":            {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
		"html":           {"<!DOCTYPE html>", "HTML"},
		"ort":            {"\x00\x00\x00\x00ORTM....", ".ort format"},
		"zeros":          {string(make([]byte, 100)), "model"},
		"truncated":      {string(whole[:len(whole)-3]), "unexpected EOF"},
		"no graph":       {num(1, 8) + str(8, ""), "no graph"},
		"no opsets":      {num(1, 8) + str(7, floatIn), "operator sets"},
		"no version":     {str(8, "") + str(7, floatIn), "IR version"},
		"wrong type":     {num(1, 8) + num(7, 3), "want a message"},
		"group":          {string(protowire.AppendTag(nil, 7, protowire.StartGroupType)), "wire type 3"},
		"huge length":    {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "model"},
		"name not UTF-8": {string(model(value(11, "\xff", ""))), "UTF-8"},
	} {
		_, err := Scan([]byte(c.data), DefaultLimits())
		if !errors.Is(err, ErrNotONNX) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// files are the models of the repository by folder and version.
func files(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	for _, pattern := range []string{"../testdata/fixtures/*/*/model.onnx", "../demo/repository/*/*/model.onnx", "../demo/candidates/*/*/model.onnx"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files match %s (%v)", pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Dir(name)
			all[filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir)] = data
		}
	}
	return all
}

func TestRealModels(t *testing.T) {
	refused := map[string]error{"external_data/1": ErrExternalData, "custom_domain/1": ErrOperator,
		"garbage/1": ErrNotONNX, "truncated/1": ErrNotONNX, "zipmap/1": ErrOutputs}
	for name, data := range files(t) {
		s, err := Scan(data, DefaultLimits())
		if err == nil {
			err = s.CheckOutputs()
		}
		if want := refused[name]; !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
			continue
		}
		delete(refused, name)
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if len(s.Inputs) == 0 || len(s.Outputs) == 0 || s.Nodes == 0 || s.IRVersion == 0 || s.Producer == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for name := range refused {
		t.Errorf("fixture %s is missing", name)
	}
}

// 200 damaged copies of a real model: an answer or an error, never a panic. Some
// damage is only in weights and cannot be seen here. No truncated copy is accepted.
func TestMutations(t *testing.T) {
	data := files(t)["risk/2"]
	rng := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 200 {
		b := append([]byte(nil), data...)
		for range 1 + rng.IntN(3) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		if s, err := Scan(b, DefaultLimits()); err == nil {
			accepted++
			_ = s.CheckOutputs()
		}
	}
	t.Logf("%d of 200 copies with 1 to 3 flipped bits still have the structure of a model", accepted)
	for i := range 200 {
		if _, err := Scan(data[:len(data)*i/200], DefaultLimits()); err == nil {
			t.Errorf("the first %d of 200 parts are accepted", i)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, data := range files(f) {
		if len(data) < 20_000 {
			f.Add(data)
		}
	}
	f.Add(model(str(5, external), floatIn, floatOut))
	f.Add([]byte(fmt.Sprintf("%s%s", model(), str(25, str(7, str(4, "x"))))))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Scan(data, DefaultLimits())
		if (s == nil) != (err != nil) {
			t.Fatalf("summary %v with error %v", s, err)
		}
		if err == nil {
			_ = s.CheckOutputs()
		}
	})
}
