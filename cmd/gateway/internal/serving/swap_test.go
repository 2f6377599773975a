package serving

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/features"
	"hotpath/models"
	"hotpath/router"
)

// A version that was swapped out is freed by the last request that uses it, not before.
func TestALaneOutlivesItsSnapshotForItsRequests(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.Start())
	g := riskGolden(t, 1)
	var held []*router.Exchange
	for range 3 {
		x := s.begin("risk", "u")
		x.Request.Features = append(x.Request.Features, models.Value{Key: []byte("X"), Kind: models.KindArray, Raw: rawX(t, g)})
		if refusal := s.pipeline.Predict(x); refusal != nil {
			t.Fatal(refusal)
		}
		held = append(held, x)
	}
	ok(t, s.add("risk", s.load(risk(t, "risk", 2, 2))))
	ok(t, s.remove("risk", 1))
	s.wantServed("u", 2, 2)
	for i, x := range held {
		if s.retired() != 0 {
			t.Fatalf("version 1 was freed while %d requests use it", len(held)-i)
		}
		if err := g.Compare(0, x.Lane.Out, x.Out()); x.Lane.Version != 1 || err != nil {
			t.Errorf("version %d: %v", x.Lane.Version, err)
		}
		// It can still score: a fallback variant may want it.
		job := x.Lane.Scorer.Acquire()
		ok(t, g.Input(0, x.Lane.In, job.In()))
		ok(t, job.Score(time.Now().Add(10*time.Second), 0))
		job.Release()
		s.pipeline.Finish(x)
	}
	eventually(t, "version 1 is freed", func() bool { return s.retired() == 1 })
}

// 50 swaps under load: every answer is that of the version it names, no request
// fails, and in the end what is loaded is what serves.
func TestSwapsUnderLoad(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	wants := s.expected()
	x := rawX(t, riskGolden(t, 1))
	fileOf := func(version int) int { return 1 + version%3 }
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, fileOf(1)))))
	ok(t, s.world.Start())

	var running sync.WaitGroup
	var requests atomic.Int64
	stop := make(chan struct{})
	for user := range 4 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				version, prediction := s.predictOne(fmt.Sprint("user-", user), x)
				if version > 0 && math.Abs(prediction-wants[fileOf(version)-1]) > 1e-5 {
					t.Errorf("version %d answers %v, want %v", version, prediction, wants[fileOf(version)-1])
				}
				requests.Add(1)
			}
		})
	}
	const swaps = 50
	for version := 2; version <= swaps+1; version++ {
		before := requests.Load()
		ok(t, s.add("risk", s.load(risk(t, "risk", version, fileOf(version)))))
		ok(t, s.remove("risk", version-1))
		eventually(t, "requests go on", func() bool { return requests.Load() > before })
	}
	close(stop)
	running.Wait()
	t.Logf("%d requests over %d swaps", requests.Load(), swaps)
	eventually(t, "all but the last version are freed", func() bool { return s.retired() == s.loads-1 })
	if got := s.series("hotpath_batch_size", nil); len(got) != 1 {
		t.Errorf("%d series of batch sizes, want those of one version", len(got))
	}
	if got := s.metric("hotpath_predictions_total", map[string]string{"code": "internal"}); got != 0 {
		t.Errorf("%v requests failed", got)
	}
}

// expected is what each file of the risk model answers for the first golden
// vector of version 1.
func (s *stage) expected() (predictions [3]float64) {
	s.t.Helper()
	for i := range predictions {
		loaded := s.load(risk(s.t, "risk", 1, i+1))
		lane := loaded.Served.(*served).lane
		j := lane.Scorer.Acquire()
		ok(s.t, riskGolden(s.t, 1).Input(0, lane.In, j.In()))
		ok(s.t, j.Score(time.Now().Add(10*time.Second), 0))
		predictions[i] = float64(j.Out().Float32(lane.Out.Offset[lane.Prediction.Port] + 4))
		j.Release()
		loaded.Served.Close()
	}
	return predictions
}

// predictOne is predict for goroutines other than the test's.
func (s *stage) predictOne(user string, x []byte) (version int, prediction float64) {
	e := s.begin("risk", user)
	if e == nil {
		return 0, 0
	}
	defer s.pipeline.Finish(e)
	e.Request.Features = append(e.Request.Features, models.Value{Key: []byte("X"), Kind: models.KindArray, Raw: x})
	if refusal := s.pipeline.Predict(e); refusal != nil {
		s.t.Errorf("a request failed: %v", refusal)
		return 0, 0
	}
	at := e.Lane.Out.Offset[e.Lane.Prediction.Port] + 4*e.Lane.Prediction.Element
	return e.Lane.Version, float64(e.Out().Float32(at))
}

// What is refused by the world is freed at once, and what serves goes on.
func TestALoadThatIsNotTakenIsFreed(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.Start())
	s.load(risk(t, "risk", 2, 2)).Served.Close()
	eventually(t, "it is freed", func() bool { return s.retired() == 1 })
	s.wantServed("u", 1, 1)
}

var versionFamilies = []string{"hotpath_batch_size", "hotpath_run_duration_seconds", "hotpath_run_errors_total",
	"hotpath_predictions_total", "hotpath_degraded_total", "hotpath_nonfinite_outputs_total", "hotpath_queue_rows"}

// The series of a version go with it; those of one that is loaded again in its
// place stay.
func TestSeriesFollowWhatIsLoaded(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	s.wantServed("u", 2, 2)
	count := func(version int) (families int) {
		for _, family := range versionFamilies {
			if len(s.series(family, map[string]string{"model": "risk", "version": strconv.Itoa(version)})) > 0 {
				families++
			}
		}
		return families
	}
	if count(1) != len(versionFamilies) || count(2) != len(versionFamilies) {
		t.Errorf("series in %d and %d families of %d", count(1), count(2), len(versionFamilies))
	}
	// The same version again: two lanes for a while, one set of series.
	ok(t, s.add("risk", s.load(risk(t, "risk", 2, 2))))
	eventually(t, "the replaced lane is freed", func() bool { return s.retired() == 1 })
	s.wantServed("u", 2, 2)
	if got := s.metric("hotpath_predictions_total", map[string]string{"version": "2", "code": "ok"}); got != 2 {
		t.Errorf("%v predictions counted, want 2", got)
	}
	ok(t, s.remove("risk", 1))
	eventually(t, "version 1 is freed", func() bool { return s.retired() == 2 })
	if count(1) != 0 || count(2) != len(versionFamilies) {
		t.Errorf("series in %d and %d families, want 0 and %d", count(1), count(2), len(versionFamilies))
	}
}

// A version loaded again while its last lane is forgotten keeps its series.
func TestSeriesOfAReloadAreNotForgotten(t *testing.T) {
	reg := prometheus.NewRegistry()
	r, err := router.NewMetrics(reg)
	ok(t, err)
	m, err := NewMetrics(reg)
	ok(t, err)
	s := &stage{t: t, reg: reg}
	m.version("m", 1, r)
	for range 500 {
		var both sync.WaitGroup
		both.Go(func() { m.forget("m", 1, r) })
		both.Go(func() { m.version("m", 1, r) })
		both.Wait()
		if len(m.lanes) != 1 || m.lanes[versionKey{"m", 1}] != 1 {
			t.Fatalf("lanes %v", m.lanes)
		}
		for _, family := range []string{"hotpath_batch_size", "hotpath_predictions_total"} {
			if len(s.series(family, nil)) == 0 {
				t.Fatalf("%s has lost its series", family)
			}
		}
	}
}

// A version whose run does not end is not freed under it; Wait says so.
func TestAVersionIsNotFreedUnderItsRun(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := fixture(t, "slow_loop")
	c.Config.BatchSizes, c.Config.RunTimeout = []int{1}, 300*time.Millisecond
	loaded := s.loadUnverified(c)
	ok(t, s.add("slow_loop", loaded))
	ok(t, s.world.Start())
	x := s.begin("slow_loop", "u")
	x.Until = time.Now().Add(30 * time.Millisecond)
	x.Request.Features = append(x.Request.Features, models.Value{Key: []byte("x"), Kind: models.KindNumber, Raw: []byte("1")})
	if refusal := s.pipeline.Predict(x); refusal == nil || refusal.Code != router.Deadline {
		t.Errorf("got %v, want a deadline", refusal)
	}
	s.pipeline.Finish(x)
	ok(t, s.remove("slow_loop", 1))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	wantError(t, s.loader.Wait(ctx), "a run that does not end")
	if s.retired() != 0 {
		t.Error("the version was freed during its run")
	}
	eventually(t, "the watchdog ends the run and the version is freed", func() bool { return s.retired() == 1 })
}
