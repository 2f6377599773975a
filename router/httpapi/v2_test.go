package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"hotpath/router"
)

func TestV2Endpoints(t *testing.T) {
	p := start(t, nil)
	const model = `{"name":"risk","versions":["1","2"],"platform":"onnxruntime_onnx","inputs":[{"name":"id","datatype":"INT64","shape":[-1]},{"name":"version","datatype":"INT64","shape":[-1]},{"name":"x","datatype":"FP64","shape":[-1,2]}],` +
		`"outputs":[{"name":"id","datatype":"INT64","shape":[-1]},{"name":"version","datatype":"INT64","shape":[-1]},{"name":"x","datatype":"FP64","shape":[-1,2]}]}`
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v2", "", `{"name":"hotpath","version":"test","extensions":["binary_tensor_data"]}`},
		{"GET", "/v2/", "", `{"name":"hotpath","version":"test","extensions":["binary_tensor_data"]}`},
		{"GET", "/v2/health/live", "", `{"live":true,"ready":true}`},
		{"GET", "/v2/health/ready/", "", `{"live":true,"ready":true}`},
		{"GET", "/v2/models/risk", "", model},
		{"GET", "/v2/models/risk/versions/2", "", model},
		{"GET", "/v2/models/r%69sk/versions/stable", "", model},
		{"GET", "/v2/models/risk/ready", "", `{"name":"risk","ready":true}`},
		{"GET", "/v2/models/risk/versions/1/ready", "", `{"name":"risk","ready":true}`},
		{"GET", "/v2/models/risk/config", "", `{"name":"risk",`},
		{"GET", "/v2/models/risk/versions/1/config", "", `{"name":"risk",`},
		{"GET", "/v2/models/stats", "", `{"model_stats":[]}`},
		{"GET", "/v2/models/risk/stats", "", `{"model_stats":[{"name":"risk","version":"1",`},
		{"GET", "/v2/models/risk/versions/2/stats", "", `{"model_stats":[{"name":"risk","version":"2",`},
		{"POST", "/v2/repository/index", "", `[{"name":"risk","version":"1","state":"READY","reason":""},{"name":"risk","version":"2","state":"READY","reason":""},{"name":"risk","version":"3","state":"LOADING","reason":""},{"name":"bad","version":"1","state":"UNAVAILABLE","reason":"not a model"}]`},
		{"POST", "/v2/repository/index", `{"ready":true}`, `[{"name":"risk","version":"1","state":"READY","reason":""},{"name":"risk","version":"2","state":"READY","reason":""}]`},
		{"GET", "/v2/systemsharedmemory/status", "", `[]`},
		{"GET", "/v2/cudasharedmemory/status", "", `[]`},
		{"POST", "/v2/systemsharedmemory/unregister", "", `{}`},
		{"POST", "/v2/cudasharedmemory/region/a/unregister", "", `{}`},
	} {
		got := p.do(t, c.method, c.path, c.body)
		if got.status != 200 || !strings.HasPrefix(got.body, c.want) || len(got.body) != len(c.want) && c.want[len(c.want)-1] != ',' || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %+v\nwant %s", c.method, c.path, got, c.want)
		}
	}
	if got := p.do(t, "HEAD", "/v2/models/risk", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %+v", got)
	}
	if n := p.metric(t, "hotpath_requests_total", "route", "v2_other", "code", "ok"); n != 21 {
		t.Errorf("%v requests counted, want 21", n)
	}
}

func TestV2Refusals(t *testing.T) {
	p := start(t, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		code, want         string
	}{
		{"GET", "/v2/models/none", "", 404, "unknown_model", "no model none"},
		{"GET", "/v2/models/none/ready", "", 404, "unknown_model", "no model none"},
		{"GET", "/v2/models/risk/versions/9/ready", "", 404, "unknown_model", "no model risk 9"},
		{"GET", "/v2/models/none/config", "", 404, "unknown_model", ""},
		{"GET", "/v2/models/none/stats", "", 404, "unknown_model", ""},
		{"GET", "/v2/models/risk/versions/", "", 404, "not_found", "no such path"},
		{"GET", "/v2/models/risk/versions/1/2", "", 404, "not_found", "no such path"},
		{"GET", "/v2/nothing", "", 404, "not_found", "docs/protocol.md"},
		{"GET", "/v2/trace/setting", "", 404, "not_found", ""},
		{"POST", "/v2/models/risk", "", 405, "method_not_allowed", "send a GET request"},
		{"GET", "/v2/repository/index", "", 405, "method_not_allowed", "send a POST request"},
		{"POST", "/v2/repository/index", `{"ready":1}`, 400, "bad_json", ""},
		{"POST", "/v2/repository/index", `{"read":true}`, 400, "bad_json", "unknown field"},
		{"POST", "/v2/repository/index", `{} {}`, 400, "bad_json", "nothing after"},
		{"POST", "/v2/repository/index", `nonsense`, 400, "bad_json", ""},
		{"POST", "/v2/repository/models/risk/load", "", 403, "forbidden", "server.repository_api"},
		{"POST", "/v2/repository/models/risk/unload", "", 403, "forbidden", "server.repository_api"},
		{"POST", "/v2/systemsharedmemory/region/a/register", `{"key":"/a"}`, 400, "bad_request", "shared memory is not supported"},
		{"POST", "/v2/cudasharedmemory/region/a/register", `{}`, 400, "bad_request", "shared memory is not supported"},
	} {
		got := p.do(t, c.method, c.path, c.body)
		message := protocolMessage(t, got)
		if got.status != c.status || got.header.Get("X-Error-Code") != c.code || !strings.Contains(message, c.want) {
			t.Errorf("%s %s %s: %+v, want %d %s %q", c.method, c.path, c.body, got, c.status, c.code, c.want)
		}
	}
}

// TestV2NotReady: only a 200 is a yes for every client, and the body says the same.
func TestV2NotReady(t *testing.T) {
	catalog := &fakeCatalog{}
	p := start(t, func(s *setup) { s.handler.Catalog = catalog })
	for path, want := range map[string]string{"/v2/health/ready": `{"live":true,"ready":false}`, "/v2/models/risk/ready": `{"name":"risk","ready":false}`} {
		got := p.do(t, "GET", path, "")
		if got.status != 503 || got.body != want || got.header.Get("X-Error-Code") != "not_ready" || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := p.do(t, "GET", "/v2/health/live", ""); got.status != 200 || got.body != `{"live":true,"ready":false}` {
		t.Errorf("live: %+v", got)
	}
}

func TestRepositoryAPI(t *testing.T) {
	catalog := &fakeCatalog{ready: true}
	p := start(t, func(s *setup) { s.handler.Catalog, s.handler.RepositoryAPI = catalog, true })
	for _, c := range []struct{ path, body string }{
		{"/v2/repository/models/risk/load", ""},
		{"/v2/repository/models/risk/load", `{}`},
		{"/v2/repository/models/risk/load", `{"parameters":{"n":3,"s":"a","b":true}}`},
		{"/v2/repository/models/risk/unload", `{"parameters":{"unload_dependents":false}}`},
	} {
		if got := p.post(t, c.path, c.body); got.status != 200 || got.body != "{}" {
			t.Errorf("%s %s: %+v", c.path, c.body, got)
		}
	}
	if got, want := catalog.changed(), []string{"load risk", "load risk", "load risk+n", "unload risk"}; !slices.Equal(got, want) {
		t.Errorf("called %v, want %v", got, want)
	}
	for body, want := range map[string]string{`{"parameters":{"a":1.5}}`: "parameters.a: must be a string, a bool or an integer, got 1.5", `{"parameters":{"a":[]}}`: "parameters.a: must be", `{"x":1}`: "unknown field", `[`: ""} {
		got := p.post(t, "/v2/repository/models/risk/load", body)
		if message := protocolMessage(t, got); got.status != 400 || !strings.Contains(message, want) {
			t.Errorf("%s: %+v", body, got)
		}
	}
	catalog.loadErr = &router.Error{Code: router.UnknownModel, Message: "no such model"}
	if got := p.post(t, "/v2/repository/models/x/load", ""); got.status != 404 || protocolMessage(t, got) != "no such model" {
		t.Errorf("unknown: %+v", got)
	}
}
