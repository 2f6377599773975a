package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/httpapi"
	"hotpath/router/httpapi/jsonwire"
	"hotpath/router/routertest"
)

// offers is an experiment whose variants hand something out, behind one for Germany.
func offers() abtest.Config {
	return abtest.Config{Experiments: []abtest.ExperimentConfig{
		{Name: "german", Model: "risk", Targeting: &abtest.Condition{Attribute: "country", Eq: "de"}, Variants: []abtest.VariantConfig{
			{Name: "all", Weight: weight(100), Version: 1}}},
		{Name: "session", Model: "risk", Unit: "session", Variants: []abtest.VariantConfig{
			{Name: "on", Weight: weight(100), Version: 2, Payload: map[string]any{"limit": 3, "text": "a \"b\""}}}},
		{Name: "off", Model: "risk", State: "draft", Variants: []abtest.VariantConfig{{Name: "v", Weight: weight(100)}}},
	}}
}

// startOffers serves them; change may be nil.
func startOffers(t testing.TB, change func(s *setup)) *port {
	t.Helper()
	return start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) { r.Serve(offers(), r.Version("risk", 1), r.Version("risk", 2)) }
		if change != nil {
			change(s)
		}
	})
}

func TestAssignGolden(t *testing.T) {
	p := startOffers(t, nil)
	const session = `{"request_id":"r","model":"risk","version":2,"experiment":"session","variant":"on","payload":{"limit":3,"text":"a \"b\""},"reason":"split"}`
	for _, c := range []struct{ name, body, want string }{
		{"by an entity", `{"entities":{"session":"s"},"request_id":"r"}`, session},
		{"by the context", `{"context":{"session":17},"model":"risk","expose":false,"request_id":"r"}`, session},
		{"by a user", `{"user_id":"u","context":{"country":"de"},"request_id":"r"}`, `{"request_id":"r","model":"risk","version":1,"experiment":"german","variant":"all","reason":"split"}`},
		{"nothing", `{"user_id":"u","request_id":"r"}`, `{"request_id":"r","model":"risk","version":2,"reason":"not_targeted"}`},
		{"an experiment", `{"entities":{"session":"s"},"experiment":"session","request_id":"r"}`, session},
		{"one that another came before", `{"user_id":"u","entities":{"session":"s"},"context":{"country":"de"},"experiment":"session","request_id":"r"}`,
			`{"request_id":"r","model":"risk","version":1,"experiment":"session","reason":"split","decided_by":"german"}`},
		{"one that the unit is not in", `{"user_id":"u","experiment":"german","request_id":"r"}`, `{"request_id":"r","model":"risk","version":2,"experiment":"german","reason":"not_targeted"}`},
		{"a draft", `{"user_id":"u","experiment":"off","request_id":"r"}`, `{"request_id":"r","model":"risk","version":2,"experiment":"off","reason":"not_running"}`},
		{"a batch", `{"request_id":"r","expose":false,"experiment":"session","instances":[{"entities":{"session":"s"},"request_id":"r"},{"user_id":7},{"user_id":"u","experiment":"nope"},{},7,{"user_id":"u"}]}`,
			`{"request_id":"r","assignments":[` + session + `,{"error":{"code":"bad_request","message":"must be a string, got a number: write it as a string, in double quotes (byte 126)","field":"user_id","request_id":"r.1"}},` +
				`{"error":{"code":"unknown_experiment","message":"there is no experiment named \"nope\"","field":"experiment","request_id":"r.2"}},` +
				`{"error":{"code":"bad_request","message":"is required where neither entities nor context say whom to assign: a string, such as \"user_id\":\"u1\" (byte 165)","field":"user_id","request_id":"r.3"}},` +
				`{"error":{"code":"bad_request","message":"an instance must be an object, got a number (byte 168)","request_id":"r.4"}},` +
				`{"request_id":"r.5","model":"risk","version":2,"experiment":"session","reason":"no_unit"}]}`},
	} {
		for _, path := range []string{"/v1/assign", "/assign", "/api/v1/abtest/assign"} {
			if got := p.post(t, path, c.body); got.status != 200 || got.body != c.want || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %s\nwant %s", c.name, got.status, got.body, c.want)
			}
		}
	}
	explained := p.post(t, "/v1/assign?explain=true", `{"entities":{"session":"s"},"request_id":"r"}`)
	want := session[:len(session)-1] + `,"explain":{"bucket":BUCKET,"considered":[{"experiment":"german","reason":"no_unit","bucket":0},{"experiment":"session","variant":"on","reason":"split","bucket":BUCKET},{"experiment":"off","reason":"not_running","bucket":0}]}}`
	_, bucket, _ := strings.Cut(explained.body, `"bucket":`)
	bucket, _, _ = strings.Cut(bucket, ",")
	if explained.body != strings.ReplaceAll(want, "BUCKET", bucket) {
		t.Errorf("explained: %s\nwant %s", explained.body, want)
	}
	if n := p.metric(t, "hotpath_requests_total", "route", "assign", "code", "ok"); n != 28 {
		t.Errorf("%v requests counted, want 28", n)
	}
}

func TestAssignRefusals(t *testing.T) {
	p := startOffers(t, nil)
	for _, c := range []struct{ body, code, field string }{
		{`{`, "bad_json", ""},
		{`[]`, "bad_request", ""},
		{`{}`, "bad_request", "user_id"},
		{`{"user_id":"u","user_id":"u"}`, "bad_json", "user_id"},
		{`{"user_id":"u","features":{"id":1}}`, "bad_request", "features"},
		{`{"user_id":"u","expose":"yes"}`, "bad_request", "expose"},
		{`{"user_id":"u","experiment":""}`, "bad_request", "experiment"},
		{`{"user_id":"u","context":{"a":[]}}`, "bad_request", "context.a"},
		{`{"user_id":"u","model":"nope"}`, "unknown_model", "model"},
		{`{"user_id":"u","model":"nope","experiment":"session"}`, "bad_request", "model"},
		{`{"user_id":"u","experiment":"nope"}`, "unknown_experiment", "experiment"},
		{`{"user_id":"u","entities":{"x":1}}`, "bad_features", "entities.x"},
		{`{"instances":[]}`, "bad_request", "instances"},
		{`{"instances":[{"user_id":"u"}],"user_id":"u"}`, "bad_request", "instances"},
		{`{"instances":[` + strings.Repeat(`{"user_id":"u"},`, 256) + `{"user_id":"u"}]}`, "bad_request", "instances"},
		{`{"user_id":"u","id":1,"request_id":"x"}`, "bad_request", "id"},
	} {
		got := p.post(t, "/v1/assign", c.body)
		if e := got.failure(t); e.Code != c.code || e.Field != c.field || e.Request_ID == "" {
			t.Errorf("%.80s: %d %s", c.body, got.status, got.body)
		}
		if strings.Contains(c.body, `"x"}`) && got.failure(t).Request_ID != "x" {
			t.Errorf("the id is not repeated: %s", got.body)
		}
	}
	if got := p.do(t, "GET", "/v1/assign", ""); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %+v", got)
	}
	p.Pipeline.Drain()
	if got := p.post(t, "/v1/assign", `{"user_id":"u"}`); got.code(t) != "draining" {
		t.Errorf("draining: %+v", got)
	}
}

// TestPayloadInAnswers: the variant that answered hands out its payload, whatever the
// protocol.
func TestPayloadInAnswers(t *testing.T) {
	c := offers()
	c.Experiments[1].Unit, c.Experiments[1].Fallback = "", "spare"
	c.Experiments[1].Variants = append(c.Experiments[1].Variants, abtest.VariantConfig{Name: "spare", Weight: weight(0), Version: 1, Payload: "b"})
	var failing *routertest.Version
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			failing = r.Version("risk", 2)
			r.Serve(c, r.Version("risk", 1), failing)
		}
	})
	const payload = `"payload":{"limit":3,"text":"a \"b\""}`
	if got := p.post(t, "/predict", `{"user_id":"u"}`); !strings.Contains(got.body, `"variant":"on",`+payload+`,"reason":"split"`) {
		t.Errorf("predict: %s", got.body)
	}
	if got := p.post(t, "/predict/batch", `{"instances":[{"user_id":"u"},{"user_id":"v","context":{"country":"de"}}]}`); strings.Count(got.body, payload) != 1 || !strings.Contains(got.body, `"variant":"all","reason"`) {
		t.Errorf("batch: %s", got.body)
	}
	if got := p.post(t, "/v2/models/risk/infer", riskBody(`,"parameters":{"user_id":"u"}`)); !strings.Contains(got.body, `"reason":"split","payload":"{\"limit\":3,\"text\":\"a \\\"b\\\"\"}"}`) {
		t.Errorf("infer: %s", got.body)
	}
	failing.Guard.Hold(true)
	if got := p.post(t, "/predict", `{"user_id":"u"}`); !strings.Contains(got.body, `"variant":"spare","payload":"b"`) {
		t.Errorf("a fallback: %s", got.body)
	}
}

// TestForcingTokens: a signed token forces where names do not.
func TestForcingTokens(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	sign := func(expires time.Time) string {
		token, err := abtest.ForceToken(key, "risk-test", "treatment", expires.Unix())
		if err != nil {
			t.Fatal(err)
		}
		return "X-Hotpath-Variant: " + token
	}
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) { r.Serve(experiment(), r.Version("risk", 1), r.Version("risk", 2)) }
		s.handler.Forcing = router.Forcing{Keys: [][]byte{[]byte("another key, the newest"), key}, TokensOnly: true}
	})
	good, late := sign(time.Now().Add(time.Hour)), sign(time.Now().Add(-time.Hour))
	for _, path := range []string{"/predict", "/v1/assign"} {
		if got := p.post(t, path, `{"user_id":"u"}`, good); !strings.Contains(got.body, `"variant":"treatment","reason":"forced"`) {
			t.Errorf("%s: %+v", path, got)
		}
		for header, says := range map[string]string{late: "expired", good + "x": "another key", "X-Hotpath-Variant: treatment": "names are not taken"} {
			if got := p.post(t, path, `{"user_id":"u"}`, header); got.status != 403 || got.code(t) != "forbidden" || !strings.Contains(got.body, says) {
				t.Errorf("%s %s: %+v", path, header, got)
			}
		}
	}
	if _, err := httpapi.New(p.Pipeline, p.Metrics, httpapi.Options{Limits: jsonwire.DefaultLimits(), Forcing: router.Forcing{Keys: [][]byte{[]byte("short")}}}, p.Registry); err == nil {
		t.Error("a short key is taken")
	}
}

// TestAssignBatchOfMany: as many as are allowed, each with its own answer.
func TestAssignBatchOfMany(t *testing.T) {
	p := startOffers(t, nil)
	var body strings.Builder
	for i := range 256 {
		fmt.Fprintf(&body, `,{"entities":{"session":"s%d"}}`, i)
	}
	got := p.post(t, "/v1/assign", `{"request_id":"b","instances":[`+body.String()[1:]+`]}`)
	for i := range 256 {
		if !strings.Contains(got.body, fmt.Sprintf(`{"request_id":"b.%d","model":"risk","version":2,"experiment":"session","variant":"on"`, i)) {
			t.Fatalf("%d is missing in %.300s", i, got.body)
		}
	}
	if n := p.metric(t, "hotpath_assignments_total", "variant", "on", "reason", "split"); n != 256 {
		t.Errorf("%v assignments counted", n)
	}
}
