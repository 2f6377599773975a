package oipwire

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"hotpath/models"
)

var (
	onePort  = []models.Port{{Name: "x", DType: models.Float32}}
	text1    = []models.Port{{Name: "s", DType: models.String}}
	twoPorts = []models.Port{{Name: "x", DType: models.Float32}, {Name: "n", DType: models.Int64}}
)

func strs(values ...string) (data []byte) {
	for _, v := range values {
		data = models.AppendStringElement(data, v)
	}
	return data
}

func ints(values ...int64) (data []byte) {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return data
}

func TestV1(t *testing.T) {
	x := func(data []byte, shape ...int64) []models.Tensor {
		return []models.Tensor{{Name: "x", DType: models.Float32, Shape: shape, Data: data}}
	}
	s := func(data []byte, shape ...int64) []models.Tensor {
		return []models.Tensor{{Name: "s", DType: models.String, Shape: shape, Data: data}}
	}
	both := func(f []byte, n []byte, shapes ...[]int64) []models.Tensor {
		return []models.Tensor{{Name: "x", DType: models.Float32, Shape: shapes[0], Data: f}, {Name: "n", DType: models.Int64, Shape: shapes[1], Data: n}}
	}
	for _, c := range []struct {
		body   string
		ports  []models.Port
		want   []models.Tensor
		answer string
	}{
		{`{"instances":[1,2.5]}`, onePort, x(floats(1, 2.5), 2), `{"predictions":[1,2.5]}`},
		{`{"instances":[[1,2],[3,4],[5,6]]}`, onePort, x(floats(1, 2, 3, 4, 5, 6), 3, 2), `{"predictions":[[1,2],[3,4],[5,6]]}`},
		{` { "instances" : [ [ [ 1 ] , [ 2 ] ] ] , "signature_name" : "any" } `, onePort, x(floats(1, 2), 1, 2, 1), `{"predictions":[[[1],[2]]]}`},
		{`{"instances":[{"x":[1,2]},{"x":[3,4]}]}`, onePort, x(floats(1, 2, 3, 4), 2, 2), `{"predictions":[[1,2],[3,4]]}`},
		{`{"instances":[{"x":[1,2],"n":7},{"n":8,"x":[3,4]}]}`, twoPorts, both(floats(1, 2, 3, 4), ints(7, 8), []int64{2, 2}, []int64{2}), `{"predictions":[{"x":[1,2],"n":7},{"x":[3,4],"n":8}]}`},
		{`{"inputs":[[1,2],[3,4]]}`, onePort, x(floats(1, 2, 3, 4), 2, 2), `{"outputs":[[1,2],[3,4]]}`},
		{`{"inputs":5}`, onePort, x(floats(5)), `{"outputs":5}`},
		{`{"inputs":{"n":[[7]],"x":[]}}`, twoPorts, both(nil, ints(7), []int64{0}, []int64{1, 1}), `{"outputs":{"x":[],"n":[[7]]}}`},
		{`{"instances":["a",{"b64":"Yv8="}]}`, text1, s(strs("a", "b\xff"), 2), ""},
		{`{"instances":[{"s":{"b64":""}},{"s":"\u00e9"}]}`, text1, s(strs("", "é"), 2), `{"predictions":["","é"]}`},
		{`{"inputs":{"b64":"\u0059Q=="}}`, text1, s(strs("a")), `{"outputs":"a"}`},
		{`{"inputs":[["a","b"],[{"b64":"YQ=="},"d"]]}`, text1, s(strs("a", "b", "a", "d"), 2, 2), `{"outputs":[["a","b"],["a","d"]]}`},
		{`{"instances":[{"b64":[1]}]}`, []models.Port{{Name: "b64", DType: models.Float32}}, []models.Tensor{{Name: "b64", DType: models.Float32, Shape: []int64{1, 1}, Data: floats(1)}}, `{"predictions":[[1]]}`},
	} {
		r := newTestRequest()
		r.Body = []byte(c.body)
		if err := r.DecodeV1(c.ports); err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		sameTensors(t, r.Body, r.Inputs, c.want)
		if c.answer == "" {
			continue
		}
		got, err := r.AppendPredictions([]byte("before"), r.Inputs)
		if err != nil || string(got) != "before"+c.answer {
			t.Errorf("%s: %v\n got %s\nwant %s", c.body, err, got, c.answer)
		}
	}
}

func TestV1Refuses(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for _, c := range []struct {
		body  string
		ports []models.Port
		want  string
	}{
		{`[]`, onePort, "the body must be a JSON object with instances or inputs"},
		{`{}`, onePort, "needs instances, a list of rows, or inputs, by column"},
		{`{"instances":[1],"inputs":[1]}`, onePort, "inputs: is given beside instances: send one of the two"},
		{`{"instances":[1],"instances":[1]}`, onePort, `member "instances" is there twice`},
		{`{"instances":[1],"signature":"a"}`, onePort, "signature: is not a member of a predict request"},
		{`{"instances":[1],"signature_name":1}`, onePort, "signature_name: must be a string"},
		{`{"instances":1}`, onePort, "instances: must be a list of rows"},
		{`{"instances":[]}`, onePort, "instances: is empty"},
		{`{"instances":[1,[2]]}`, onePort, "instances[1].x: is not nested evenly"},
		{`{"instances":[[1,2],[3]]}`, onePort, "instances[1].x: is not nested evenly"},
		{`{"instances":[[[1],[2]],[[3],4]]}`, onePort, "instances[1].x: is not nested evenly"},
		{`{"instances":[[1],2]}`, onePort, "instances[1].x: is not nested evenly"},
		{`{"instances":[[[1]],[2]]}`, onePort, "instances[1].x: is not nested evenly"},
		{`{"instances":[[1,[2]]]}`, onePort, "instances[0].x: needs a number for each element of FP32, got an array"},
		{`{"instances":[[[1],2]]}`, onePort, "is not nested evenly"},
		{`{"instances":[{"x":[1]},{}]}`, onePort, "instances[1].x: is missing: the model has the inputs x"},
		{`{"instances":[{"y":[1]}]}`, onePort, "instances[0].y: is no input of the model; it has x"},
		{`{"instances":[{"x":1,"x":2}]}`, onePort, `instances[0].x: member "x" is there twice`},
		{`{"instances":[1]}`, twoPorts, "instances[0]: must be an object of values by name: the model has the inputs x, n"},
		{`{"instances":[{"x":1}]}`, twoPorts, "instances[0].n: is missing"},
		{`{"inputs":[1]}`, twoPorts, "inputs: must be an object of values by name"},
		{`{"inputs":{"x":[1]}}`, twoPorts, "inputs.n: is missing"},
		{`{"inputs":{"x":[1e39]}}`, onePort, "inputs.x: needs a number that fits FP32, got 1e39"},
		{`{"instances":[{"x":1,"n":1.5}]}`, twoPorts, "instances[0].n: needs a whole number"},
		{`{"instances":[{"b64":"YQ=="}]}`, onePort, "needs a number for each element of FP32, got an object"},
		{`{"instances":[{"b64":"Y!"}]}`, text1, "b64 is not base64"},
		{`{"instances":[{"b64":"YQ==","a":1}]}`, text1, "without further members"},
		{`{"instances":[{"b64":1}]}`, text1, `must be a string or {"b64":"…"}`},
		{`{"instances":[["a",{"a":1}]]}`, text1, `must be a string or {"b64":"…"}`},
		{`{"instances":[["a",{}]]}`, text1, `must be a string or {"b64":"…"}`},
		{`{"instances":[1]}`, text1, "needs a string for each element of BYTES, got a number"},
		{`{"instances":[` + deep + `]}`, onePort, "more than 32 objects and arrays inside one another"},
		{`{"instances":[1]} x`, onePort, "expected nothing after the JSON object"},
		{`{"instances":[]}`, nil, "instances: has no rows where the model has no inputs"},
		{`{"instances":[{}]}`, nil, `send "inputs": {}`},
		{`{"instances":[1`, onePort, "bad_json"},
	} {
		r := newTestRequest()
		r.Body = []byte(c.body)
		if err := r.DecodeV1(c.ports); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
}

func TestV1IsBounded(t *testing.T) {
	for _, body := range []string{`{"instances":[` + strings.Repeat("1,", 125) + `1]}`, `{"inputs":[` + strings.Repeat("1,", 125) + `1]}`, `{"instances":[[` + strings.Repeat("1,", 125) + `1]]}`} {
		r := NewRequest(Limits{Depth: 32, IDBytes: 256, TensorBytes: 1000}, func() {})
		r.Body = []byte(body)
		err := r.DecodeV1([]models.Port{{Name: "x", DType: models.Float64}})
		if e, ok := err.(*Error); !ok || e.Code != CodeTooLarge {
			t.Errorf("%.20s: %v", body, err)
		}
	}
}

// TestV1Answers are those whose form is not the request's.
func TestV1Answers(t *testing.T) {
	r := newTestRequest()
	r.Body = []byte(`{"instances":[[1],[2]]}`)
	if err := r.DecodeV1(onePort); err != nil {
		t.Fatal(err)
	}
	out := []models.Tensor{
		{Name: "image_bytes", DType: models.String, Shape: []int64{2}, Data: strs("\xff", "a")},
		{Name: "score", DType: models.Float64, Shape: []int64{2, 0}},
	}
	got, err := r.AppendPredictions(nil, out)
	if want := `{"predictions":[{"image_bytes":{"b64":"/w=="},"score":[]},{"image_bytes":{"b64":"YQ=="},"score":[]}]}`; err != nil || string(got) != want {
		t.Errorf("%v: %s", err, got)
	}
	for _, shape := range [][]int64{{}, {3}, {1, 2}} {
		n := 1
		for _, d := range shape {
			n *= int(d)
		}
		out := []models.Tensor{{Name: "y", DType: models.Int8, Shape: shape, Data: make([]byte, n)}}
		if _, err := r.AppendPredictions(nil, out); err == nil || !strings.Contains(err.Error(), "has no row for each instance; send inputs instead") {
			t.Errorf("an output of shape %v: %v", shape, err)
		}
	}
	if !slices.Equal(floats(float32(math.Inf(1))), []byte{0, 0, 0x80, 0x7f}) {
		t.Error("floats are not little-endian")
	}
}
