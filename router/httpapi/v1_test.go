package httpapi_test

import (
	"strings"
	"testing"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router/routertest"
)

func TestV1Predict(t *testing.T) {
	catalog := &fakeCatalog{ready: true, models: map[string]oipMetadata{"one": metadata("FP32", -1, 2), "text": metadata("BYTES", -1)}}
	p := start(t, func(s *setup) {
		s.handler.Catalog = catalog
		s.serve = func(r *routertest.Rig) {
			one, _ := echo(r, "one", true, models.Port{Name: "x", DType: models.Float32, Shape: []int{2}})
			text, _ := echo(r, "text", true, models.Port{Name: "x", DType: models.String})
			r.Serve(abtest.Config{}, one, text, r.Version("risk", 1), r.Version("risk", 2))
		}
	})
	const rows = `{"instances":[{"id":7,"version":1,"x":[0.5,1]},{"id":8,"version":1,"x":[2,3]}]}`
	const answer = `{"predictions":[{"id":7,"version":1,"x":[0.5,1]},{"id":8,"version":1,"x":[2,3]}]}`
	for _, c := range []struct{ path, body, want string }{
		{"/v1/models/risk:predict", rows, answer},
		{"/v1/models/risk/versions/1:predict", rows, answer},
		{"/v1/models/risk:predict", `{"signature_name":"serving_default","inputs":{"id":[7,8],"version":[1,1],"x":[[0.5,1],[2,3]]}}`, `{"outputs":{"id":[7,8],"version":[1,1],"x":[[0.5,1],[2,3]]}}`},
		{"/v1/models/one:predict", `{"instances":[[1,2],[3,4]]}`, `{"predictions":[[1,2],[3,4]]}`},
		{"/v1/models/one:predict", `{"inputs":[[1,2],[3,4]]}`, `{"outputs":[[1,2],[3,4]]}`},
		{"/v1/models/text:predict", `{"instances":[{"b64":"YQ=="},"b"]}`, `{"predictions":["a","b"]}`},
	} {
		got := p.post(t, c.path, c.body)
		if got.status != 200 || got.body != c.want || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %+v", c.path, c.body, got)
		}
	}
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/models/none:predict", rows, 404, "no model none"},
		{"/v1/models/risk/versions/9:predict", rows, 404, "no model risk 9"},
		{"/v1/models/risk/labels/stable:predict", rows, 404, `no version or label "stable"`}, // the catalog has it, the pipeline has not
		{"/v1/models/risk:predict", `{"instances":[{"id":7}]}`, 400, "instances[0].version: is missing"},
		{"/v1/models/one:predict", `{"instances":[[1,2,3]]}`, 400, "inputs.x: has shape [1,3]"},
		{"/v1/models/one:predict", `{`, 400, "expected a member name"},
		{"/v1/models/one:classify", `{}`, 404, "only :predict is served"},
		{"/v1/models/:predict", `{}`, 404, "only :predict"},
		{"/v1/models/a/labels/:predict", `{}`, 404, "only :predict"},
	} {
		got := p.post(t, c.path, c.body)
		if message := protocolMessage(t, got); got.status != c.status || !strings.Contains(message, c.want) {
			t.Errorf("%s %s: %+v", c.path, c.body, got)
		}
	}
	if n := p.metric(t, "hotpath_requests_total", "route", "v1_predict", "code", "ok"); n != 6 {
		t.Errorf("%v requests counted, want 6", n)
	}
	if got := p.do(t, "GET", "/v1/models/one:predict", ""); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %+v", got)
	}
}

func TestV1Endpoints(t *testing.T) {
	p := start(t, nil)
	const available = `{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}`
	for path, want := range map[string]string{
		"/v1/models":                    `{"models":["risk"]}`,
		"/v1/models/risk/versions/1":    `{"name":"risk","ready":true,"model_version_status":[` + available + `]}`,
		"/v1/models/risk/labels/stable": `{"name":"risk","ready":true,"model_version_status":[` + available + `]}`,
		"/v1/models/bad":                `{"name":"bad","ready":false,"model_version_status":[{"version":"1","state":"END","status":{"error_code":"FAILED_PRECONDITION","error_message":"not a model"}}]}`,
		"/v1/models/risk/versions/3":    `{"name":"risk","ready":false,"model_version_status":[{"version":"3","state":"LOADING","status":{"error_code":"OK","error_message":""}}]}`,
		"/v1/models/risk/labels/stable/metadata": `{"model_spec":{"name":"risk","signature_name":"","version":"1"},"metadata":{"signature_def":{"signature_def":{"serving_default":{"inputs":{` +
			`"id":{"name":"id","dtype":"DT_INT64","tensor_shape":{"dim":[{"size":"-1","name":""}],"unknown_rank":false}},` +
			`"version":{"name":"version","dtype":"DT_INT64","tensor_shape":{"dim":[{"size":"-1","name":""}],"unknown_rank":false}},` +
			`"x":{"name":"x","dtype":"DT_DOUBLE","tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"2","name":""}],"unknown_rank":false}}},"outputs":{`,
	} {
		got := p.do(t, "GET", path, "")
		if got.status != 200 || !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: %+v\nwant %s", path, got, want)
		}
	}
	if got := p.do(t, "GET", "/v1/models/risk", ""); got.status != 200 || strings.Count(got.body, `"version"`) != 3 {
		t.Errorf("all versions: %+v", got)
	}
	for _, path := range []string{"/v1/models/none", "/v1/models/risk/versions/9", "/v1/models/none/metadata", "/v1/models/risk/labels/x/metadata"} {
		got := p.do(t, "GET", path, "")
		if protocolMessage(t, got); got.status != 404 {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
