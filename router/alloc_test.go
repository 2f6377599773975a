package router_test

import (
	"testing"
	"time"

	"hotpath/router"
)

// maxAllocs of a request in steady state, without the codec. What there is comes
// from the two breakers, whose library gives a closure for each call.
const maxAllocs = 2

func TestPredictAllocates(t *testing.T) {
	if raceDetector {
		return // its pools drop what is put into them
	}
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	r.Serve(config(split("risk", 50, 50)), v1, v2)
	run := func() { once(t, r.Pipeline) }
	for range 200 {
		run()
	}
	n := testing.AllocsPerRun(500, run)
	t.Logf("%v allocations a request", n)
	if n > maxAllocs {
		t.Errorf("%v allocations a request, at most %d are allowed", n, maxAllocs)
	}
}

// The bytes of the steady request, which lie in a body otherwise.
var steadyUser, steadyModel = []byte("user-1"), []byte("risk")

// once takes one request through, as a codec does.
func once(t testing.TB, p *router.Pipeline) {
	x, refusal := p.Begin()
	if refusal != nil {
		t.Fatal(refusal)
	}
	x.Request.UserID, x.Request.Model = steadyUser, steadyModel
	x.Until = time.Now().Add(far)
	if err := p.Predict(x); err != nil {
		t.Fatal(err)
	}
	p.Finish(x)
}
