package models

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readGolden(t *testing.T, text string) *Golden {
	t.Helper()
	g, err := ReadGolden(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestReadGoldenRefuses(t *testing.T) {
	one := `{"inputs":{"X":[1]},"outputs":{"Y":[1]}}`
	for text, want := range map[string]string{
		``:                              "EOF",
		`[]`:                            "cannot unmarshal",
		`null`:                          "cases is empty",
		`{"cases":[]}`:                  "cases is empty",
		`{"cases":[` + one + `]} {}`:    "follows the object",
		`{"cases":[` + one + `],"x":1}`: `unknown key "x"`,
		`{"Cases":[` + one + `]}`:       `unknown key "Cases"`,
		`{"cases":[{"input":{"X":[1]},"outputs":{"Y":[1]}}]}`:               `unknown key "input"`,
		`{"cases":[{"inputs":{"X":[1],"X":[2]},"outputs":{"Y":[1]}}]}`:      `key "X" is given twice`,
		`{"tolerance":1,"tolerance":1,"cases":[` + one + `]}`:               `key "tolerance" is given twice`,
		`{"tolerance":-1,"cases":[` + one + `]}`:                            "outside 0 to 1",
		`{"tolerances":{"Y":2},"cases":[` + one + `]}`:                      "each must be 0 to 1",
		`{"tolerances":{"Y":0,"Y":1},"cases":[` + one + `]}`:                `key "Y" is given twice`,
		`{"cases":[{"inputs":{"X":[1]}}]}`:                                  "cases[0] needs",
		`{"cases":[` + strings.Repeat(one+",", MaxGoldenCases) + one + `]}`: "1001 cases",
		`{"cases":[{"inputs":{"X":1},"outputs":{"Y":[1]}}]}`:                "cannot unmarshal",
	} {
		if g, err := ReadGolden(strings.NewReader(text)); err == nil || g != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
	}
	// Ports may be called like our own keys.
	readGolden(t, `{"cases":[{"inputs":{"inputs":[1]},"outputs":{"cases":[1],"Cases":[2]}}]}`)
}

func TestGoldenInput(t *testing.T) {
	l := NewLayout([]Port{{"f", Float32, []int{2}}, {"s", String, []int{2}}, {"i", Int64, nil}, {"b", Bool, nil}, {"u", Uint8, nil}})
	g := readGolden(t, `{"cases":[
		{"inputs":{"f":[1.5,"NaN"],"s":["a",""],"i":[-9007199254740993],"b":[true],"u":[255]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,2]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,2],"s":["a","b"],"i":[1],"b":[true],"u":[256]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,2],"s":["a","b"],"i":[1.5],"b":[true],"u":[1]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,1e39],"s":["a","b"],"i":[1],"b":[true],"u":[1]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1],"s":["a","b"],"i":[1],"b":[true],"u":[1]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,2],"s":["a",1],"i":[1],"b":[true],"u":[1]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,2],"s":["a","b"],"i":[1],"b":[1],"u":[1]},"outputs":{"y":[0]}},
		{"inputs":{"f":[1,"inf"],"s":["a","b"],"i":[1],"b":[true],"u":[1]},"outputs":{"y":[0]}},
		{"inputs":{"g":[1]},"outputs":{"y":[0]}}]}`)
	r := l.NewRow()
	if err := g.Input(0, l, &r); err != nil {
		t.Fatal(err)
	}
	if r.Float32(l.Offset[0]) != 1.5 || !math.IsNaN(float64(r.Float32(l.Offset[0]+4))) || r.StringAt(0) != "a" || r.StringAt(1) != "" ||
		r.Int64(l.Offset[2]) != -9007199254740993 || !r.Bool(l.Offset[3]) || r.Data[l.Offset[4]] != 255 {
		t.Errorf("%+v", r)
	}
	for i, want := range []string{"", "input s BYTES[2] is missing", "256 is not an integer that fits UINT8", "1.5 is not an integer", "does not fit FP32",
		"1 values, want 2", "want a string", "want true or false", `got "inf"`, `no input "g"`} {
		r := l.NewRow()
		err := g.Input(i, l, &r)
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("cases[%d]", i))) {
			t.Errorf("case %d: got %v, want %q", i, err, want)
		}
	}
	if err := g.Check(&Signature{Inputs: l.Ports, Outputs: []Port{{"z", Int64, nil}}}); err == nil || strings.Count(err.Error(), "\n") != 9 {
		t.Errorf("Check must report every case: %v", err)
	}
}

func TestGoldenCompare(t *testing.T) {
	l := NewLayout([]Port{{"p", Float32, []int{2}}, {"d", Float64, nil}, {"i", Int32, nil}, {"s", String, nil}, {"h", Float16, nil}})
	want := map[string]string{"p": "[0.25, 1000]", "d": "[1]", "i": "[-7]", "s": `["yes"]`, "h": "[0.5]"}
	f := func(name string, values string, tolerance float64, got map[string]string, message string) {
		t.Helper()
		text := func(m map[string]string) string {
			var parts []string
			for _, k := range sortedKeys(want) {
				v := want[k]
				if m[k] != "" {
					v = m[k]
				}
				parts = append(parts, fmt.Sprintf("%q:%s", k, v))
			}
			return "{" + strings.Join(parts, ",") + "}"
		}
		expected := map[string]string{}
		if values != "" {
			expected[name] = values
		}
		g := readGolden(t, fmt.Sprintf(`{"source":"test","tolerance":%v,"cases":[{"inputs":{"x":[1]},"outputs":%s}]}`, tolerance, text(expected)))
		row := l.NewRow()
		var outputs map[string][]any
		dec := json.NewDecoder(strings.NewReader(text(got)))
		dec.UseNumber()
		if err := dec.Decode(&outputs); err != nil {
			t.Fatal(err)
		}
		for k, v := range outputs {
			if err := putPort(&row, l, l.Port(k), v); err != nil {
				t.Fatal(err)
			}
		}
		err := g.Compare(0, l, &row)
		if (message == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, want %q", name, err, message)
		}
	}
	f("", "", 0, nil, "")
	f("absolute", "", 1e-3, map[string]string{"p": "[0.2505, 1000]"}, "")
	f("relative", "", 1e-3, map[string]string{"p": "[0.25, 1000.9]"}, "")
	f("over", "", 1e-3, map[string]string{"p": "[0.25, 1001.1]"}, "cases[0]: output p element 1: want 1000, got 1001.1 (FP32, tolerance 0.001, outputs of \"test\")")
	f("double", "", 1e-5, map[string]string{"d": "[1.0001]"}, "output d element 0: want 1, got 1.0001")
	f("integers are exact", "", 1, map[string]string{"i": "[-8]"}, "output i element 0: want -7, got -8")
	f("strings are exact", "", 1, map[string]string{"s": `["no"]`}, `output s element 0: want "yes", got "no"`)
	f("half", "", 1e-5, map[string]string{"h": "[0.501]"}, "output h element 0: want 0.5")
	f("NaN", "", 1, map[string]string{"d": `["NaN"]`}, "want 1, got NaN")
	f("d", `["NaN"]`, 1, map[string]string{"d": `["NaN"]`}, "")
	f("d", `["NaN"]`, 1, map[string]string{"d": `[1]`}, "want NaN, got 1")
	f("d", `["Infinity"]`, 1, map[string]string{"d": `["Infinity"]`}, "")
	f("d", `["Infinity"]`, 1, map[string]string{"d": `["-Infinity"]`}, "want +Inf, got -Inf")
	f("d", `["Infinity"]`, 1, map[string]string{"d": `[1]`}, "want +Inf")
	f("infinite", "", 1, map[string]string{"d": `["Infinity"]`}, "want 1, got +Inf")
}

// Every half survives the way to float32 and back, and rounding is to even.
func TestGoldenTolerancesOfSingleOutputs(t *testing.T) {
	sig := &Signature{Batched: true, Inputs: []Port{{"x", Float32, nil}}, Outputs: []Port{{"a", Float32, nil}, {"b", Float32, nil}}}
	l := NewLayout(sig.Outputs)
	g := readGolden(t, `{"tolerance":0.001,"tolerances":{"b":0.1},"cases":[{"inputs":{"x":[1]},"outputs":{"a":[1],"b":[1]}}]}`)
	if err := g.Check(sig); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b float32
		want string
	}{{1.001, 1.15, ""}, {1.01, 1, "output a"}, {1, 1.3, "tolerance 0.1"}} {
		row := l.NewRow()
		row.PutFloat32(l.Offset[0], c.a)
		row.PutFloat32(l.Offset[1], c.b)
		if err := g.Compare(0, l, &row); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: got %v, want %q", c.a, c.b, err, c.want)
		}
	}
	g = readGolden(t, `{"tolerances":{"c":0.1},"cases":[{"inputs":{"x":[1]},"outputs":{"a":[1]}}]}`)
	if err := g.Check(sig); err == nil || !strings.Contains(err.Error(), `no output "c"`) {
		t.Errorf("got %v", err)
	}
}

func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		v := float16Value(uint16(h))
		if v != v {
			if b := float16Bits(v); b&0x7c00 != 0x7c00 || b&0x3ff == 0 {
				t.Fatalf("NaN %04x became %04x", h, b)
			}
			continue
		}
		if b := float16Bits(v); b != uint16(h) {
			t.Fatalf("%04x (%v) became %04x", h, v, b)
		}
	}
	for v, want := range map[float32]uint16{0.5: 0x3800, -2: 0xc000, 65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, 1 + 1./2048: 0x3c00,
		1 + 3./2048: 0x3c02, 1e-8: 0, 5.9604645e-8: 1, 6.097555e-05: 0x3ff, 6.1035156e-05: 0x400} {
		if got := float16Bits(v); got != want {
			t.Errorf("%v: got %04x, want %04x", v, got, want)
		}
	}
	for v, want := range map[float32]uint16{1: 0x3f80, -2: 0xc000, 1.00390625: 0x3f80, 1.01171875: 0x3f82, 3.4e38: 0x7f80} {
		if got := bfloat16Bits(v); got != want {
			t.Errorf("bfloat16 %v: got %04x, want %04x", v, got, want)
		}
	}
}

func TestDemoGoldens(t *testing.T) {
	names, err := filepath.Glob("demo/repository/*/*/golden.json")
	if err != nil || len(names) < 4 {
		t.Fatalf("%v %v", names, err)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := ReadGolden(f)
		f.Close()
		if err != nil || !strings.Contains(g.Source, "scikit-learn") || g.Tolerance > 1e-5 {
			t.Errorf("%s: %v, %+v", name, err, g)
		}
	}
}

func FuzzReadGolden(f *testing.F) {
	f.Add(`{"source":"s","tolerance":1e-5,"cases":[{"inputs":{"X":[1,"NaN"]},"outputs":{"Y":["a"]}}]}`)
	f.Add(`{"cases":[{"inputs":{"X":[1e400]},"outputs":{"X":[true]}}]}`)
	sig := &Signature{Inputs: []Port{{"X", Float32, []int{2}}}, Outputs: []Port{{"Y", String, nil}, {"X", Bool, nil}}}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ReadGolden(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(g.Cases) == 0 || len(g.Cases) > MaxGoldenCases {
			t.Fatalf("%d cases", len(g.Cases))
		}
		_ = g.Check(sig)
	})
}
