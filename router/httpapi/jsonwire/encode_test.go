package jsonwire

import (
	"encoding/binary"
	stdjson "encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"hotpath/models"
)

func std(t *testing.T, v any) string {
	t.Helper()
	b, err := stdjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var floats = []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1.0 / 3, 1e-6, 9.99e-7, 1e-7, 1.5e-9, 1e-10, 1e20, 1e21, 1e22, 123456789, 16777216, 16777217,
	16777218, 1e15, 1e15 + 1, 999999999999999, -1e15, math.MaxFloat32, math.MaxFloat64, math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat64,
	0.98765432, 9007199254740993, 1 << 62, -(1 << 63), 1 << 63, 100, 1e5, 33554432, 8388608.5}

func TestFloatsAreWrittenAsEncodingJSONDoes(t *testing.T) {
	for _, v := range floats {
		if got, want := string(AppendFloat64(nil, v)), std(t, v); got != want {
			t.Errorf("float64 %v: got %s, want %s", v, got, want)
		}
		if f := float32(v); Finite(float64(f)) {
			if got, want := string(AppendFloat32(nil, f)), std(t, f); got != want {
				t.Errorf("float32 %v: got %s, want %s", f, got, want)
			}
		}
	}
}

func FuzzFloats(f *testing.F) {
	for _, v := range floats {
		f.Add(math.Float64bits(v))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		for _, v := range []float64{math.Float64frombits(bits), float64(int64(bits) >> (bits & 63))} {
			if Finite(v) {
				if got, want := string(AppendFloat64(nil, v)), std(t, v); got != want {
					t.Fatalf("float64 %v: got %s, want %s", v, got, want)
				}
			}
		}
		for _, v := range []float32{math.Float32frombits(uint32(bits)), float32(int32(bits) >> (bits >> 59))} {
			if Finite(float64(v)) {
				if got, want := string(AppendFloat32(nil, v)), std(t, v); got != want {
					t.Fatalf("float32 %v: got %s, want %s", v, got, want)
				}
			}
		}
	})
}

func TestFinite(t *testing.T) {
	for v, want := range map[float64]bool{0: true, -1: true, math.MaxFloat64: true, math.Inf(1): false, math.Inf(-1): false} {
		if Finite(v) != want {
			t.Errorf("Finite(%v) is %v", v, !want)
		}
	}
	if Finite(math.NaN()) {
		t.Error("NaN is finite")
	}
}

func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"plain":                  `"plain"`,
		"\"\\/":                  `"\"\\/"`,
		"\b\f\n\r\t\x00\x1f\x7f": "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"",
		"é€😀<&>":                 `"é€😀<&>"`,
		"a\xffb\xc3":             "\"a\ufffdb\ufffd\"",
		"\u2028a\u2029":          `"\u2028a\u2029"`,
		"\ufffd":                 "\"\ufffd\"",
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestErrorBody(t *testing.T) {
	got := string(AppendError([]byte("x"), "bad_features", "must be \"a number\"", "features.a", []byte("r1")))
	if want := `x{"error":{"code":"bad_features","message":"must be \"a number\"","field":"features.a","request_id":"r1"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(AppendError(nil, "internal", "m", "", nil)), `{"error":{"code":"internal","message":"m"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// tensor lays elements, given as their bits, out in the second port of a row.
func tensor(d models.DType, shape []int, elements ...uint64) (*models.Layout, *models.Row) {
	l := models.NewLayout([]models.Port{{Name: "other", DType: models.Bool, Shape: []int{3}}, {Name: "t", DType: d, Shape: shape}})
	row := l.NewRow()
	for i, e := range elements {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], e)
		copy(row.Data[l.Offset[1]+i*d.Size():], b[:d.Size()])
	}
	return l, &row
}

func TestTensors(t *testing.T) {
	f32 := func(v float32) uint64 { return uint64(math.Float32bits(v)) }
	neg := func(v int64) uint64 { return uint64(v) }
	for _, c := range []struct {
		dtype    models.DType
		shape    []int
		elements []uint64
		want     string // empty: ok is false
	}{
		{models.Float32, nil, []uint64{f32(0.1)}, `0.1`},
		{models.Float32, []int{1}, []uint64{f32(0.5)}, `0.5`},
		{models.Float32, []int{1, 1}, []uint64{f32(0.5)}, `[[0.5]]`},
		{models.Float32, []int{2}, []uint64{f32(0.1), f32(0.9)}, `[0.1,0.9]`},
		{models.Float32, []int{2, 3}, []uint64{f32(1), f32(2), f32(3), f32(4), f32(5), f32(6.5)}, `[[1,2,3],[4,5,6.5]]`},
		{models.Float32, []int{2, 1, 2}, []uint64{f32(1), f32(2), f32(3), f32(1e-9)}, `[[[1,2]],[[3,1e-9]]]`},
		{models.Float32, []int{2}, []uint64{f32(1), f32(float32(math.NaN()))}, ``},
		{models.Float32, nil, []uint64{f32(float32(math.Inf(-1)))}, ``},
		{models.Float64, []int{2}, []uint64{math.Float64bits(0.1), math.Float64bits(1.0 / 3)}, `[0.1,0.3333333333333333]`},
		{models.Float64, []int{2}, []uint64{math.Float64bits(0.1), math.Float64bits(math.Inf(1))}, ``},
		{models.Float16, []int{5}, []uint64{0x2e66, 0x3c00, 0xc000, 0x0001, 0x7bff}, `[0.1,1,-2,6e-8,65500]`},
		{models.Float16, nil, []uint64{0x7c00}, ``},
		{models.Float16, nil, []uint64{0x7e00}, ``},
		{models.BFloat16, []int{3}, []uint64{0x3dcd, 0x3f80, 0x8000}, `[0.1,1,-0]`},
		{models.BFloat16, nil, []uint64{0x7f80}, ``},
		{models.Bool, []int{2}, []uint64{1, 0}, `[true,false]`},
		{models.Int8, []int{3}, []uint64{neg(-128), 127, neg(-1)}, `[-128,127,-1]`},
		{models.Int16, []int{2}, []uint64{neg(math.MinInt16), math.MaxInt16}, `[-32768,32767]`},
		{models.Int32, []int{2}, []uint64{neg(math.MinInt32), math.MaxInt32}, `[-2147483648,2147483647]`},
		{models.Int64, []int{2}, []uint64{neg(math.MinInt64), math.MaxInt64}, `[-9223372036854775808,9223372036854775807]`},
		{models.Uint8, []int{2}, []uint64{0, 255}, `[0,255]`},
		{models.Uint16, nil, []uint64{65535}, `65535`},
		{models.Uint32, nil, []uint64{math.MaxUint32}, `4294967295`},
		{models.Uint64, nil, []uint64{math.MaxUint64}, `18446744073709551615`},
		{models.Invalid, nil, nil, ``},
	} {
		l, row := tensor(c.dtype, c.shape, c.elements...)
		got, ok := AppendTensor([]byte("x"), l, 1, row)
		if ok != (c.want != "") || ok && string(got) != "x"+c.want {
			t.Errorf("%v %v: got %s %v, want %s", c.dtype, c.shape, got, ok, c.want)
		}
		wantElements(t, l, row, c.want)
	}
}

// wantElements compares the elements of port 1, one by one, with what the whole
// tensor is written as.
func wantElements(t *testing.T, l *models.Layout, row *models.Row, tensor string) {
	t.Helper()
	if tensor == "" {
		return
	}
	flat := strings.Split(strings.NewReplacer("[", "", "]", "").Replace(tensor), ",")
	if len(flat) != l.Ports[1].Width() {
		t.Fatalf("%s has %d elements, want %d", tensor, len(flat), l.Ports[1].Width())
	}
	for e, want := range flat {
		if got, ok := AppendElement([]byte("x"), l, 1, e, row); !ok || string(got) != "x"+want {
			t.Errorf("%v: element %d is %s %v, want %s", l.Ports[1], e, got, ok, want)
		}
	}
}

func TestElementNotFinite(t *testing.T) {
	l, row := tensor(models.Float64, []int{2}, math.Float64bits(0.5), math.Float64bits(math.NaN()))
	if got, ok := AppendElement(nil, l, 1, 0, row); !ok || string(got) != "0.5" {
		t.Errorf("element 0 is %s %v", got, ok)
	}
	if _, ok := AppendElement(nil, l, 1, 1, row); ok {
		t.Error("element 1 is NaN and was written")
	}
}

func TestStringTensor(t *testing.T) {
	l := models.NewLayout([]models.Port{{Name: "a", DType: models.String}, {Name: "b", DType: models.String, Shape: []int{2, 1}}})
	row := l.NewRow()
	row.SetString(0, []byte("zero"))
	row.SetString(1, []byte("\"one\""))
	for i, want := range []string{`"zero"`, `[["\"one\""],[""]]`} {
		if got, ok := AppendTensor(nil, l, i, &row); !ok || string(got) != want {
			t.Errorf("port %d: got %s %v, want %s", i, got, ok, want)
		}
	}
	if got, ok := AppendElement(nil, l, 1, 0, &row); !ok || string(got) != `"\"one\""` {
		t.Errorf("element 0 of port 1 is %s %v", got, ok)
	}
}

// Every finite value of both 16-bit types reads back as itself, in no more
// digits than its float32 needs.
func TestHalvesReadBack(t *testing.T) {
	for _, d := range []models.DType{models.Float16, models.BFloat16} {
		h := halfOf(d)
		for b := range 1 << 16 {
			v := h.value(uint16(b))
			if !Finite(float64(v)) {
				continue
			}
			text := string(h.append(nil, v))
			back, err := strconv.ParseFloat(text, 64)
			if err != nil || h.round(back) != float64(v) || math.Signbit(back) != math.Signbit(float64(v)) {
				t.Fatalf("%v %04x is %v, written %s, read back as %v (%v)", d, b, v, text, h.round(back), err)
			}
			if long := AppendFloat32(nil, v); digitsIn(text) > digitsIn(string(long)) {
				t.Fatalf("%v %04x is written %s, as a float32 %s", d, b, text, long)
			}
		}
	}
}

// digitsIn counts a number's significant digits.
func digitsIn(s string) int {
	n, zeros := 0, 0
	for _, c := range s {
		switch {
		case c == 'e':
			return n
		case c == '0':
			zeros++
		case c > '0' && c <= '9':
			if n > 0 {
				n += zeros
			}
			n, zeros = n+1, 0
		}
	}
	return n
}
