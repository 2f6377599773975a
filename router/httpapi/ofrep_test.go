package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/routertest"
)

// flags are experiments with values of every type.
func flags() abtest.Config {
	flag := func(name string, payload any, change func(e *abtest.ExperimentConfig)) abtest.ExperimentConfig {
		e := abtest.ExperimentConfig{Name: name, Model: name, Variants: []abtest.VariantConfig{{Name: "on", Weight: weight(100), Model: "risk", Version: 1, Payload: payload}}}
		if change != nil {
			change(&e)
		}
		return e
	}
	return abtest.Config{Experiments: []abtest.ExperimentConfig{
		flag("text", "hello", nil), flag("yes", true, nil), flag("count", 3, nil), flag("ratio", 0.25, nil),
		flag("object", map[string]any{"limit": 3, "tags": []any{"a"}}, nil), flag("plain", nil, nil),
		flag("german", "de", func(e *abtest.ExperimentConfig) { e.Targeting = &abtest.Condition{Attribute: "user.country", Eq: "de"} }),
		flag("listed", "yes", func(e *abtest.ExperimentConfig) {
			e.Overrides = map[string][]string{"on": {"boss"}}
			e.Ramp = []abtest.RampStep{{Share: weight(0)}}
		}),
		flag("session", "s", func(e *abtest.ExperimentConfig) { e.Unit = "session" }),
		flag("nowhere", true, nil),
		flag("paused", "p", func(e *abtest.ExperimentConfig) { e.State = "paused" }),
		flag("stopped", "p", func(e *abtest.ExperimentConfig) { e.State = "stopped" }),
		flag("draft", "p", func(e *abtest.ExperimentConfig) { e.State = "draft" }),
		flag("archived", "p", func(e *abtest.ExperimentConfig) { e.State = "archived" }),
	}}
}

// modelsOf are a version of each model that the experiments are about, and of risk.
func modelsOf(r *routertest.Rig, c abtest.Config) []*routertest.Version {
	all := []*routertest.Version{r.Version("risk", 1)}
	seen := map[string]bool{"risk": true, "stopped": true, "nowhere": true}
	for i := range c.Experiments {
		if m := c.Experiments[i].Model; !seen[m] {
			seen[m], all = true, append(all, r.Version(m, 1))
		}
	}
	return all
}

// startFlags serves them.
func startFlags(t testing.TB, c abtest.Config, change func(s *setup)) *port {
	t.Helper()
	return start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) { r.Serve(c, modelsOf(r, c)...) }
		if change != nil {
			change(s)
		}
	})
}

const flagPath = "/ofrep/v1/evaluate/flags"

func TestFlagGolden(t *testing.T) {
	p := startFlags(t, flags(), nil)
	for _, c := range []struct{ key, context, want string }{
		{"text", `"targetingKey":"u"`, `{"key":"text","value":"hello","variant":"on","reason":"SPLIT","metadata":{"reason":"split","model":"risk","version":1`},
		{"yes", `"targetingKey":"u"`, `{"key":"yes","value":true,"variant":"on","reason":"SPLIT",`},
		{"object", `"targetingKey":"u"`, `{"key":"object","value":{"limit":3,"tags":["a"]},"variant":"on",`},
		{"plain", `"targetingKey":"u"`, `{"key":"plain","value":"on","variant":"on",`},
		{"german", `"targetingKey":"u","user":{"country":"de","deep":{"er":[1]}},"list":[1]`, `{"key":"german","value":"de","variant":"on","reason":"SPLIT",`},
		{"german", `"targetingKey":"u","user.country":"fr"`, `{"key":"german","reason":"DISABLED","metadata":{"reason":"not_targeted","model":"german","version":1`},
		{"listed", `"targetingKey":"boss"`, `{"key":"listed","value":"yes","variant":"on","reason":"TARGETING_MATCH","metadata":{"reason":"override"`},
		{"listed", `"targetingKey":"u"`, `{"key":"listed","reason":"DISABLED","metadata":{"reason":"outside_ramp"`},
		{"session", `"session":"s"`, `{"key":"session","value":"s","variant":"on","reason":"SPLIT",`},
		{"session", `"targetingKey":"u"`, `{"key":"session","reason":"DISABLED","metadata":{"reason":"no_unit"`},
		{"nowhere", `"targetingKey":"u"`, `{"key":"nowhere","value":true,"variant":"on","reason":"SPLIT","metadata":{"reason":"split","model":"risk","version":1`},
		{"paused", `"targetingKey":"u"`, `{"key":"paused","reason":"DISABLED","metadata":{"reason":"paused"`},
		{"stopped", `"targetingKey":"u"`, `{"key":"stopped","reason":"DISABLED","metadata":{"reason":"not_running","digest":"`},
	} {
		got := p.post(t, flagPath+"/"+c.key, `{"context":{`+c.context+`},"later":[{}]}`)
		if got.status != 200 || !strings.HasPrefix(got.body, c.want) || !strings.Contains(got.body, `"digest":"`) || !json.Valid([]byte(got.body)) || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s\nwant %s", c.key, got.status, got.body, c.want)
		}
	}
}

func TestFlagRefusals(t *testing.T) {
	p := startFlags(t, flags(), nil)
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/text", `{`, 400, "PARSE_ERROR"},
		{"/text", ``, 400, "PARSE_ERROR"},
		{"/text", `{"context":{"a":1,"a":2}}`, 400, "PARSE_ERROR"},
		{"/text", `[]`, 400, "GENERAL"},
		{"/text", `{"context":7}`, 400, "INVALID_CONTEXT"},
		{"/text", `{"context":{"targetingKey":7}}`, 400, "INVALID_CONTEXT"},
		{"/text", `{"context":{"targetingKey":"` + strings.Repeat("x", 257) + `"}}`, 400, "INVALID_CONTEXT"},
		{"/text", `{"context":{"targetingKey":"u","":1}}`, 400, "INVALID_CONTEXT"},
		{"/text", `{"context":{}}`, 400, "TARGETING_KEY_MISSING"},
		{"/text", `{"context":{"targetingKey":""}}`, 400, "TARGETING_KEY_MISSING"},
		{"/text", `{}`, 400, "TARGETING_KEY_MISSING"},
		{"/nope", `{"context":{"targetingKey":"u"}}`, 404, "FLAG_NOT_FOUND"},
		{"/draft", `{"context":{"targetingKey":"u"}}`, 404, "FLAG_NOT_FOUND"},
		{"/archived", `{"context":{"targetingKey":"u"}}`, 404, "FLAG_NOT_FOUND"},
		{"/a/b", `{"context":{"targetingKey":"u"}}`, 404, "GENERAL"},
		{"", `{"context":7}`, 400, "INVALID_CONTEXT"},
		{"", `{"context":{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`, 400, "PARSE_ERROR"},
		{"", `{"context":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat("}", 40) + `}`, 400, "PARSE_ERROR"},
	} {
		got := p.post(t, flagPath+c.path, c.body)
		var e struct{ Key, ErrorCode, ErrorDetails string }
		if err := json.Unmarshal([]byte(got.body), &e); err != nil || got.status != c.status || e.ErrorCode != c.code || e.ErrorDetails == "" || e.Key != strings.TrimPrefix(c.path, "/") || got.header.Get("X-Error-Code") == "" {
			t.Errorf("%s %.60s: %d %s (%v)", c.path, c.body, got.status, got.body, err)
		}
	}
	if got := p.do(t, "GET", flagPath+"/text", ""); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %+v", got)
	}
	if got := p.post(t, flagPath, `{}`, "X-Hotpath-Expose: maybe"); got.status != 400 {
		t.Errorf("a bad header: %+v", got)
	}
	p.Pipeline.Drain()
	if got := p.post(t, flagPath, `{}`); got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `"errorCode":"GENERAL"`) {
		t.Errorf("draining: %+v", got)
	}
}

// TestBulkFlags: each flag is what it is alone, and the tag changes with the context
// and with the experiments alone.
func TestBulkFlags(t *testing.T) {
	p := startFlags(t, flags(), nil)
	const german = `{"context":{"targetingKey":"u","user":{"country":"de"}}}`
	got := p.post(t, flagPath, german)
	var all struct {
		Flags []json.RawMessage
	}
	if err := json.Unmarshal([]byte(got.body), &all); err != nil || got.status != 200 || len(all.Flags) != 12 || !strings.HasSuffix(got.body, `"}}`) {
		t.Fatalf("%v: %d flags in %+v", err, len(all.Flags), got)
	}
	for _, f := range all.Flags {
		var flag struct{ Key string }
		if err := json.Unmarshal(f, &flag); err != nil {
			t.Fatal(err)
		}
		alone := p.post(t, flagPath+"/"+flag.Key, german).body
		if i := strings.LastIndex(alone, `,"digest":`); alone[:i]+"}}" != string(f) {
			t.Errorf("together %s, alone %s", f, alone)
		}
	}
	tag := got.header.Get("ETag")
	for header, status := range map[string]int{tag: 304, "W/" + tag: 304, `"other", ` + tag: 304, "*": 304, `"other"`: 200} {
		if again := p.post(t, flagPath, german, "If-None-Match: "+header); again.status != status || again.header.Get("ETag") != tag || (again.body == "") != (status == 304) {
			t.Errorf("%s: %+v", header, again)
		}
	}
	if other := p.post(t, flagPath, strings.Replace(german, "de", "fr", 1), "If-None-Match: "+tag); other.status != 200 || other.header.Get("ETag") == tag {
		t.Errorf("another context: %+v", other)
	}
	changed := flags()
	changed.Experiments[0].Variants[0].Payload = "bye"
	p.Serve(changed, modelsOf(p.Rig, changed)...)
	if other := p.post(t, flagPath, german, "If-None-Match: "+tag); other.status != 200 || !strings.Contains(other.body, `"value":"bye"`) {
		t.Errorf("other experiments: %+v", other)
	}
	missing := p.post(t, flagPath, `{"context":{"session":"s"}}`)
	if missing.status != 200 || !strings.Contains(missing.body, `{"key":"text","errorCode":"TARGETING_KEY_MISSING",`) || !strings.Contains(missing.body, `{"key":"session","value":"s"`) {
		t.Errorf("without a key: %s", missing.body)
	}
}

func TestFlagConfiguration(t *testing.T) {
	p := startFlags(t, flags(), nil)
	got := p.do(t, "GET", "/ofrep/v1/configuration", "")
	if got.status != 200 || !strings.HasPrefix(got.body, `{"name":"hotpath",`) || !json.Valid([]byte(got.body)) {
		t.Errorf("%+v", got)
	}
	if again := p.do(t, "GET", "/ofrep/v1/configuration", "", "If-None-Match: "+got.header.Get("ETag")); again.status != 304 {
		t.Errorf("%+v", again)
	}
}

// exposed counts exposures.
type exposed struct{ n [4]int }

func (e *exposed) Observe(x *router.Exchange, _ *router.Error, _ time.Duration) {
	if x.Assignment.Variant != nil {
		e.n[x.Via]++
	}
}

// TestFlagsExpose: one flag does, all together do not, and a header changes either.
func TestFlagsExpose(t *testing.T) {
	e := &exposed{}
	p := startFlags(t, flags(), func(s *setup) { s.router.Observer = e })
	const body = `{"context":{"targetingKey":"u"}}`
	for _, c := range []struct {
		path, header string
		want         int
	}{{"/text", "A: b", 1}, {"/text", "X-Hotpath-Expose: false", 0}, {"/german", "A: b", 0}, {"", "A: b", 0}, {"", "X-Hotpath-Expose: true", 7}} {
		e.n = [4]int{}
		if got := p.post(t, flagPath+c.path, body, c.header); got.status != 200 || e.n[router.ViaFlag] != c.want {
			t.Errorf("%s with %s: %d, exposed %v", c.path, c.header, got.status, e.n)
		}
	}
}

// TestForcedFlags: who tests a variant sends one header for all flags.
func TestForcedFlags(t *testing.T) {
	c := flags()
	c.Experiments[0].Variants = append(c.Experiments[0].Variants, abtest.VariantConfig{Name: "test", Weight: weight(0), Model: "risk", Payload: "forced"})
	p := startFlags(t, c, nil)
	const body = `{"context":{"targetingKey":"u"}}`
	const header = "X-Hotpath-Variant: text/test"
	if got := p.post(t, flagPath+"/text", body, header); !strings.Contains(got.body, `"value":"forced","variant":"test","reason":"TARGETING_MATCH"`) {
		t.Errorf("the flag: %s", got.body)
	}
	if got := p.post(t, flagPath+"/yes", body, header); got.status != 200 || !strings.Contains(got.body, `"value":true`) {
		t.Errorf("another flag: %s", got.body)
	}
	if got := p.post(t, flagPath, body, header); got.status != 200 || !strings.Contains(got.body, `"value":"forced"`) || !strings.Contains(got.body, `{"key":"yes","value":true`) {
		t.Errorf("all flags: %s", got.body)
	}
	for _, path := range []string{"/text", ""} {
		if got := p.post(t, flagPath+path, body, "X-Hotpath-Variant: nobody"); got.status != 400 || !strings.Contains(got.body, "nobody") {
			t.Errorf("%s with an unknown variant: %+v", path, got)
		}
	}
}

// manyFlags are a thousand experiments on as many models as are given, targeted.
func manyFlags(models int) abtest.Config {
	var c abtest.Config
	for i := range 1000 {
		c.Experiments = append(c.Experiments, abtest.ExperimentConfig{Name: fmt.Sprint("flag-", i), Model: fmt.Sprint("model-", i%models),
			Targeting: &abtest.Condition{Attribute: fmt.Sprint("a", i%8), Eq: "x"},
			Variants:  []abtest.VariantConfig{{Name: "on", Weight: weight(50), Model: "risk", Payload: map[string]any{"limit": i}}, {Name: "off", Weight: weight(50), Model: "risk"}}})
	}
	return c
}

// TestBulkOfAThousand: it stays within the time of one request.
func TestBulkOfAThousand(t *testing.T) {
	p := startFlags(t, manyFlags(20), nil)
	p.post(t, flagPath, `{}`)
	from := time.Now()
	got := p.post(t, flagPath, `{"context":{"targetingKey":"u","a1":"x"}}`)
	if took := time.Since(from); got.status != 200 || strings.Count(got.body, `"key"`) != 1000 || took > 100*time.Millisecond {
		t.Errorf("%d flags of %d bytes in %s", strings.Count(got.body, `"key"`), len(got.body), took)
	}
}
