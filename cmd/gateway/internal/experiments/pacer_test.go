package experiments

import (
	"testing"
	"time"
)

func TestPacerSleepsAfterSomeWork(t *testing.T) {
	later := time.Now().Add(time.Hour) // no work is done by then
	p := pacer{since: later}
	p.pause()
	if p.since != later {
		t.Error("it sleeps before there was work")
	}
	before := time.Now()
	p.since = before.Add(-paceWork)
	p.pause()
	if p.since.Sub(before) < paceSleep {
		t.Error("it does not sleep after work")
	}
}

// What is read while requests are served is read in pieces, and what is read before is not.
func TestReloadsArePaced(t *testing.T) {
	r := newRig(t, twoArms)
	if r.read.pause == nil || r.read.yaml.Pause == nil {
		t.Fatal("readings do not pause")
	}
	pauses := 0
	r.read.pausing(func() { pauses++ })
	r.write(weighted(80, 20))
	if err := r.Reload(t.Context(), false); err != nil || pauses < 4 {
		t.Errorf("%v, %d pauses", err, pauses)
	}
}
