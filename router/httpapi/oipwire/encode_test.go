package oipwire

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"hotpath/models"
)

// answer writes the answer to a request for those outputs.
func answer(t *testing.T, request string, a Answer) (body string, header int, err error) {
	t.Helper()
	r, err := decode(t, request)
	if err != nil {
		t.Fatal(err)
	}
	a.ID = r.ID
	b, header, err := r.AppendAnswer([]byte("before"), &a)
	return strings.TrimPrefix(string(b), "before"), header, err
}

func floats(values ...float32) (data []byte) {
	for _, v := range values {
		data = append(data, floatBytes(v)...)
	}
	return data
}

// outputs are an answer of three tensors.
func outputs() Answer {
	var s []byte
	for _, v := range []string{"é", "", `"`} {
		s = models.AppendStringElement(s, v)
	}
	return Answer{Model: "m", Version: 3, Signature: &models.Signature{Batched: true}, Outputs: []models.Tensor{
		{Name: "y", DType: models.Float32, Shape: []int64{2, 2}, Data: floats(0.1, 1, -2.5, 3e-9)},
		{Name: "s", DType: models.String, Shape: []int64{3, 1}, Data: s},
		{Name: "b", DType: models.Bool, Shape: []int64{2}, Data: []byte{1, 0}}}}
}

func TestAnswer(t *testing.T) {
	const y, s, b = `{"name":"y","datatype":"FP32","shape":[2,2],"data":[0.1,1,-2.5,3e-9]}`, `{"name":"s","datatype":"BYTES","shape":[3,1],"data":["é","","\""]}`, `{"name":"b","datatype":"BOOL","shape":[2],"data":[true,false]}`
	const yb, bb = `{"name":"y","datatype":"FP32","shape":[2,2],"parameters":{"binary_data_size":16}}`, `{"name":"b","datatype":"BOOL","shape":[2],"parameters":{"binary_data_size":2}}`
	full := outputs()
	yData, bData := string(full.Outputs[0].Data), "\x01\x00"
	for _, c := range []struct{ name, request, json, binary string }{
		{"all as JSON", `{"inputs":[]}`, `{"model_name":"m","model_version":"3","outputs":[` + y + "," + s + "," + b + `]}`, ""},
		{"no outputs asked for", `{"id":"a\"b","inputs":[],"outputs":[]}`, `{"id":"a\"b","model_name":"m","model_version":"3","outputs":[` + y + "," + s + "," + b + `]}`, ""},
		{"some, in another order", `{"inputs":[],"outputs":[{"name":"b"},{"name":"y"}]}`, `{"model_name":"m","model_version":"3","outputs":[` + b + "," + y + `]}`, ""},
		{"binary, one not", `{"inputs":[],"parameters":{"binary_data_output":true},"outputs":[{"name":"b"},{"name":"s","parameters":{"binary_data":false}},{"name":"y"}]}`,
			`{"model_name":"m","model_version":"3","outputs":[` + bb + "," + s + "," + yb + `]}`, bData + yData},
		{"one binary", `{"inputs":[],"outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"b"}]}`, `{"model_name":"m","model_version":"3","outputs":[` + yb + "," + b + `]}`, yData},
		{"classes", `{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":1}}]}`, `{"model_name":"m","model_version":"3","outputs":[{"name":"y","datatype":"BYTES","shape":[2,1],"data":["1:1","3e-09:1"]}]}`, ""},
		{"more classes than there are, binary", `{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":9,"binary_data":true}},{"name":"y2"}]}`, "", ""},
	} {
		body, header, err := answer(t, c.request, outputs())
		if c.json == "" {
			if err == nil || err.Error() != "bad_request: outputs.y2: the model has no such output; it has y, s, b" {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		want := len(c.json)
		if c.binary == "" {
			want = -1
		}
		if err != nil || body != c.json+c.binary || header != want {
			t.Errorf("%s: %v, header %d\n got %q\nwant %q", c.name, err, header, body, c.json+c.binary)
		}
		if !json.Valid([]byte(c.json)) {
			t.Errorf("%s is not JSON", c.name)
		}
	}
}

func TestAnswerParameters(t *testing.T) {
	a := Answer{Model: "m", Version: 1, Experiment: "e", Variant: "v", Reason: "split", Degraded: []byte("fallback_variant")}
	body, _, err := answer(t, `{"inputs":[]}`, a)
	if want := `{"model_name":"m","model_version":"1","parameters":{"experiment":"e","variant":"v","reason":"split","degraded":"fallback_variant"},"outputs":[]}`; err != nil || body != want {
		t.Errorf("%v\n got %s\nwant %s", err, body, want)
	}
	a = Answer{Model: "m", Version: 1, Degraded: []byte("fallback_variant")}
	if body, _, err = answer(t, `{"inputs":[]}`, a); err != nil || !strings.Contains(body, `"parameters":{"degraded":"fallback_variant"},`) {
		t.Errorf("%v: %s", err, body)
	}
}

// TestUnwritable: what JSON cannot carry is refused, and given as binary data.
func TestUnwritable(t *testing.T) {
	bad := models.AppendStringElement(nil, "\xff")
	for name, c := range map[string]struct {
		tensor models.Tensor
		want   string
	}{
		"NaN":      {models.Tensor{Name: "y", DType: models.Float32, Shape: []int64{2}, Data: floats(1, float32(math.NaN()))}, "holds a NaN or an infinity"},
		"infinity": {models.Tensor{Name: "y", DType: models.BFloat16, Shape: []int64{1}, Data: []byte{0x80, 0x7f}}, "holds a NaN or an infinity"},
		"bytes":    {models.Tensor{Name: "y", DType: models.String, Shape: []int64{1}, Data: bad}, "holds a string that is not UTF-8"},
	} {
		a := Answer{Model: "m", Outputs: []models.Tensor{c.tensor}}
		_, _, err := answer(t, `{"inputs":[]}`, a)
		if e, ok := err.(*Error); !ok || e.Code != CodeInternal || e.Field != "outputs.y" || !strings.HasPrefix(e.Message, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		body, _, err := answer(t, `{"inputs":[],"parameters":{"binary_data_output":true}}`, a)
		if err != nil || !strings.HasSuffix(body, string(c.tensor.Data)) {
			t.Errorf("%s as binary data: %v", name, err)
		}
		r := newTestRequest()
		if _, err = r.AppendPredictions(nil, a.Outputs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in v1: %v", name, err)
		}
	}
	_, _, err := answer(t, `{"inputs":[],"outputs":[{"name":"s","parameters":{"classification":1}}]}`, outputs())
	if err == nil || err.Error() != "bad_request: outputs.s: is BYTES; classification is for integers, FP32 and FP64" {
		t.Errorf("classes of strings: %v", err)
	}
}
