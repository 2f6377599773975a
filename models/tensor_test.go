package models

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		n     int
		ok    bool
	}{
		{nil, 1, true}, {[]int64{3, 4}, 12, true}, {[]int64{0, 4}, 0, true}, {[]int64{4, -1}, 0, false},
		{[]int64{1 << 37}, 1 << 37, true}, {[]int64{1<<37 + 1}, 0, false}, {[]int64{1 << 62}, 0, false}, {[]int64{math.MaxInt64}, 0, false},
		{[]int64{1 << 20, 1 << 20}, 0, false}, {[]int64{1 << 32, 1 << 32, 1 << 32}, 0, false}, {[]int64{0, math.MaxInt64}, 0, true},
	} {
		if n, ok := Elements(c.shape); ok != c.ok || ok && n != c.n {
			t.Errorf("%v: %d %v, want %d %v", c.shape, n, ok, c.n, c.ok)
		}
	}
}

// A shape whose size in bytes would overflow to 0 is no shape for no bytes.
func TestCheckData(t *testing.T) {
	strings2 := AppendStringElement(AppendStringElement(nil, "a"), "")
	for want, x := range map[string]Tensor{
		"":                                 {DType: Float32, Shape: []int64{2}, Data: make([]byte, 8)},
		" ":                                {DType: String, Shape: []int64{2}, Data: strings2},
		"  ":                               {DType: Bool, Shape: []int64{}, Data: []byte{1}},
		"   ":                              {DType: Int64, Shape: []int64{5, 0}},
		"needs 8 bytes, got 7":             {DType: Float32, Shape: []int64{2}, Data: make([]byte, 7)},
		"is not a size that can be sent":   {DType: Float64, Shape: []int64{1 << 61}},
		"shape [-1] is not a size":         {DType: Float64, Shape: []int64{-1}},
		"33 dimensions":                    {DType: Bool, Shape: slices.Repeat([]int64{1}, 33), Data: []byte{1}},
		"needs 3 strings":                  {DType: String, Shape: []int64{3}, Data: strings2},
		"the data holds 2":                 {DType: String, Shape: []int64{1}, Data: strings2},
		"shape [2] needs 2 strings":        {DType: String, Shape: []int64{2}, Data: strings2[:7]},
		"shape [1] needs 1 strings, each ": {DType: String, Shape: []int64{1}, Data: []byte{255, 255, 255, 255, 1}},
	} {
		switch err := x.CheckData(); {
		case strings.TrimSpace(want) == "":
			if err != nil {
				t.Errorf("%v: %v", x, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%v %v: got %v, want %q", x.DType, x.Shape, err, want)
		}
	}
}

func TestCutRows(t *testing.T) {
	text := Tensor{Name: "t", DType: String, Shape: []int64{3, 2}}
	for i := range 6 {
		text.Data = AppendStringElement(text.Data, strings.Repeat("x", i))
	}
	number := Tensor{Name: "n", DType: Uint16, Shape: []int64{3}, Data: []byte{1, 0, 2, 0, 3, 0}}
	got, err := CutRows([]Tensor{text, number}, 3, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[1].Data, number.Data[2:]) || !slices.Equal(got[0].Shape, []int64{2, 2}) || !bytes.HasSuffix(text.Data, got[0].Data) {
		t.Errorf("%+v", got)
	}
	if n, err := CountStrings(got[0].Data); n != 4 || err != nil {
		t.Errorf("%d strings, %v", n, err)
	}
	if text.Shape[0] != 3 {
		t.Error("the whole was changed")
	}
	if _, err := CutRows([]Tensor{number}, 2, 0, 1); err == nil || !strings.Contains(err.Error(), "max_batch_size: 0") {
		t.Errorf("%v", err)
	}
}

func TestExampleTensors(t *testing.T) {
	sig := &Signature{Batched: true, Inputs: []Port{
		{"x", Float32, []int{2}}, {"s", String, []int{-1}}, {"open", Int8, []int{-1, -1}}}}
	text := func(e Example, rows int) string {
		in, err := e.Tensors(sig, rows)
		if err != nil {
			return err.Error()
		}
		var parts []string
		for _, x := range in {
			if err := x.CheckData(); err != nil {
				t.Error(err)
			}
			parts = append(parts, fmt.Sprintf("%s%s %x", x.Name, ShapeText(x.Shape), x.Data))
		}
		return strings.Join(parts, " ")
	}
	for want, got := range map[string]string{
		"x[1,2] 0000000000000000 s[1,1] 00000000 open[1,1,1] 00":                                                                       text(Example{}, 1),
		"x[2,2] 00000000000000000000000000000000 s[2,3] " + strings.Repeat("00000000", 6) + " open[2,3,3] " + strings.Repeat("00", 18): text(Example{Open: 3}, 2),
		"x[2,2] 0000803f000000400000803f00000040 s[2,2] 010000006102000000c3b6010000006102000000c3b6 open[2,1,2] 07080708": text(
			Example{Inputs: map[string][]any{"x": {1, 2.0}, "s": {"a", "ö"}, "open": {7, 8}}, Shapes: map[string][]int{"open": {1, 2}}}, 2),
		"input open: shape [-1 -1] has more than one open dimension: give its shape (shapes)":            text(Example{Inputs: map[string][]any{"open": {7, 8}}}, 1),
		"input open: shape [3] does not fit [-1 -1]":                                                     text(Example{Shapes: map[string][]int{"open": {3}}}, 1),
		"input x: shape [3] does not fit [2]":                                                            text(Example{Shapes: map[string][]int{"x": {3}}}, 1),
		"input x: 3 values, want 2 for x FP32[2]":                                                        text(Example{Inputs: map[string][]any{"x": {1, 2, 3}}}, 1),
		`the model has no input "y"; it has x, s, open`:                                                  text(Example{Inputs: map[string][]any{"y": {1}}}, 1),
		`the model has no input "z"; it has x, s, open`:                                                  text(Example{Shapes: map[string][]int{"z": {1}}}, 1),
		"input open: shape [70000 1000] of INT8 is over the limit of 67108864 bytes and 1048576 strings": text(Example{Shapes: map[string][]int{"open": {70000, 1000}}}, 1),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	even := &Signature{Inputs: []Port{{"x", Uint8, []int{-1, 2}}}}
	if _, err := (&Example{Inputs: map[string][]any{"x": {1, 2, 3}}}).Tensors(even, 1); err == nil || !strings.Contains(err.Error(), "3 values do not fill shape [-1 2]") {
		t.Errorf("%v", err)
	}
}

// Random values are numbers in every type: finite, and integers that are an index
// or a flag as well.
func TestRandomExamples(t *testing.T) {
	for d := Bool; d <= String; d++ {
		sig := &Signature{Inputs: []Port{{"x", d, []int{40}}}}
		e := &Example{Random: true}
		in, err := e.Tensors(sig, 1)
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.Tensors(sig, 1)
		if err != nil || !bytes.Equal(in[0].Data, again[0].Data) {
			t.Errorf("%s: another time other values", d)
		}
		if err := in[0].CheckData(); err != nil || NonFiniteData(d, in[0].Data) || len(bytes.Trim(in[0].Data, "\x00")) == 0 {
			t.Errorf("%s: %v %x", d, err, in[0].Data)
		}
		if d == Int32 {
			for x := in[0].Data; len(x) > 0; x = x[4:] {
				if v := binary.LittleEndian.Uint32(x); v > 1 {
					t.Errorf("%d", v)
				}
			}
		}
	}
}

func TestSignatureOfVaryingSizes(t *testing.T) {
	fixed := Signature{Inputs: []Port{{"x", Float32, []int{2}}}, Outputs: []Port{{"y", Float32, []int{}}}}
	varies := Signature{Batched: true, Inputs: fixed.Inputs, Outputs: []Port{{"y", Float32, []int{-1, 3}}}}
	empty := Signature{Inputs: []Port{{"x", Float32, []int{0}}}, Outputs: fixed.Outputs}
	for _, s := range []*Signature{&fixed, &varies, &empty} {
		if err := s.Validate(); err != nil || s.Dynamic() != (s != &fixed) {
			t.Errorf("%+v: %v, dynamic %v", s, err, s.Dynamic())
		}
	}
	for want, p := range map[string]Port{
		"over the limit of 67108864 bytes": {"x", Float32, []int{-1, 1 << 25}},
		"is over the limit":                {"x", Float32, []int{1 << 40, 1 << 40}},
		"32 dimensions":                    {"x", Float32, slices.Repeat([]int{1}, 32)},
		"not supported":                    {"x", Invalid, nil},
	} {
		s := Signature{Inputs: []Port{p}, Outputs: fixed.Outputs}
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", p, err, want)
		}
	}
}
