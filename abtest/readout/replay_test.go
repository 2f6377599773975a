package readout

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
)

// recorded serves users through a log with files, and returns the readout that
// followed it and the directory.
func recorded(t *testing.T, window time.Duration, cfg abtest.Config) (live *lab, dir string) {
	t.Helper()
	live, dir = newLab(t, Options{Units: 1500}, cfg), t.TempDir()
	sink, err := jsonl.Open(jsonl.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	log, err := exposure.Open(exposure.Options{Window: window, Followers: []exposure.Follower{live.readout}, Sinks: []exposure.Sink{sink}},
		prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6000 {
		e := live.event(user(i * 7919 % 2500))
		e.Score, e.HasScore, e.LatencyNS = live.random.NormFloat64(), true, 1e6+live.random.Int64N(1e7)
		if live.random.IntN(20) == 0 {
			failing(&e)
		}
		if !log.Record(&e) {
			t.Fatal("an event was dropped")
		}
		if i%4 == 0 {
			f := exposure.Feedback{At: e.At + 1000, Outcome: []byte([]string{"purchase", "revenue", "click"}[i/4%3]), Value: live.random.Float64()}
			if f.Unit = e.Unit; i%8 == 0 {
				f.RequestID, f.Unit = e.RequestID, nil
			}
			if !log.Feedback(&f) {
				t.Fatal("an outcome was dropped")
			}
		}
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return live, dir
}

// replayed is a readout that is told what the files say.
func replayed(t *testing.T, dir string, cfg abtest.Config) *lab {
	t.Helper()
	l := newLab(t, Options{Units: 1500}, cfg)
	if _, err := jsonl.ReadFiles(t.Context(), []string{dir}, 0, l.readout); err != nil {
		t.Fatal(err)
	}
	return l
}

// A log of every event gives the same report, samples included.
func TestFilesGiveTheSameReport(t *testing.T) {
	cfg := split(purchases, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }),
		watched("p99_ms", func(g *abtest.GuardrailConfig) { g.MaxRatio = ptr(2.0) }))
	live, dir := recorded(t, 0, cfg)
	want, got := live.see(), replayed(t, dir, cfg).see()
	if want.Exposures != 6000 || want.Sample == 1 || want.Feedback.Counted == 0 || want.Feedback.NoMetric == 0 {
		t.Fatalf("the report says too little: %s", text(t, want))
	}
	a, b := text(t, want), text(t, got)
	if a != b {
		t.Errorf("live %s\nfrom the files %s", a, b)
	}
}

// With one record for each unit, the files know the same units and outcomes.
func TestFilesOfFirstExposures(t *testing.T) {
	cfg := split(purchases)
	live, dir := recorded(t, time.Hour, cfg)
	want, got := live.see(), replayed(t, dir, cfg).see()
	if got.Exposures >= want.Exposures {
		t.Errorf("%d of %d exposures are recorded", got.Exposures, want.Exposures)
	}
	if a, b := text(t, want.Metrics), text(t, got.Metrics); a != b || want.SRM.PValue != got.SRM.PValue {
		t.Errorf("live %s\nfrom the files %s", a, b)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
