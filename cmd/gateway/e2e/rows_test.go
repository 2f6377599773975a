package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// fixtureArgs are the settings of a gateway over test models, which need no
// store.
func fixtureArgs(dir string) []string {
	return append([]string{"--models", filepath.Join(dir, "repository")}, calm...)
}

// number reads an output that is one number.
func number(outputs map[string]any, name string) (float64, bool) {
	v, ok := outputs[name]
	if list, isList := v.([]any); isList && len(list) == 1 {
		v = list[0]
	}
	f, isNumber := v.(float64)
	return f, ok && isNumber
}

// TestEveryRowToItsCaller is I3: the echo model answers with the row's own id.
func TestEveryRowToItsCaller(t *testing.T) {
	dir := fixtures(t, "echo")
	write(t, filepath.Join(dir, "repository/echo/config.yaml"), "max_batch_size: 32\n")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	before := g.metrics(t)
	r := load{addr: g.Traffic, conns: 48, total: byRace(6000, 20000), body: echoBody}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	wrong := checkEcho(t, r)
	after := g.metrics(t)
	r.addsUp(t, before, after)
	runs, rows := after.sum("hotpath_batch_size_count"), after.sum("hotpath_batch_size_sum")
	if int(rows) != len(r.answers) {
		t.Errorf("%g rows were run for %d requests", rows, len(r.answers))
	}
	verdict(t, "echo rows under concurrency", "each id answered to its sender", "%d requests in %s, %d wrong, %.1f rows a run",
		len(r.answers), r.lasted.Round(1e6), wrong, rows/runs)
	g.Stop(t)
}

func echoBody(i int) (user, rest string) {
	user = fmt.Sprintf("u%d", i)
	return user, fmt.Sprintf(`"user_id":%q,"model":"echo","features":{"id":%d,"x":[%d,1,2,0.5]}}`, user, i, i%1000)
}

func checkEcho(t *testing.T, r report) (wrong int) {
	t.Helper()
	for i := range r.answers {
		a := &r.answers[i]
		if a.code() != "ok" {
			continue
		}
		id, isID := number(a.parsed.Outputs, "id_out")
		sum, isSum := number(a.parsed.Outputs, "sum")
		if isID && isSum && id == float64(a.seq) && sum == float64(a.seq%1000)+3.5 {
			continue
		}
		if wrong++; wrong <= 5 {
			t.Errorf("request %d was answered %s", a.seq, a.reply.body)
		}
	}
	return wrong
}

// TestPoisonRowFailsAlone is row 17: an index out of range fails the run of a
// whole batch, and only the rows at fault may fail for it.
func TestPoisonRowFailsAlone(t *testing.T) {
	dir := fixtures(t, "gather_poison")
	write(t, filepath.Join(dir, "repository/gather_poison/config.yaml"), "max_batch_size: 16\nmax_queue_delay: 2ms\n")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	index := func(i int) int {
		if i%100 == 37 {
			return 99
		}
		return i % 8
	}
	r := load{addr: g.Traffic, conns: 24, total: byRace(2000, 6000), body: func(i int) (string, string) {
		return "u", fmt.Sprintf(`"user_id":"u","model":"gather_poison","features":{"index":%d}}`, index(i))
	}}.begin(t).wait(t)
	poison := r.where(func(a *answer) bool { return index(a.seq) == 99 })
	good := r.where(func(a *answer) bool { return index(a.seq) != 99 })
	poison.onlyCodes(t, "bad_features", "internal")
	good.onlyCodes(t, "ok")
	for i := range good.answers {
		a := &good.answers[i]
		if a.code() != "ok" {
			continue
		}
		want := float64(2 * index(a.seq))
		if y, ok := a.parsed.Outputs["y"].([]any); !ok || len(y) != 2 || y[0] != want || y[1] != want+1 {
			t.Fatalf("index %d was answered %s", index(a.seq), a.reply.body)
		}
	}
	m := g.metrics(t)
	verdict(t, "1 poison row of 100", "only it fails, neighbours 200 with their values", "poison %v, good %v, %.1f rows a run, %g trips",
		poison.codes(), good.codes(), m.sum("hotpath_batch_size_sum")/m.sum("hotpath_batch_size_count"), m.sum("hotpath_breaker_trips_total"))
	g.Stop(t)
}

// TestBatchEndpoint sends many instances in one body.
func TestBatchEndpoint(t *testing.T) {
	dir := fixtures(t, "echo", "gather_poison")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	var instances []string
	for i := range 100 {
		switch i {
		case 10:
			instances = append(instances, `{"user_id":""}`)
		case 20:
			instances = append(instances, `{"user_id":"u","model":"nowhere"}`)
		case 30:
			instances = append(instances, `{"user_id":"u","model":"echo","features":{"id":1}}`)
		case 40:
			instances = append(instances, `{"user_id":"u","model":"gather_poison","features":{"index":99}}`)
		default:
			_, rest := echoBody(i)
			instances = append(instances, "{"+rest)
		}
	}
	status, text, _ := request(t, "POST", "http://"+g.Traffic+"/predict/batch", `{"request_id":"b","instances":[`+strings.Join(instances, ",")+`]}`)
	var out struct {
		RequestID   string `json:"request_id"`
		Predictions []prediction
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil || status != 200 || out.RequestID != "b" || len(out.Predictions) != 100 {
		t.Fatalf("batch: %d %.300s %v", status, text, err)
	}
	want := map[int]string{10: "bad_request", 20: "unknown_model", 30: "bad_features", 40: "internal"}
	failed := 0
	for i, p := range out.Predictions {
		// A row that failed among others is known to be at fault itself; of one that
		// failed alone it may be the model.
		atFault := i == 40 && p.Error.Code == "bad_features"
		if p.Error.Code != want[i] && !atFault {
			t.Errorf("instance %d: %+v, want %q", i, p, want[i])
		}
		if p.Error.Code != "" {
			failed++
			continue
		}
		if id, ok := number(p.Outputs, "id_out"); !ok || id != float64(i) {
			t.Errorf("instance %d was answered %+v", i, p)
		}
	}
	m := g.metrics(t)
	if n := m.sum("hotpath_batch_instances_total", `code="ok"`); int(n) != 100-failed {
		t.Errorf("hotpath_batch_instances_total counts %g good instances of %d", n, 100-failed)
	}
	verdict(t, "batch of 100 with 4 bad instances", "in order, errors stay with their instance", "%d answers, %d errors", len(out.Predictions), failed)
	g.Stop(t)
}

// TestLimits checks the refusals of oversized and malformed requests.
func TestLimits(t *testing.T) {
	dir := fixtures(t, "echo")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	_, good := echoBody(7)
	good = "{" + good
	cases := []struct {
		name    string
		request []byte
		status  int
		code    string
		closes  bool
	}{
		{"a good request", post("/predict", good), 200, "", false},
		{"the same at /v1/predict", post("/v1/predict", good), 200, "", false},
		{"the same at /api/v1/predict", post("/api/v1/predict", good), 200, "", false},
		{"a body over 256 KiB", post("/predict", `{"user_id":"`+strings.Repeat("a", 257<<10)+`"}`), 413, "body_too_large", true},
		{"headers over 8 KiB", post("/predict", good, "X-Long: "+strings.Repeat("a", 9<<10)), 431, "headers_too_large", true},
		{"half a JSON document", post("/predict", good[:30]), 400, "bad_json", false},
		{"bytes after the document", post("/predict", good+"x"), 400, "bad_json", false},
		{"a duplicate key", post("/predict", `{"user_id":"a","user_id":"b"}`), 400, "bad_json|bad_request", false},
		{"an unknown key", post("/predict", `{"user_id":"a","modle":"echo"}`), 400, "bad_request", false},
		{"no user", post("/predict", `{"model":"echo"}`), 400, "bad_request", false},
		{"an unknown model", post("/predict", `{"user_id":"a","model":"nowhere"}`), 404, "unknown_model", false},
		{"a missing feature", post("/predict", `{"user_id":"a","model":"echo"}`), 422, "bad_features", false},
		{"a gzip body", post("/predict", good, "Content-Encoding: gzip"), 415, "unsupported_encoding", false},
		{"an unknown path", post("/predicts", good), 404, "not_found", false},
		{"a GET", []byte("GET /predict HTTP/1.1\r\nHost: gateway\r\n\r\n"), 405, "method_not_allowed", false},
		{"no HTTP", []byte("HELLO\r\n\r\n"), 400, "bad_request", true},
	}
	for _, c := range cases {
		w, err := dialWire(g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		a, err := w.do(c.request, scaled(5e9))
		w.Close()
		var p prediction
		if err == nil {
			err = json.Unmarshal(a.body, &p)
		}
		if err != nil || a.status != c.status || !strings.Contains("|"+c.code+"|", "|"+p.Error.Code+"|") || c.closes && !a.closing {
			t.Errorf("%s: %v, %d %s closing %t; want %d %s", c.name, err, a.status, a.body, a.closing, c.status, c.code)
		}
		verdict(t, c.name, fmt.Sprintf("%d %s", c.status, c.code), "%d %s", a.status, p.Error.Code)
	}
	g.Stop(t)
}
