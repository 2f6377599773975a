package oipwire

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"hotpath/models"
)

// fuzzLimits are small, so that a fuzzer can reach them.
func fuzzLimits() Limits {
	return Limits{Depth: 8, IDBytes: 12, Entities: 2, Context: 2, KeyBytes: 12, TensorBytes: 1 << 20}
}

// seeds are bodies that show the fuzzer what there is.
func seeds() []string {
	list := []string{
		`{"inputs":[]}`, `{"id":"a","model_name":"m","inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2.5,-3e-2]}]}`,
		`{"inputs":[{"data":[[true,false],[false,true]],"datatype":"BOOL","name":"x","shape":[2,2]}],"outputs":[{"name":"y","parameters":{"binary_data":true,"classification":3}}]}`,
		`{"parameters":{"timeout":1000,"user_id":"u","binary_data_output":true,"sequence_id":0,"sequence_start":false,"z":[{}]},"inputs":[{"name":"s","shape":[2],"datatype":"BYTES","data":["a\u00e9","\ud83d\ude00"]}]}`,
		`{"inputs":[{"name":"x","shape":[],"datatype":"INT64","data":[9223372036854775807]},{"name":"y","shape":[0],"datatype":"UINT64","data":[]}]}`,
		`{"inputs":[{"name":"x","shape":[1],"datatype":"FP16","data":[65519.99]},{"name":"y","shape":[1],"datatype":"BF16","data":[3.4e38]}]}`,
		`{"parameters":{"entity.session":"s","entity.card":-7,"context.country":"de","context.age":4.5},"inputs":[]}`,
		`{"parameters":{"context.":1,"entity.x":1.5,"context.list":[]},"inputs":[]}`,
		`{"inputs":[{"name":"x","shape":[1,1,2],"datatype":"UINT8","data":[[[255,0]]],"parameters":{"content_type":"np"}}]}`,
		`{"inputs":[{"name":"x","shape":[2,1],"datatype":"FP64","data":[[1e308],[1.7976931348623157e308]]}]}`,
	}
	for _, c := range refusals {
		if len(c.body) < 1000 {
			list = append(list, c.body)
		}
	}
	return list
}

func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	r := NewRequest(fuzzLimits(), func() {})
	f.Fuzz(func(t *testing.T, body []byte) {
		defer r.Free()
		r.Body = slices.Clone(body)
		err := r.Decode(-1)
		want, ok := refer(body, fuzzLimits())
		if (err == nil) != ok {
			t.Fatalf("%q: error %v, reference accepts it: %v", body, err, ok)
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Offset < 0 || e.Offset > len(body) {
				t.Fatalf("%q: %#v", body, err)
			}
			return
		}
		if string(r.ID) != want.id || string(r.UserID) != want.userID || r.Timeout.Microseconds() != want.timeout || r.BinaryOutput != want.binary {
			t.Fatalf("%q: id %q user %q timeout %s binary %v, reference %+v", body, r.ID, r.UserID, r.Timeout, r.BinaryOutput, want)
		}
		if got := showUnits(r); got != want.units {
			t.Fatalf("%q: %s, reference %s", body, got, want.units)
		}
		if !slices.Equal(r.Outputs, want.outputs) {
			t.Fatalf("%q: outputs %+v, reference %+v", body, r.Outputs, want.outputs)
		}
		sameTensors(t, body, r.Inputs, want.inputs)
	})
}

func sameTensors(t *testing.T, body []byte, got, want []models.Tensor) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%q: %d inputs, want %d", body, len(got), len(want))
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if g.Name != w.Name || g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("%q: input %d is %+v, want %+v", body, i, *g, *w)
		}
		if err := g.CheckData(); err != nil {
			t.Fatalf("%q: input %d: %v", body, i, err)
		}
	}
}

// FuzzBinary splits a body at any place: whatever the header says, tensors lie
// within the body.
func FuzzBinary(f *testing.F) {
	good, header := binaryBody("[2]", 8)
	f.Add(good, header)
	f.Add(good, len(good))
	f.Add([]byte(`{"inputs":[{"name":"s","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}]}`+"\x03\x00\x00\x00abc"), 88)
	r := NewRequest(fuzzLimits(), func() {})
	f.Fuzz(func(t *testing.T, body []byte, header int) {
		defer r.Free()
		r.Body = slices.Clone(body)
		if err := r.Decode(max(header, 0)); err != nil {
			return
		}
		for i := range r.Inputs {
			if err := r.Inputs[i].CheckData(); err != nil {
				t.Fatalf("%q: input %d: %v", body, i, err)
			}
		}
	})
}

// FuzzV1 looks that whatever is accepted makes whole tensors, and that an answer
// of the same tensors can be written.
func FuzzV1(f *testing.F) {
	for _, s := range []string{`{"instances":[[1,2],[3,4]]}`, `{"instances":[{"x":1},{"x":2}],"signature_name":"s"}`, `{"inputs":{"x":[[1]]}}`,
		`{"instances":[{"b64":"YQ=="},"b"]}`, `{"instances":[[],[]]}`, `{"inputs":[{"b64":""}]}`, `{"instances":[{"x":1,"x":2}]}`} {
		f.Add([]byte(s), uint8(models.Float32), false)
		f.Add([]byte(s), uint8(models.String), false)
		f.Add([]byte(s), uint8(models.Int8), true)
	}
	r := NewRequest(fuzzLimits(), func() {})
	f.Fuzz(func(t *testing.T, body []byte, dtype uint8, two bool) {
		defer r.Free()
		ports := []models.Port{{Name: "x", DType: models.DType(dtype%uint8(models.String)) + 1}}
		if two {
			ports = append(ports, models.Port{Name: "b64", DType: models.String})
		}
		r.Body = slices.Clone(body)
		if err := r.DecodeV1(ports); err != nil {
			return
		}
		if len(r.Inputs) != len(ports) {
			t.Fatalf("%q: %d inputs", body, len(r.Inputs))
		}
		for i := range r.Inputs {
			if err := r.Inputs[i].CheckData(); err != nil {
				t.Fatalf("%q: input %d: %v", body, i, err)
			}
		}
		if _, err := r.AppendPredictions(nil, r.Inputs); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

// FuzzNumbers compares the quick way of reading floats with strconv's.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.5", "0.1", "16777217", "16777219", "3.4028235677973366e38", "3.4028236e38", "1e-45", "7e-46", "1.17549435e-38",
		"9007199254740993", "9007199791611905", "0.000000000000000000001", "123456789012345678901234567890", "1e22", "1e23", "8.5070591730234615e37", "0.30000001192092896", "-1.0000000596046448"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !isNumber(s) {
			return
		}
		x, expected := scanNumber([]byte(s), 0)
		if expected != "" || x.end != len(s) {
			t.Fatalf("%s: expected %q at %d", s, expected, x.end)
		}
		checkFloats(t, s, &x)
	})
}
