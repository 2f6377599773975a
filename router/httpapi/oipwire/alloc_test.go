package oipwire

import (
	"testing"

	"hotpath/models"
)

// TestNoAllocations: a warm request is decoded and answered without any.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates")
		return
	}
	binary, header := binaryBody("[1,10]", 40)
	full := []byte(`{"id":"a\u0062","parameters":{"timeout":1000,"user_id":"u","entity.session":"s","context.age":7,"other":[1]},"inputs":[{"data":[["a\n","b"]],"name":"s","shape":[1,2],"datatype":"BYTES"},` +
		`{"name":"f","shape":[2],"datatype":"FP16","data":[1.5,-2]},{"name":"i","shape":[2,1],"datatype":"INT64","data":[[1],[-2]]},{"name":"b","shape":[1],"datatype":"BOOL","data":[true]}],` +
		`"outputs":[{"name":"s","parameters":{"binary_data":true}},{"name":"f"},{"name":"i"}]}`)
	for name, c := range map[string]struct {
		body   []byte
		header int
	}{"json": {jsonBody(4, 10, 7), -1}, "binary": {binary, header}, "everything": {full, -1}} {
		r := newTestRequest()
		signature := models.Signature{}
		var dst []byte
		run := func() {
			r.Body = c.body
			if err := r.Decode(c.header); err != nil {
				t.Fatal(err)
			}
			a := Answer{ID: r.ID, Model: "m", Version: 1, Experiment: "e", Variant: "v", Reason: "split", Payload: []byte(`{"a":"b"}`), Signature: &signature, Outputs: r.Inputs}
			var err error
			if dst, _, err = r.AppendAnswer(dst[:0], &a); err != nil {
				t.Fatal(err)
			}
			r.Free()
		}
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestV1Allocations: a warm v1 request takes none either, once its inputs are known.
func TestV1Allocations(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates")
		return
	}
	ports := []models.Port{{Name: "x", DType: models.Float32}, {Name: "s", DType: models.String}}
	body := []byte(`{"instances":[{"x":[1,2],"s":"a"},{"s":{"b64":"YWI="},"x":[3,4]}]}`)
	r := newTestRequest()
	var dst []byte
	run := func() {
		r.Body = body
		if err := r.DecodeV1(ports); err != nil {
			t.Fatal(err)
		}
		var err error
		if dst, err = r.AppendPredictions(dst[:0], r.Inputs); err != nil {
			t.Fatal(err)
		}
		r.Free()
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
