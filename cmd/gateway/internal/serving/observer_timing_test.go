package serving

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/readout"
	"hotpath/router"
	"hotpath/router/routertest"
)

// BenchmarkObserve compares a request that nobody observes with one whose exposure is
// logged and read out: the difference is what an exposure costs.
func BenchmarkObserve(b *testing.B) {
	for _, observed := range []bool{false, true} {
		name := "unobserved"
		o := routertest.Options()
		if observed {
			name = "observed"
			r, err := readout.New(readout.Options{})
			if err != nil {
				b.Fatal(err)
			}
			l, err := exposure.Open(exposure.Options{Followers: []exposure.Follower{r}}, prometheus.NewRegistry())
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close(context.Background())
			o.Observer = &Observer{Log: l}
		}
		rig := routertest.NewRig(b, o)
		rig.Serve(halves(), rig.Version("risk", 1), rig.Version("risk", 2))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x, refusal := rig.Pipeline.Begin()
				if refusal != nil {
					b.Fatal(refusal)
				}
				x.Request.UserID, x.Request.RequestID, x.Until = []byte("user-1"), []byte("r"), time.Now().Add(time.Second)
				if refusal := rig.Pipeline.Predict(x); refusal != nil {
					b.Fatal(refusal)
				}
				rig.Pipeline.Finish(x)
			}
		})
	}
}

// halves is an experiment between versions 1 and 2.
func halves() abtest.Config {
	half := 50.0
	return abtest.Config{Experiments: []abtest.ExperimentConfig{{Name: "e", Model: "risk", Variants: []abtest.VariantConfig{
		{Name: "control", Weight: &half, Version: 1}, {Name: "treatment", Weight: &half, Version: 2}}}}}
}

// TestObserverLogsWhatWasAnswered follows an answer, a failure and an assignment into
// the log.
func TestObserverLogsWhatWasAnswered(t *testing.T) {
	var got events
	l, err := exposure.Open(exposure.Options{Followers: []exposure.Follower{&got}}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	o := routertest.Options()
	o.Observer = &Observer{Log: l}
	rig := routertest.NewRig(t, o)
	rig.Serve(halves(), rig.Version("risk", 1), rig.Version("risk", 2))
	ask := func(until time.Time, how func(x *router.Exchange)) {
		x, refusal := rig.Pipeline.Begin()
		if refusal != nil {
			t.Fatal(refusal)
		}
		defer rig.Pipeline.Finish(x)
		x.Request.UserID, x.Request.RequestID, x.Until = []byte("user-1"), []byte("r-1"), until
		how(x)
	}
	ask(time.Now().Add(time.Minute), func(x *router.Exchange) { rig.Pipeline.Predict(x) })
	ask(time.Now().Add(-time.Minute), func(x *router.Exchange) { rig.Pipeline.Predict(x) })
	ask(time.Now().Add(time.Minute), func(x *router.Exchange) {
		x.Via = router.ViaAssign
		if _, refusal := rig.Pipeline.Assign(x, []byte("e")); refusal != nil {
			t.Error(refusal)
		}
	})
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 {
		t.Fatalf("%d events, want 3", len(got))
	}
	answered, failed, assigned := got[0], got[1], got[2]
	for _, e := range got {
		if e.Experiment != "e" || e.Assigned == "" || e.Assigned != answered.Assigned || e.Reason != abtest.ReasonSplit || e.Version < 1 {
			t.Errorf("%+v", e)
		}
	}
	if answered.Served != answered.Assigned || answered.Code != "ok" || !answered.HasScore || answered.LatencyNS <= 0 {
		t.Errorf("answered: %+v", answered)
	}
	if failed.Served != "" || failed.Code != "deadline" || failed.HasScore {
		t.Errorf("failed: %+v", failed)
	}
	if assigned.Via != exposure.Assign || assigned.LatencyNS != 0 || assigned.Served != answered.Assigned {
		t.Errorf("assigned: %+v", assigned)
	}
}

// events keeps what a log tells.
type events []exposure.Event

func (e *events) Exposed(event *exposure.Event, _ bool) { *e = append(*e, *event) }
func (e *events) Reported(*exposure.Feedback)           {}
