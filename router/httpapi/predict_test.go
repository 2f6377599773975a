package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

func weight(w float64) *float64 { return &w }

// experiment is control (version 1) for everybody, and treatment (version 2).
func experiment() abtest.Config {
	return abtest.Config{Experiments: []abtest.ExperimentConfig{{Name: "risk-test", Model: "risk", Fallback: "control",
		Variants: []abtest.VariantConfig{{Name: "control", Weight: weight(100), Version: 1}, {Name: "treatment", Weight: weight(0), Version: 2}}}}}
}

func TestPredictGolden(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) { r.Serve(experiment(), r.Version("risk", 1), r.Version("risk", 2)) }
	})
	body := `{"user_id":"user-1","request_id":"r-1","features":{"id":7,"age":0.5},"entities":{"merchant":"m9"}}`
	const want = `{"request_id":"r-1","model":"risk","version":1,"experiment":"risk-test","variant":"control","reason":"split","outputs":{"id":7,"version":1,"x":[0.5,2]},"prediction":0.5}`
	for _, path := range []string{"/predict", "/v1/predict", "/api/v1/predict"} {
		got := p.post(t, path, body)
		if got.status != 200 || got.body != want || got.header.Get("Content-Type") != "application/json" ||
			got.header.Get("X-Degraded") != "" || got.header.Get("Server-Timing") != "" || got.header.Get("Server") != "hotpath" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	forced := strings.NewReplacer(`"version":1`, `"version":2`, `"control"`, `"treatment"`, `"split"`, `"forced"`).Replace(want)
	if got := p.post(t, "/predict", body, "X-Hotpath-Variant: treatment"); got.body != forced {
		t.Errorf("forced: %s", got.body)
	}
	got := p.post(t, "/predict", body, "X-Hotpath-Variant: nobody")
	if e := got.failure(t); got.status != 400 || e.Code != "bad_request" || e.Field != "X-Hotpath-Variant" || e.Request_ID != "r-1" {
		t.Errorf("forced to nobody: %+v", got)
	}
	if n := p.metric(t, "hotpath_requests_total", "route", "predict", "code", "ok"); n != 4 {
		t.Errorf("%v requests counted, want 4", n)
	}
}

func TestForcingIsIgnoredUnlessAllowed(t *testing.T) {
	p := start(t, func(s *setup) { s.handler.ForcedHeader = "" })
	if got := p.post(t, "/predict", `{"user_id":"u"}`, "X-Hotpath-Variant: nobody"); got.status != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestRequestIDs(t *testing.T) {
	p := start(t, nil)
	id := func(got reply) string {
		var body struct {
			Request_ID string
			Error      struct{ Request_ID string }
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		return body.Request_ID + body.Error.Request_ID
	}
	own := regexp.MustCompile(`^[0-9a-f]{12}-[0-9a-z]+$`)
	for _, c := range []struct{ name, path, body, header, want string }{
		{"body first", "/predict", `{"user_id":"u","request_id":"b"}`, "h", "b"},
		{"then header", "/predict", `{"user_id":"u"}`, "h", "h"},
		{"then ours", "/predict", `{"user_id":"u"}`, "", ""},
		{"an unfit header is ignored", "/predict", `{"user_id":"u"}`, "a b", ""},
		{"a long header is ignored", "/predict", `{"user_id":"u"}`, strings.Repeat("x", 257), ""},
		{"an error: body first", "/predict", `{"request_id":"b"}`, "h", "b"},
		{"an error: then header", "/predict", `{`, "h", "h"},
		{"an error: then ours", "/predict", `{`, "", ""},
		{"no such path", "/nothing", "", "h", "h"},
		{"no such path: ours", "/nothing", "", "", ""},
		{"batch: body first", "/predict/batch", `{"instances":[{"user_id":"u"}],"request_id":"b"}`, "h", "b"},
		{"batch: then header", "/predict/batch", `{"instances":[{"user_id":"u"}]}`, "h", "h"},
		{"batch: then ours", "/predict/batch", `{"instances":[{"user_id":"u"}]}`, "", ""},
		{"an error of a batch: body first", "/predict/batch", `{"request_id":"b","instances":[]}`, "h", "b"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{"X-Request-Id: " + c.header}
		}
		if got := id(p.post(t, c.path, c.body, headers...)); got != c.want && !(c.want == "" && own.MatchString(got)) {
			t.Errorf("%s: id is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTimeoutHeader(t *testing.T) {
	left := make(chan time.Duration, 1)
	p := start(t, func(s *setup) {
		s.handler.DefaultDeadline, s.handler.MaxDeadline = 200*time.Millisecond, time.Second
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.Lane.Scorer = &routertest.FaultyScorer{Scorer: v.Lane.Scorer, OnScore: func(until time.Time, _ handoff.Priority) error {
				left <- time.Until(until)
				return nil
			}}
			r.Serve(abtest.Config{}, v)
		}
	})
	for header, most := range map[string]time.Duration{"": 200 * time.Millisecond, "150": 150 * time.Millisecond, "0500": 500 * time.Millisecond,
		"1000": time.Second, "4294967295": time.Second} {
		var headers []string
		if header != "" {
			headers = []string{"X-Request-Timeout-Ms: " + header}
		}
		if got := p.post(t, "/predict", `{"user_id":"u"}`, headers...); got.status != 200 {
			t.Fatalf("%q: %+v", header, got)
		}
		if l := <-left; l > most || l < most/4 {
			t.Errorf("%q leaves %s, want nearly %s", header, l, most)
		}
	}
	for _, header := range []string{"0", "-1", "+5", "1.5", "abc", "4294967296", "99999999999999999999", "5 ", "0x10", "1_000"} {
		for path, body := range map[string]string{"/predict": `{"user_id":"u","request_id":"b"}`, "/predict/batch": `{"instances":[{"user_id":"u"}],"request_id":"b"}`} {
			if header == "5 " {
				continue // the space is not part of the value
			}
			got := p.post(t, path, body, "X-Request-Timeout-Ms: "+header)
			if e := got.failure(t); got.status != 400 || e.Field != "X-Request-Timeout-Ms" || e.Code != "bad_request" || e.Request_ID != "b" {
				t.Errorf("%s %q: %+v", path, header, got)
			}
		}
	}
}

// TestHurriedCallersDoNotOpenTheBreaker: deadlines shorter than a run are the
// callers' affair.
func TestHurriedCallersDoNotOpenTheBreaker(t *testing.T) {
	var version *routertest.Version
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			version = r.Version("risk", 1)
			version.Runner.OnRun = func(int) error { time.Sleep(15 * time.Millisecond); return nil }
			r.Serve(abtest.Config{}, version)
		}
	})
	for range 30 {
		if got := p.post(t, "/predict", `{"user_id":"u"}`, "X-Request-Timeout-Ms: 5"); got.code(t) != "deadline" && got.code(t) != "overloaded" {
			t.Errorf("got %+v", got)
		}
	}
	if s := version.Guard.State(); s.Failures > 0 || s.Breaker != "closed" {
		t.Errorf("the guard is %+v", s)
	}
	if got := p.post(t, "/predict", `{"user_id":"u"}`); got.status != 200 {
		t.Errorf("a patient caller gets %+v", got)
	}
}

func TestDegradedShows(t *testing.T) {
	down := false
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
			v1.View.OnFetch = func(time.Time, [][]byte) error {
				if down {
					return fmt.Errorf("refused")
				}
				return nil
			}
			v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { return router.ErrStuck }}
			r.Serve(experiment(), v1, v2)
		}
	})
	got := p.post(t, "/predict", `{"user_id":"u"}`, "X-Hotpath-Variant: treatment")
	if got.header.Get("X-Degraded") != "fallback_variant" || !strings.HasSuffix(got.body, `"degraded":["fallback_variant"],"defaulted":{"missing":2}}`) {
		t.Errorf("one: %+v", got)
	}
	down = true
	got = p.post(t, "/predict", `{"user_id":"u"}`, "X-Hotpath-Variant: treatment")
	if got.header.Get("X-Degraded") != "features,fallback_variant" || !strings.HasSuffix(got.body, `"degraded":["features","fallback_variant"],"defaulted":{"missing":1,"unavailable":2}}`) {
		t.Errorf("two: %+v", got)
	}
	down = false
	if got := p.post(t, "/predict", `{"user_id":"u"}`); got.header.Get("X-Degraded") != "" || strings.Contains(got.body, "degraded") {
		t.Errorf("none: %+v", got)
	}
}

func TestExplain(t *testing.T) {
	p := start(t, func(s *setup) {
		s.handler.ServerTiming = true
		s.serve = func(r *routertest.Rig) {
			v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
			v2.Static(9)
			v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { return router.ErrStuck }}
			config := experiment()
			config.Experiments[0].Fallback = ""
			r.Serve(config, v1, v2)
		}
	})
	var body struct {
		Explain *struct {
			Bucket           *int
			Assigned_Variant string
			Features         []struct {
				Name, Origin string
				Value        float64
			}
			Stages_us  map[string]float64
			Batch_rows int
		}
	}
	got := p.post(t, "/predict?explain=true", `{"user_id":"user-1","features":{"age":3}}`)
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Explain == nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	e := body.Explain
	if fmt.Sprint(e.Features) != "[{id default_missing -1} {user.age request 3} {merchant.score default_missing -1}]" || e.Bucket == nil ||
		e.Assigned_Variant != "control" || len(e.Stages_us) != 5 || e.Batch_rows != 1 {
		t.Errorf("explain is %s", got.body)
	}
	if timing := got.header.Get("Server-Timing"); !regexp.MustCompile(`^decode;dur=[0-9.]+, assign;dur=[0-9.]+, features;dur=[0-9.]+, queue;dur=[0-9.]+, run;dur=[0-9.]+$`).MatchString(timing) {
		t.Errorf("Server-Timing is %q", timing)
	}
	got = p.post(t, "/predict?explain=1", `{"user_id":"u"}`, "X-Hotpath-Variant: treatment")
	if !strings.Contains(got.body, `"degraded":["static_answer"]`) || !strings.Contains(got.body, `"features":[]`) {
		t.Errorf("a static answer explains itself as %s", got.body)
	}
	if got := p.post(t, "/predict/batch?explain=true", `{"instances":[{"user_id":"u"}]}`); !strings.Contains(got.body, `"explain":{"bucket":`) {
		t.Errorf("batch: %s", got.body)
	}
	for _, query := range []string{"", "?explain=false", "?explain=yes", "?x=1"} {
		if got := p.post(t, "/predict"+query, `{"user_id":"u"}`); strings.Contains(got.body, "explain") {
			t.Errorf("%q: %s", query, got.body)
		}
	}
	off := start(t, func(s *setup) { s.handler.AllowExplain = false })
	if got := off.post(t, "/predict?explain=true", `{"user_id":"u"}`); strings.Contains(got.body, "explain") || got.status != 200 {
		t.Errorf("not allowed: %s", got.body)
	}
}

// TestNonFiniteIsNoScore: a NaN must not reach a client, nor spoil its neighbours.
func TestNonFiniteIsNoScore(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.View.RequestOnly = true
			v.Runner.OnRun = func(rows int) error {
				in, _ := v.Runner.Frames()
				for i := range rows {
					row := models.Row{Data: in.Data[2][16*i : 16*i+16]}
					if row.Float64(0) == 13 {
						row.PutFloat64(8, math.NaN())
					}
				}
				return nil
			}
			r.Serve(abtest.Config{}, v)
		}
	})
	got := p.post(t, "/predict", `{"user_id":"u","features":{"age":13}}`)
	if e := got.failure(t); got.status != 500 || e.Code != "internal" || !strings.Contains(e.Message, `"x"`) {
		t.Errorf("got %+v", got)
	}
	got = p.post(t, "/predict/batch", `{"instances":[{"user_id":"a","features":{"age":1}},{"user_id":"b","features":{"age":13}},{"user_id":"c","features":{"age":2}}]}`)
	if got.status != 200 || strings.Count(got.body, `"outputs"`) != 2 || strings.Count(got.body, `"internal"`) != 1 || !json.Valid([]byte(got.body)) {
		t.Errorf("batch: %+v", got)
	}
	if n := p.metric(t, "hotpath_nonfinite_outputs_total"); n != 2 {
		t.Errorf("%v non-finite answers counted", n)
	}
}

func TestBatch(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			r.Serve(abtest.Config{}, r.Version("risk", 1), r.Version("other", 4))
		}
	})
	got := p.post(t, "/predict/batch", `{"request_id":"night","instances":[
		{"user_id":"a","features":{"id":0}},
		{"user_id":7},
		{"user_id":"b","model":"absent"},
		{"user_id":"c","features":{"age":"x"},"request_id":"mine"},
		{"user_id":"d","model":"other","features":{"id":4}},
		{"user_id":"e","request_id":"bad id"},
		"nonsense"],"model":"risk"}`)
	var body struct {
		Request_ID  string
		Predictions []struct {
			Request_ID string
			Version    int
			Outputs    map[string]any
			Error      *struct{ Code, Field, Request_ID string }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 || body.Request_ID != "night" {
		t.Fatalf("%v %+v", err, got)
	}
	var seen []string
	for _, one := range body.Predictions {
		if one.Error != nil {
			seen = append(seen, fmt.Sprint(one.Error.Request_ID, " ", one.Error.Code, " ", one.Error.Field))
		} else {
			seen = append(seen, fmt.Sprint(one.Request_ID, " v", one.Version, " ", one.Outputs["id"]))
		}
	}
	want := []string{"night.0 v1 0", "night.1 bad_request user_id", "night.2 unknown_model model", "mine bad_features features.age",
		"night.4 v4 4", "night.5 bad_request request_id", "night.6 bad_request "}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("answers are\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	for code, n := range map[string]float64{"ok": 2, "bad_request": 3, "unknown_model": 1, "bad_features": 1} {
		if got := p.metric(t, "hotpath_batch_instances_total", "code", code); got != n {
			t.Errorf("%v instances counted as %s, want %v", got, code, n)
		}
	}
	if n := p.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
	if got := p.post(t, "/predict/batch", `{"instances":[{"user_id":"a"},{]}`); got.code(t) != "bad_json" {
		t.Errorf("a syntax error: %+v", got)
	}
	if got := p.post(t, "/predict/batch", `{"instances":[]}`); got.code(t) != "bad_request" {
		t.Errorf("empty: %+v", got)
	}
}

// TestBatchesDoNotMix sends batches of many sizes at once: each answer must be
// its own instance's.
func TestBatchesDoNotMix(t *testing.T) {
	p := start(t, nil)
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for i := range 15 {
				n := (c*7+i*13)%100 + 1
				var b strings.Builder
				b.WriteString(`{"instances":[`)
				for j := range n {
					fmt.Fprintf(&b, `{"user_id":"u\u00%02x","features":{"id":%d}},`, 0x41+j%26, c*1_000_000+i*1000+j)
				}
				got := p.post(t, "/predict/batch", strings.TrimSuffix(b.String(), ",")+"]}")
				var body struct {
					Predictions []struct {
						Outputs struct {
							ID int
							X  []float64
						}
					}
				}
				if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body.Predictions) != n {
					t.Errorf("%v: %d of %d", err, len(body.Predictions), n)
					return
				}
				for j, one := range body.Predictions {
					if one.Outputs.ID != c*1_000_000+i*1000+j || one.Outputs.X[0] != 2 {
						t.Errorf("instance %d got %+v", j, one)
					}
				}
			}
		})
	}
	clients.Wait()
}

// The deadline begins with the first byte: a body that trickles in spends it.
func TestDeadlineBeginsWithTheFirstByte(t *testing.T) {
	p := start(t, nil)
	body := `{"user_id":"u"}`
	c := p.dial(t)
	send := func(s string) {
		if _, err := io.WriteString(c, s); err != nil {
			t.Fatal(err)
		}
	}
	send(fmt.Sprintf("POST /predict HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 20\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:5]))
	time.Sleep(40 * time.Millisecond) // longer than the request's deadline
	send(body[5:])
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "504") {
		t.Errorf("%q %v, want 504: the deadline was over before the body was there", line, err)
	}
}
