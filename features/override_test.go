package features

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"hotpath/models"
)

// value makes a request value from JSON, as the router's decoder would.
func value(key, text string) models.Value {
	v := models.Value{Key: []byte(key), Raw: []byte(text)}
	switch text[0] {
	case '"':
		var s string
		if err := json.Unmarshal(v.Raw, &s); err != nil {
			panic(err)
		}
		v.Kind, v.Raw = models.KindString, []byte(s)
	case '[':
		v.Kind = models.KindArray
	case '{':
		v.Kind = models.KindObject
	case 't', 'f':
		v.Kind = models.KindBool
	case 'n':
		v.Kind = models.KindNull
	default:
		v.Kind = models.KindNumber
	}
	return v
}

// allTypes has one raw input of each type and a bound one.
func allTypes(t testing.TB) *View {
	t.Helper()
	s, _ := openStore(t, testOptions("127.0.0.1:1"), testSchema(t, 2))
	v, err := s.View(models.NewLayout([]models.Port{
		{Name: "X", DType: models.Float32, Shape: []int{5}},
		{Name: "f32", DType: models.Float32}, {Name: "f64", DType: models.Float64}, {Name: "b", DType: models.Bool},
		{Name: "f16", DType: models.Float16}, {Name: "bf16", DType: models.BFloat16}, {Name: "i8", DType: models.Int8}, {Name: "u8", DType: models.Uint8}, {Name: "i16", DType: models.Int16},
		{Name: "u16", DType: models.Uint16}, {Name: "i32", DType: models.Int32}, {Name: "u32", DType: models.Uint32},
		{Name: "i64", DType: models.Int64}, {Name: "u64", DType: models.Uint64}, {Name: "s", DType: models.String},
		{Name: "image", DType: models.Float32, Shape: []int{2, 3}},
		{Name: "words", DType: models.String, Shape: []int{2}},
		{Name: "flags", DType: models.Bool, Shape: []int{2}},
	}), []models.Binding{{Port: 0, Features: []string{"user.f0", "user.age", "merchant.age", "user.locked", "amount"}}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOverrideScalars(t *testing.T) {
	v := allTypes(t)
	for _, c := range []struct {
		key, text string
		message   string // of the refusal; empty = taken
	}{
		{"f32", "1.5", ""}, {"f32", "-0", ""}, {"f32", "3.4028235e38", ""}, {"f32", "1e39", "1e39 does not fit FP32"},
		{"f32", "1e400", "1e400 does not fit FP32"}, {"f32", "true", "must be a number, not a bool"},
		{"f32", `"1"`, "must be a number, not a string"}, {"f32", "null", "null is not taken"},
		{"f32", "{}", "not an object"}, {"f64", "1e39", ""}, {"f64", "1e400", "does not fit FP64"},
		{"f16", "65504", ""}, {"f16", "-65520", "-65520 does not fit FP16"}, {"f16", "1e400", "does not fit FP16"}, {"f16", "1e-9", ""},
		{"bf16", "3e38", ""}, {"bf16", "3.4e38", "3.4e38 does not fit BF16"}, {"bf16", `"1"`, "must be a number, not a string"},
		{"b", "true", ""}, {"b", "1", "must be true or false, not a number"},
		{"i8", "127", ""}, {"i8", "-128", ""}, {"i8", "128", "128 does not fit INT8"}, {"i8", "-129", "does not fit INT8"},
		{"i8", "1.0", ""}, {"i8", "1e2", ""}, {"i8", "1.5", "not a whole number"},
		{"u8", "255", ""}, {"u8", "256", "does not fit UINT8"}, {"u8", "-1", "-1 does not fit UINT8"}, {"u8", "-0", ""},
		{"i16", "-32768", ""}, {"i16", "32768", "does not fit INT16"}, {"u16", "65535", ""}, {"u16", "65536", "does not fit"},
		{"i32", "-2147483648", ""}, {"i32", "2147483648", "does not fit INT32"}, {"u32", "4294967295", ""},
		{"i64", "9007199254740993", ""}, {"i64", "-9223372036854775808", ""}, {"i64", "9223372036854775808", "does not fit INT64"},
		{"i64", "9007199254740993.0", ""}, {"i64", "1e19", "does not fit INT64"}, {"u64", "18446744073709551615", ""},
		{"u64", "18446744073709551616", "does not fit UINT64"},
		{"s", `"höhe"`, ""}, {"s", `""`, ""}, {"s", `"a\u0000b"`, "without NUL"}, {"s", "1", "must be a string, not a number"},
		{"s", `["a"]`, ""}, {"image", "1", "must be an array of 6 elements, flat or nested as 2x3, not a number"},
	} {
		x := newVector(v)
		err := v.Override([]models.Value{value(c.key, c.text)}, &x.row, x.origins)
		if c.message != "" {
			fieldError(t, err, "features."+c.key, c.message)
			continue
		}
		if err != nil {
			t.Errorf("%s = %s: %v", c.key, c.text, err)
		} else if x.origins[v.names[c.key]] != models.OriginRequest {
			t.Errorf("%s = %s: origin %s", c.key, c.text, x.origins[v.names[c.key]])
		}
	}
}

func TestOverrideStoresExactly(t *testing.T) {
	v := allTypes(t)
	x := newVector(v)
	err := v.Override([]models.Value{value("i64", "9007199254740993"), value("u64", "18446744073709551615"), value("i8", "-128"),
		value("f64", "-0"), value("f16", "0.1"), value("bf16", "0.1"), value("f32", "0.1"), value("s", `"zwölf"`), value("b", "true")}, &x.row, x.origins)
	if err != nil {
		t.Fatal(err)
	}
	off := func(name string) int { return v.slots[v.names[name]].off }
	if got := x.row.Int64(off("i64")); got != 1<<53+1 {
		t.Errorf("i64 %d", got)
	}
	if got := uint64(x.row.Int64(off("u64"))); got != math.MaxUint64 {
		t.Errorf("u64 %d", got)
	}
	if got := int8(x.row.Data[off("i8")]); got != -128 {
		t.Errorf("i8 %d", got)
	}
	if got := x.row.Float64(off("f64")); got != 0 || !math.Signbit(got) {
		t.Errorf("f64 %v, want -0", got)
	}
	if got := x.row.Float32(off("f32")); got != 0.1 {
		t.Errorf("f32 %v", got)
	}
	if got := binary.LittleEndian.Uint16(x.row.Data[off("f16"):]); got != 0x2e66 {
		t.Errorf("f16 %#x, want the half nearest to 0.1", got)
	}
	if got := binary.LittleEndian.Uint16(x.row.Data[off("bf16"):]); got != 0x3dcd {
		t.Errorf("bf16 %#x, want the bfloat16 nearest to 0.1", got)
	}
	if got := x.row.StringAt(off("s")); got != "zwölf" {
		t.Errorf("s %q", got)
	}
	if !x.row.Bool(off("b")) {
		t.Error("b is false")
	}
}

func TestOverrideNames(t *testing.T) {
	v := allTypes(t)
	for _, c := range []struct{ key, field, message string }{
		{"user.f00", "features.user.f00", "no such feature; did you mean user.f0?"},
		{"zzzzzzzzz", "features.zzzzzzzzz", "no such feature"},
		{"age", "features.age", "write entity.name"},
		{"user.locked", "features.user.locked", "override: false"},
		{"locked", "features.locked", "override: false"},
	} {
		x := newVector(v)
		fieldError(t, v.Override([]models.Value{value(c.key, "1")}, &x.row, x.origins), c.field, c.message)
	}
	x := newVector(v)
	fieldError(t, v.Override([]models.Value{value("f0", "1"), value("user.f0", "2")}, &x.row, x.origins), "features.user.f0", "given twice")
	x = newVector(v)
	if err := v.Override([]models.Value{value("f0", "1"), value("merchant.age", "2"), value("amount", "3")}, &x.row, x.origins); err != nil {
		t.Fatal(err)
	}
	if x.float(0) != 1 || x.float(2) != 2 || x.float(4) != 3 || !v.NeedsStore(x.origins) {
		t.Fatalf("row %v %v %v, origins %s", x.float(0), x.float(2), x.float(4), x.shown())
	}
}

func TestOverrideArrays(t *testing.T) {
	v := allTypes(t)
	for _, c := range []struct {
		key, text      string
		field, message string
	}{
		{"image", "[1,2,3,4,5,6]", "", ""},
		{"image", " [ [1, 2,3 ],\n[4,5,6 ] ] ", "", ""},
		{"image", "[[1,2],[3,4],[5,6]]", "features.image", "nested as 2x3"},
		{"image", "[[1,2,3],4,5,6]", "features.image", "nested as 2x3"},
		{"image", "[1,2,3,4,5]", "features.image", "6 elements"},
		{"image", "[1,2,3,4,5,6,7]", "features.image", "6 elements"},
		{"image", "[[[1,2,3],[4,5,6]]]", "features.image", "nested as 2x3"},
		{"image", "[1,2,3,4,5,6]]", "features.image[6]", "is not a float"},
		{"image", "[1,2,null,4,5,6]", "features.image[2]", "is not a float"},
		{"image", "[1,2,3,4,1e39,6]", "features.image[4]", "does not fit FP32"},
		{"image", `[1,"2",3,4,5,6]`, "features.image[1]", "must be a number"},
		{"image", `[1,true,3,4,5,6]`, "features.image[1]", "must be a number"},
		{"image", "[]", "features.image", "6 elements"},
		{"words", `["a\"\u00e9","\ud83d\ude00"]`, "", ""},
		{"words", `["a","\ud83d"]`, "features.words[1]", "not a string"},
		{"words", `["a","\u0000"]`, "features.words[1]", "NUL"},
		{"words", `["a",1]`, "features.words[1]", "a string"},
		{"flags", "[true,false]", "", ""},
		{"flags", "[1,0]", "features.flags[0]", "true or false"},
		{"flags", "[tru,false]", "features.flags[0]", "not a bool"},
	} {
		x := newVector(v)
		err := v.Override([]models.Value{{Key: []byte(c.key), Kind: models.KindArray, Raw: []byte(c.text)}}, &x.row, x.origins)
		if c.field != "" {
			fieldError(t, err, c.field, c.message)
		} else if err != nil {
			t.Errorf("%s = %s: %v", c.key, c.text, err)
		}
	}
	x := newVector(v)
	err := v.Override([]models.Value{value("image", "[[1,2,3],[4,5,6]]"), value("words", `["a\"\u00e9","\ud83d\ude00"]`)}, &x.row, x.origins)
	if err != nil {
		t.Fatal(err)
	}
	image, words := &v.slots[v.names["image"]], &v.slots[v.names["words"]]
	for e := range 6 {
		if got := x.row.Float32(image.off + 4*e); got != float32(e+1) {
			t.Errorf("image[%d] = %v", e, got)
		}
	}
	if a, b := x.row.StringAt(words.off), x.row.StringAt(words.off+1); a != `a"é` || b != "😀" {
		t.Errorf("words %q %q", a, b)
	}
}

func TestOverrideAndStartDoNotAllocate(t *testing.T) {
	v := allTypes(t)
	x := newVector(v)
	values := []models.Value{value("user.f0", "1.25"), value("amount", "3"), value("i64", "5"), value("b", "true"),
		value("s", `"text"`), value("image", "[[1,2,3],[4,5,6]]")}
	if n := testing.AllocsPerRun(100, func() {
		v.Start(&x.row, x.origins)
		if err := v.Override(values, &x.row, x.origins); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzOverrideArray: what is taken is what encoding/json reads, element by element.
func FuzzOverrideArray(f *testing.F) {
	for _, s := range []string{"[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]", "[[1e3,-2.5,3],[4,5,0.1]]", "[", "[[1,2,3],[4,5,6]", "[1,,2]", "[[]]"} {
		f.Add(s)
	}
	shape := []int{2, 3}
	layout := models.NewLayout([]models.Port{{Name: "image", DType: models.Float64, Shape: shape}})
	s := slot{kind: kindFloat, dtype: models.Float64, width: 6, shape: shape, size: 8}
	f.Fuzz(func(t *testing.T, text string) {
		row := layout.NewRow()
		v, _ := s.putArray(&row, []byte(text), fromRequest)
		var want []float64
		var nested [][]float64
		if json.Unmarshal([]byte(text), &nested) == nil && len(nested) == 2 && len(nested[0]) == 3 && len(nested[1]) == 3 {
			want = append(nested[0], nested[1]...)
		} else if json.Unmarshal([]byte(text), &want) != nil || len(want) != 6 {
			want = nil
		}
		if strings.Contains(text, "null") {
			want = nil // encoding/json reads null as zero
		}
		if v != ok {
			if want != nil {
				t.Fatalf("%q refused (%d), encoding/json reads %v", text, v, want)
			}
			return
		}
		if want == nil {
			if json.Valid([]byte(text)) {
				t.Fatalf("%q taken", text)
			}
			return // the router checks the syntax before
		}
		for e, w := range want {
			if got := row.Float64(8 * e); got != w {
				t.Fatalf("%q: element %d = %v, want %v", text, e, got, w)
			}
		}
	})
}
