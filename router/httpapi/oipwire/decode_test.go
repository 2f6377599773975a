package oipwire

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
)

var numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func isNumber(s string) bool { return numberForm.MatchString(s) }

func checkFloats(t *testing.T, s string, x *number) {
	t.Helper()
	want32, err := strconv.ParseFloat(s, 32)
	if got, ok := x.float32([]byte(s)); ok != (err == nil) || ok && math.Float32bits(got) != math.Float32bits(float32(want32)) {
		t.Fatalf("%s as float32 is %v (%v), want %v (%v)", s, got, ok, want32, err)
	}
	want64, err := strconv.ParseFloat(s, 64)
	if got, ok := x.float64([]byte(s)); ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want64) {
		t.Fatalf("%s as float64 is %v (%v), want %v (%v)", s, got, ok, want64, err)
	}
}

// TestFloatsAreTheNearest reads many numbers, of which half lie about where the
// rounding to float32 turns.
func TestFloatsAreTheNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 200_000 {
		f := math.Float32frombits(rng.Uint32() & 0x7fffffff)
		if f-f != 0 {
			continue
		}
		v := float64(f)
		if next := float64(math.Nextafter32(f, math.MaxFloat32)); i%2 == 0 {
			v = (v + next) / 2 // half way, and a bit beside it
			v += v * float64(rng.IntN(5)-2) * 0x1p-53
		}
		s := strconv.FormatFloat(v, []byte("gef")[i%3], rng.IntN(20)-1, 64)
		if !isNumber(s) {
			continue
		}
		x, expected := scanNumber([]byte(s), 0)
		if expected != "" {
			t.Fatalf("%s: expected %s", s, expected)
		}
		checkFloats(t, s, &x)
	}
}

// decode reads a body whose tensors are all JSON.
func decode(t testing.TB, body string) (*Request, error) {
	t.Helper()
	r := newTestRequest()
	r.Body = []byte(body)
	return r, r.Decode(-1)
}

// TestEveryType reads the limits of each type, flat, nested and out of order, and
// refuses what is just beyond them.
func TestEveryType(t *testing.T) {
	for _, c := range []struct {
		datatype  string
		good, bad []string
	}{
		{"BOOL", []string{"true", "false"}, []string{"1", "0", "null", `"true"`, "tru", "True"}},
		{"INT8", []string{"-128", "127", "0", "-0"}, []string{"-129", "128", "1.0", "1e1", `"1"`, "true", "null"}},
		{"INT16", []string{"-32768", "32767"}, []string{"-32769", "32768"}},
		{"INT32", []string{"-2147483648", "2147483647"}, []string{"-2147483649", "2147483648"}},
		{"INT64", []string{"-9223372036854775808", "9223372036854775807", "9007199254740993"}, []string{"-9223372036854775809", "9223372036854775808", "99999999999999999999", "1e0"}},
		{"UINT8", []string{"0", "255", "-0"}, []string{"256", "-1"}},
		{"UINT16", []string{"65535"}, []string{"65536"}},
		{"UINT32", []string{"4294967295"}, []string{"4294967296"}},
		{"UINT64", []string{"18446744073709551615", "10000000000000000000"}, []string{"18446744073709551616", "28446744073709551616", "-18446744073709551616", "-1"}},
		{"FP16", []string{"65504", "65519.99", "-65504", "6e-8", "2e-8", "-0", "6.1e-5", "2049", "1"}, []string{"65520", "1e5", "-1e308", "1e309", `"1"`}},
		{"BF16", []string{"3.3895e38", "3.39e38", "1e-40", "-0.0", "1.0039", "9e-41"}, []string{"3.4e38", "1e309"}},
		{"FP32", []string{"3.4028235e38", "1e-46", "-0", "16777217", "0.1", "1E5", "123456789.123456789"}, []string{"3.4028236e38", "1e39", "-1e39", "NaN", "Infinity", "null", "1.", ".5", "01", "+1", "0x1"}},
		{"FP64", []string{"1.7976931348623157e308", "5e-324", "-0", "9007199254740993", "0.30000000000000004"}, []string{"1.8e308", "1e400", "-1e309"}},
		{"BYTES", []string{`""`, `"a"`, `"é😀"`, `"\u00e9\ud83d\ude00"`, `"\u0000\n"`}, []string{"1", "true", `["a"]`, `{"b64":"YQ=="}`, `"\ud83d"`, "\"\n\""}},
	} {
		check := func(elements, shape, data string) {
			for _, form := range []string{`{"inputs":[{"name":"x","shape":%[1]s,"datatype":%[2]q,"data":%[3]s}]}`, ` { "inputs" : [ { "data" : %[3]s , "name" : "x" , "datatype" : %[2]q , "shape" : %[1]s } ] } `} {
				body := fmt.Sprintf(form, shape, c.datatype, data)
				r, err := decode(t, body)
				want, ok := refer([]byte(body), testLimits())
				if err != nil || !ok {
					t.Errorf("%s %s: %v, reference accepts it: %v", c.datatype, elements, err, ok)
					continue
				}
				sameTensors(t, []byte(body), r.Inputs, want.inputs)
			}
		}
		for _, v := range c.good {
			check(v, "[1]", "["+v+"]")
			check(v, "[]", "["+v+"]")
			check(v, "[2,1,2]", strings.ReplaceAll("[[[v,v]],[[v , v]]]", "v", v))
			check(v, "[2,2]", strings.ReplaceAll("[v,v,\n v,v]", "v", v))
		}
		check("none", "[0]", "[]")
		check("none", "[2,0]", "[[],[ ]]")
		check("none", "[0,2]", "[ ]")
		for _, v := range c.bad {
			for _, data := range []string{"[" + v + "]", "[" + v + "," + c.good[0] + "]"} {
				shape := "[" + strconv.Itoa(1+strings.Count(data, ",")) + "]"
				body := fmt.Sprintf(`{"inputs":[{"name":"x","shape":%s,"datatype":%q,"data":%s}]}`, shape, c.datatype, data)
				if _, err := decode(t, body); err == nil || !strings.Contains(err.Error(), "inputs[0]") {
					t.Errorf("%s %s: error %v", c.datatype, v, err)
				}
			}
		}
	}
}

// refusals are bodies that are refused, with a part of what is said.
var refusals = []struct{ name, body, want string }{
	{"nothing", ``, "bad_json: expected a JSON object"},
	{"a list", `[]`, "bad_request: the body must be a JSON object with inputs"},
	{"no inputs", `{}`, "inputs: is required"},
	{"inputs is an object", `{"inputs":{}}`, "inputs: must be a list of objects"},
	{"an input is a number", `{"inputs":[1]}`, "inputs[0]: must be an object"},
	{"unknown member", `{"inputs":[],"input":[]}`, "input: is not a member of an inference request"},
	{"unknown input member", `{"inputs":[{"dtype":"FP32"}]}`, "inputs[0].dtype: is not a member of an input"},
	{"unknown output member", `{"inputs":[],"outputs":[{"names":"y"}]}`, "outputs[0].names: is not a member of a requested output"},
	{"twice", `{"inputs":[],"\u0069nputs":[]}`, `bad_json: inputs: member "inputs" is there twice`},
	{"twice in an input", `{"inputs":[{"name":"x","name":"x"}]}`, `inputs[0].name: member "name" is there twice`},
	{"parameter twice", `{"inputs":[],"parameters":{"a":1,"a":1}}`, `a: member "a" is there twice`},
	{"trailing", `{"inputs":[]} x`, "expected nothing after the JSON object"},
	{"byte order mark", "\xef\xbb\xbf{\"inputs\":[]}", "byte order mark"},
	{"bad UTF-8", "{\"inputs\":[],\"id\":\"\xff\"}", "not valid UTF-8"},
	{"cut off", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1`, "bad_json: inputs[0]: expected a comma or ]"},
	{"id is a number", `{"id":1,"inputs":[]}`, "id: must be a string"},
	{"long id", `{"id":"` + strings.Repeat("a", 257) + `","inputs":[]}`, "id: is 257 bytes long; at most 256"},
	{"control in id", `{"id":"a\nb","inputs":[]}`, "id: must not hold control characters"},
	{"no name", `{"inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]}`, "inputs[0].name: is required"},
	{"empty name", `{"inputs":[{"name":"","shape":[1],"datatype":"FP32","data":[1]}]}`, "inputs[0].name: is empty"},
	{"no shape", `{"inputs":[{"name":"x","datatype":"FP32","data":[1]}]}`, "inputs[0].shape: is required"},
	{"no datatype", `{"inputs":[{"name":"x","shape":[1],"data":[1]}]}`, "inputs[0].datatype: is required"},
	{"no data", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}`, "inputs[0].data: is required"},
	{"unknown datatype", `{"inputs":[{"name":"x","shape":[1],"datatype":"fp32","data":[1]}]}`, `inputs[0].datatype: "fp32" is no type`},
	{"INVALID", `{"inputs":[{"name":"x","shape":[1],"datatype":"INVALID","data":[1]}]}`, `inputs[0].datatype: "INVALID" is no type`},
	{"datatype is a number", `{"inputs":[{"name":"x","shape":[1],"datatype":1,"data":[1]}]}`, `inputs[0].datatype: must be a string`},
	{"shape is a number", `{"inputs":[{"name":"x","shape":1,"datatype":"FP32","data":[1]}]}`, "inputs[0].shape: must be a list of sizes"},
	{"negative size", `{"inputs":[{"name":"x","shape":[-1],"datatype":"FP32","data":[1]}]}`, "inputs[0].shape: must be a whole number, 0 or more, got -1"},
	{"size with a fraction", `{"inputs":[{"name":"x","shape":[1.0],"datatype":"FP32","data":[1]}]}`, "got 1.0"},
	{"size is a string", `{"inputs":[{"name":"x","shape":["1"],"datatype":"FP32","data":[1]}]}`, "must be a whole number"},
	{"huge shape", `{"inputs":[{"name":"x","shape":[1000000,1000000,1000000],"datatype":"FP32","data":[1]}]}`, "is not a size that can be sent"},
	{"too many dimensions", `{"inputs":[{"name":"x","shape":[` + strings.Repeat("1,", 32) + `1],"datatype":"FP32","data":[1]}]}`, "has more than 32 dimensions"},
	{"shape larger than the body", `{"inputs":[{"name":"x","shape":[1000000],"datatype":"FP32","data":[1]}]}`, "holds fewer elements than the 1000000 of shape [1000000]"},
	{"too few", `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3]}]}`, "inputs[0].data: needs 4 elements in this place for shape [2,2]; it has 3"},
	{"too many", `{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2,3]}]}`, "needs 2 elements in this place for shape [2]; it has more"},
	{"too many integers", `{"inputs":[{"name":"x","shape":[2],"datatype":"INT8","data":[1,2,3]}]}`, "it has more"},
	{"ragged", `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3]]}]}`, "needs 2 elements in this place for shape [2,2]; it has 1"},
	{"too few rows", `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2]]}]}`, "is not flat and not nested as shape [2,2] says"},
	{"too many rows", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1,2],[3,4]]}]}`, "is not flat and not nested"},
	{"half nested", `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],3,4]}]}`, "is not flat and not nested"},
	{"nested too deep", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[[1],[2]]]}]}`, "needs a number for each element of FP32, got an array"},
	{"data is a number", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":1}]}`, "inputs[0].data: must be an array"},
	{"overflow", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1e39]}]}`, "inputs[0].data: needs a number that fits FP32, got 1e39 (byte 61)"},
	{"fraction", `{"inputs":[{"name":"x","shape":[1],"datatype":"INT32","data":[1.5]}]}`, "needs a whole number, without fraction and exponent, that fits INT32, got 1.5"},
	{"NaN", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[NaN]}]}`, "JSON has no NaN, no Infinity, and no number that begins with a plus sign or a decimal point; send such values as binary data"},
	{"data and binary", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4}}]}`, "is given beside parameters.binary_data_size"},
	{"binary without a header", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}`, "is 4, but only 0 bytes are left after the JSON header"},
	{"binary size is a string", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":"4"}}]}`, "binary_data_size: must be a whole number"},
	{"shared memory in", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"r"}}]}`, "shared_memory_region: is not supported"},
	{"shared memory out", `{"inputs":[],"outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}]}`, "shared_memory_region: is not supported"},
	{"output without a name", `{"inputs":[],"outputs":[{}]}`, "outputs[0].name: is required"},
	{"output twice", `{"inputs":[],"outputs":[{"name":"y"},{"name":"y"}]}`, `outputs[1].name: "y" is asked for twice`},
	{"binary_data is a number", `{"inputs":[],"outputs":[{"name":"y","parameters":{"binary_data":1}}]}`, "outputs[0].binary_data: must be true or false, got 1"},
	{"classification is negative", `{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":-1}}]}`, "outputs[0].classification: must be a whole number"},
	{"parameters is a list", `{"inputs":[],"parameters":[]}`, "parameters: must be an object"},
	{"timeout is a string", `{"inputs":[],"parameters":{"timeout":"1"}}`, "timeout: must be a whole number"},
	{"timeout is negative", `{"inputs":[],"parameters":{"timeout":-1}}`, "timeout: must be a whole number, 0 or more, got -1"},
	{"user is a number", `{"inputs":[],"parameters":{"user_id":1}}`, "user_id: must be a string"},
	{"entity with a fraction", `{"inputs":[],"parameters":{"entity.card":1.5}}`, "entity.card: must be a string or an integer, got the number 1.5"},
	{"entity is a list", `{"inputs":[],"parameters":{"entity.card":[1]}}`, "entity.card: must be a string or an integer, got an array"},
	{"empty entity", `{"inputs":[],"parameters":{"entity.card":""}}`, "entity.card: must be 1 to 256 bytes long, got 0"},
	{"control in entity", `{"inputs":[],"parameters":{"entity.card":"a\nb"}}`, "entity.card: must not hold control characters"},
	{"entity without a name", `{"inputs":[],"parameters":{"entity.":"a"}}`, "entity.: is not a name"},
	{"attribute with a long name", `{"inputs":[],"parameters":{"context.` + strings.Repeat("a", 257) + `":1}}`, "is not a name: names are 1 to 256 bytes long after the dot, this one has 257"},
	{"attribute is an object", `{"inputs":[],"parameters":{"context.a":{}}}`, "context.a: must be a string, a number, a bool or null, got an object"},
	{"many entities", `{"inputs":[],"parameters":{` + manyEntities(65) + `}}`, "is one parameter of its kind more than the 64 that are accepted"},
	{"sequence start", `{"inputs":[],"parameters":{"sequence_start":true}}`, "sequence_start: asks for a sequence"},
	{"sequence id", `{"inputs":[],"parameters":{"sequence_id":"a"}}`, "sequence_id: asks for a sequence"},
	{"deep parameter", `{"inputs":[],"parameters":{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`, "more than 32 objects and arrays inside one another"},
	{"deep data", `{"inputs":[{"name":"x","shape":[` + strings.Repeat("1,", 30) + `1],"datatype":"FP32","data":` + strings.Repeat("[", 31) + "1" + strings.Repeat("]", 31) + `}]}`, "more than 32 objects and arrays inside one another"},
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range refusals {
		_, err := decode(t, c.body)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTooManyTensors(t *testing.T) {
	one := `{"name":"x","shape":[0],"datatype":"FP32","data":[]}`
	for _, section := range []string{"inputs", "outputs"} {
		var list []string
		for i := range maxTensors + 1 {
			if section == "outputs" {
				one = fmt.Sprintf(`{"name":"y%d"}`, i)
			}
			list = append(list, one)
		}
		body := fmt.Sprintf(`{%q:[%s]`, section, strings.Join(list, ","))
		if section == "outputs" {
			body += `,"inputs":[]`
		}
		if _, err := decode(t, body+"}"); err == nil || !strings.Contains(err.Error(), section+"[1024]: there are more than 1024") {
			t.Errorf("%s: %v", section, err)
		}
		body = strings.Replace(body, list[0]+",", "", 1)
		if _, err := decode(t, body+"}"); err != nil {
			t.Errorf("%s: as many as there may be: %v", section, err)
		}
	}
}

// TestTensorsAreBounded: JSON can be decoded to more bytes than it has.
func TestTensorsAreBounded(t *testing.T) {
	for _, c := range []struct{ datatype, element string }{{"FP64", "1"}, {"BYTES", `""`}, {"INT8", "1"}} {
		dtype, err := models.ParseDType(c.datatype)
		if err != nil {
			t.Fatal(err)
		}
		n := 1000 / max(dtype.Size(), 4)
		if c.datatype == "INT8" {
			n = 1000
		}
		for extra := range 2 {
			r := NewRequest(Limits{Depth: 32, IDBytes: 256, TensorBytes: 1000}, func() {})
			elements := strings.TrimSuffix(strings.Repeat(c.element+",", n+extra), ",")
			r.Body = fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[%d],"datatype":%q,"data":[%s]}]}`, n+extra, c.datatype, elements)
			err := r.Decode(-1)
			var e *Error
			if errors.As(err, &e); extra == 0 && err != nil || extra == 1 && (e == nil || e.Code != CodeTooLarge) {
				t.Errorf("%s, %d elements over: %v", c.datatype, extra, err)
			}
		}
	}
}

func TestParameters(t *testing.T) {
	r, err := decode(t, `{"id":"a\u0062","parameters":{"timeout":1500,"user_id":"u\u0031","binary_data_output":true,"priority":3,"sequence_id":0,"sequence_start":false,"sequence_end":false,
		"anything":{"a":[1,{"b":null}]}},"model_name":"other","model_version":"9","inputs":[],"outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":false}},{"name":"c","parameters":{"binary_data":true,"classification":7,"x":1}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if string(r.ID) != "ab" || string(r.UserID) != "u1" || r.Timeout != 1500*time.Microsecond || !r.BinaryOutput {
		t.Errorf("got id %q, user %q, timeout %s, binary %v", r.ID, r.UserID, r.Timeout, r.BinaryOutput)
	}
	if want := []Output{{"a", Default, 0}, {"b", No, 0}, {"c", Yes, 7}}; !slices.Equal(r.Outputs, want) {
		t.Errorf("outputs %+v, want %+v", r.Outputs, want)
	}
	// A timeout that does not fit is a very long one.
	if r, err = decode(t, `{"inputs":[],"parameters":{"timeout":281474976710656}}`); err != nil || r.Timeout < time.Hour {
		t.Errorf("got %s, %v", r.Timeout, err)
	}
}

func TestBinaryTensors(t *testing.T) {
	const head = `{"inputs":[{"name":"a","shape":[2],"datatype":"INT16","parameters":{"binary_data_size":4}},{"name":"b","shape":[1],"datatype":"INT8","data":[7]},` +
		`{"name":"s","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}}]}`
	tail := "\x01\x00\x02\x00" + "\x03\x00\x00\x00abc\x00\x00\x00\x00"
	r := newTestRequest()
	r.Body = []byte(head + tail)
	if err := r.Decode(len(head)); err != nil {
		t.Fatal(err)
	}
	sameTensors(t, r.Body, r.Inputs, []models.Tensor{
		{Name: "a", DType: models.Int16, Shape: []int64{2}, Data: []byte("\x01\x00\x02\x00")},
		{Name: "b", DType: models.Int8, Shape: []int64{1}, Data: []byte{7}},
		{Name: "s", DType: models.String, Shape: []int64{2}, Data: []byte(tail[4:])}})
	if &r.Inputs[0].Data[0] != &r.Body[len(head)] {
		t.Error("a binary tensor was copied")
	}
	for name, c := range map[string]struct {
		body   string
		header int
		want   string
	}{
		"header beyond the body": {head, len(head) + 1, "Inference-Header-Content-Length: is"},
		"header cuts the JSON":   {head + tail, len(head) - 1, "inputs[2]: shape [2] needs 2 strings"},
		"header cuts a name":     {head + tail, 16, "bad_json: inputs[0]"},
		"header takes data":      {head + tail, len(head) + 1, "is 11, but only 10 bytes are left"},
		"too little":             {head + tail[:14], len(head), "is 11, but only 10 bytes are left"},
		"too much":               {head + tail + "x", len(head), "has 1 bytes more than its inputs' binary_data_size say"},
		"string cut off":         {head + tail[:4] + "\x04\x00\x00\x00abc\x00\x00\x00\x00", len(head), "inputs[2]: shape [2] needs 2 strings"},
		"string longer":          {head + tail[:4] + "\xff\xff\xff\xffabc\x00\x00\x00\x00", len(head), "inputs[2]: shape [2] needs 2 strings"},
	} {
		r := newTestRequest()
		r.Body = []byte(c.body)
		if err := r.Decode(c.header); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	r = newTestRequest()
	const one = `{"inputs":[{"name":"a","shape":[2],"datatype":"INT16","parameters":{"binary_data_size":3}}]}`
	r.Body = []byte(one + "123")
	if err := r.Decode(len(one)); err == nil || !strings.Contains(err.Error(), "inputs[0]: shape [2] of INT16 needs 4 bytes, got 3") {
		t.Errorf("wrong size: %v", err)
	}
}

func TestRaw(t *testing.T) {
	for name, c := range map[string]struct {
		dtype   models.DType
		shape   []int64
		batched bool
		body    string
		want    []int64
		data    string
		problem string
	}{
		"a row":                {models.Int16, []int64{-1, 2}, true, "abcd", []int64{1, 2}, "abcd", ""},
		"a row that varies":    {models.Int16, []int64{-1, -1}, true, "abcd", []int64{1, 2}, "abcd", ""},
		"no batch, varies":     {models.Int8, []int64{-1, 2}, false, "abcd", []int64{2, 2}, "abcd", ""},
		"a string":             {models.String, []int64{-1, 1}, true, "hello", []int64{1, 1}, "\x05\x00\x00\x00hello", ""},
		"an empty string":      {models.String, []int64{1}, false, "", []int64{1}, "\x00\x00\x00\x00", ""},
		"a string that varies": {models.String, []int64{-1, -1}, true, "a", []int64{1, 1}, "\x01\x00\x00\x00a", ""},
		"too short":            {models.Int16, []int64{-1, 2}, true, "abc", nil, "", "inputs.x: shape [1,2] of INT16 needs 4 bytes, got 3"},
		"two that vary":        {models.Int16, []int64{-1, -1, -1}, true, "abcd", nil, "", "several sizes that vary"},
		"no whole number":      {models.Int16, []int64{-1, -1}, true, "abc", nil, "", "no whole number of elements"},
		"nothing fits":         {models.Int16, []int64{-1, 0}, false, "ab", nil, "", "no whole number of elements"},
		"two strings":          {models.String, []int64{-1, 2}, true, "ab", nil, "", "needs 2 strings"},
	} {
		r := newTestRequest()
		r.Body = []byte(c.body)
		err := r.DecodeRaw("x", c.dtype, c.shape, c.batched)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want %q", name, err, c.problem)
			}
			continue
		}
		if err != nil || len(r.Inputs) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := r.Inputs[0]; !slices.Equal(got.Shape, c.want) || string(got.Data) != c.data {
			t.Errorf("%s: %+v", name, got)
		}
		if c.shape[0] != -1 && !slices.Equal(c.shape, []int64{1}) {
			t.Errorf("%s: the model's shape was changed to %v", name, c.shape)
		}
	}
}

// TestFreedRequestIsClean: what one request leaves behind must not reach the next.
func TestFreedRequestIsClean(t *testing.T) {
	freed := 0
	r := NewRequest(testLimits(), func() { freed++ })
	good := `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`
	for i, c := range refusals {
		r.Body = []byte(c.body)
		_ = r.Decode(-1)
		r.Free()
		r.Body = []byte(good)
		if err := r.Decode(-1); err != nil || len(r.Inputs) != 1 || r.ID != nil || r.UserID != nil || r.Timeout != 0 || len(r.Outputs) != 0 {
			t.Fatalf("after %s: %v, %+v", c.name, err, r)
		}
		r.Free()
		if freed != 2*(i+1) {
			t.Fatalf("freed %d times", freed)
		}
	}
	r.Body = make([]byte, 8<<20)
	r.Free()
	if cap(r.Body) == 0 {
		t.Error("the memory of a large body was thrown away")
	}
	r.Body = append(r.Body, good...)
	r.Free()
	if cap(r.Body) != 0 {
		t.Errorf("a small request keeps %d bytes", cap(r.Body))
	}
}

// TestErrorsAreCodes: every code is one that the gateway knows.
func TestErrorsAreCodes(t *testing.T) {
	if jsonscan.CodeBadJSON != "bad_json" || jsonscan.CodeBadRequest != "bad_request" || CodeTooLarge != "body_too_large" || CodeInternal != "internal" {
		t.Error("a code has changed its name")
	}
}
