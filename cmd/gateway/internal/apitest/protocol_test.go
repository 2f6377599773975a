package apitest

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"hotpath/router"
	"hotpath/router/oip"
)

// fakeCatalog knows the models of trafficPort.serve, and the label stable.
type fakeCatalog struct {
	starting bool
	loadErr  *router.Error
}

func (c *fakeCatalog) Live() bool  { return true }
func (c *fakeCatalog) Ready() bool { return !c.starting }
func (c *fakeCatalog) Server() oip.ServerMetadata {
	return oip.ServerMetadata{Name: "hotpath", Version: "1", Extensions: []string{"classification"}}
}

func (c *fakeCatalog) ModelReady(model, version string) bool {
	_, refusal := c.Model(model, version)
	return refusal == nil && !c.starting
}

func (c *fakeCatalog) Model(model, version string) (oip.ModelMetadata, *router.Error) {
	if !slices.Contains([]string{"risk", "faulty"}, model) || !slices.Contains([]string{"", "1", "2", "stable"}, version) {
		return oip.ModelMetadata{}, &router.Error{Code: router.UnknownModel, Field: "model", Message: "no such model"}
	}
	tensors := []oip.TensorMetadata{{Name: "id", Datatype: "INT64", Shape: []int64{-1}}, {Name: "version", Datatype: "INT64", Shape: []int64{-1}}, {Name: "x", Datatype: "FP64", Shape: []int64{-1, 2}}}
	return oip.ModelMetadata{Name: model, Versions: []string{"1", "2"}, Platform: "onnxruntime_onnx", Inputs: tensors, Outputs: tensors}, nil
}

func (c *fakeCatalog) Config(model, version string) (oip.ModelConfig, *router.Error) {
	_, refusal := c.Model(model, version)
	return oip.ModelConfig{Name: model, Platform: "onnxruntime_onnx", Backend: "onnxruntime", VersionPolicy: oip.VersionPolicy{Latest: &oip.LatestPolicy{NumVersions: 1}},
		Input: []oip.ConfigTensor{}, Output: []oip.ConfigTensor{}, InstanceGroup: []oip.InstanceGroup{}}, refusal
}

func (c *fakeCatalog) Statistics(model, version string) ([]oip.ModelStatistics, *router.Error) {
	if model == "" {
		return nil, nil
	}
	if _, refusal := c.Model(model, version); refusal != nil {
		return nil, refusal
	}
	return []oip.ModelStatistics{{Name: model, Version: "1", BatchStats: []oip.BatchStatistic{}}}, nil
}

func (c *fakeCatalog) Index(bool) []oip.IndexEntry {
	return []oip.IndexEntry{{Name: "risk", Version: "1", State: oip.StateReady}, {Name: "risk", Version: "2", State: oip.StateLoading}, {Name: "risk", Version: "3", State: oip.StateUnavailable, Reason: "bad"}}
}

func (c *fakeCatalog) Load(context.Context, string, oip.Parameters) *router.Error { return c.loadErr }
func (c *fakeCatalog) Unload(context.Context, string) *router.Error               { return c.loadErr }

var inferPaths = []string{"/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"}

var predictPaths = []string{"/v1/models/{model}:predict", "/v1/models/{model}/versions/{version}:predict", "/v1/models/{model}/labels/{label}:predict"}

// fill puts values into a documented path.
func fill(template, model, version string) string {
	return strings.NewReplacer("{model}", model, "{version}", version, "{label}", version, "{region}", "r").Replace(template)
}

const (
	goodInfer   = `{"id":"r","parameters":{"user_id":"u","timeout":500000,"entity.merchant":7,"context.country":"de","x":[1]},"inputs":[{"name":"id","shape":[1],"datatype":"INT64","data":[7]},{"name":"version","shape":[1],"datatype":"INT64","data":[1]},{"name":"x","shape":[1,2],"datatype":"FP64","data":[[1,2]]}],"outputs":[{"name":"x","parameters":{"classification":1}},{"name":"id"}]}`
	goodPredict = `{"signature_name":"s","instances":[{"id":7,"version":1,"x":[1,2]}]}`
)

func (c *contract) protocol(t *testing.T) {
	p := newTrafficPort(t, c, false)
	for _, path := range inferPaths {
		p.send(t, "POST "+path, "POST", fill(path, "risk", "1"), goodInfer, 503)
	}
	for _, path := range predictPaths {
		p.send(t, "POST "+path, "POST", fill(path, "risk", "1"), goodPredict, 503)
	}
	p.serve(t)
	slow := map[string]net.Conn{}
	for i, path := range slices.Concat(inferPaths, predictPaths) {
		length := 10
		if i == 0 {
			length = 100 << 10 // one of which the path is remembered
		}
		slow[path] = p.write(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n{", fill(path, "risk", "1"), length))
	}
	for _, path := range inferPaths {
		p.infer(t, path)
		p.tensors(t, path, goodInfer)
	}
	for _, path := range predictPaths {
		p.fault = nil
		p.send(t, "POST "+path, "POST", fill(path, "faulty", "1"), `{"inputs":{"id":[7],"version":[1],"x":[[1,2]]}}`, 200)
		p.tensors(t, path, goodPredict)
	}
	p.catalogPages(t)
	p.repository(t)
	for path, c := range slow {
		p.receive(t, c, "POST "+path, "POST", fill(path, "risk", "1"), "", 408)
	}
}

// infer provokes what only infer answers.
func (p *trafficPort) infer(t *testing.T, path string) {
	t.Helper()
	operation, target := "POST "+path, fill(path, "risk", "1")
	p.send(t, operation, "POST", target, goodInfer, 200, "X-Request-Timeout-Ms: 500")
	got := p.send(t, operation, "POST", target, strings.Replace(goodInfer, `"x":[1]`, `"binary_data_output":true`, 1), 200, "Content-Type: application/json")
	if !strings.Contains(got, `"binary_data_size"`) {
		t.Errorf("no binary answer: %s", got)
	}
	if !strings.Contains(path, "{version}") {
		got := p.send(t, operation, "POST", target, goodInfer, 200, "X-Hotpath-Variant: treatment")
		if !strings.Contains(got, `"degraded":"fallback_variant"`) {
			t.Errorf("no fallback: %s", got)
		}
	}
	p.send(t, operation, "POST", target, goodInfer, 400, "Inference-Header-Content-Length: 0")
}

// tensors provokes what every request with tensors is refused with.
func (p *trafficPort) tensors(t *testing.T, path, good string) {
	t.Helper()
	operation, target := "POST "+path, fill(path, "faulty", "1")
	p.fault = nil
	p.send(t, operation, "POST", target, good, 200)
	p.send(t, operation, "POST", target, `{`, 400)
	p.send(t, operation, "POST", target, `{}`, 400)
	p.send(t, operation, "POST", target, good, 403, unsigned)
	p.send(t, operation, "POST", fill(path, "absent", "1"), good, 404)
	p.send(t, operation, "GET", target, "", 405)
	p.send(t, operation, "POST", target, good, 415, "Content-Encoding: br")
	p.send(t, operation, "POST", target, good, 431, "X-Long: "+strings.Repeat("x", 3<<10))
	p.raw(t, operation, "POST", target, "POST "+target+" HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "", 413)
	for fault, status := range map[error]int{router.ErrOverloaded: 503, router.ErrRow: 422, router.ErrDeadline: 504, io.ErrUnexpectedEOF: 500} {
		p.fault = fault
		p.send(t, operation, "POST", fill(path, "faulty", "1"), good, status)
	}
}

// catalogPages gets what the protocols say about the server and its models.
func (p *trafficPort) catalogPages(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats", "/v2/systemsharedmemory/status", "/v2/cudasharedmemory/status", "/v1/models"} {
		p.send(t, "GET", "GET", path, "", 200)
		p.send(t, "GET", "POST", path, "", 405)
	}
	for _, path := range []string{"/v2/models/{model}", "/v2/models/{model}/ready", "/v2/models/{model}/config", "/v2/models/{model}/stats",
		"/v2/models/{model}/versions/{version}", "/v2/models/{model}/versions/{version}/ready", "/v2/models/{model}/versions/{version}/config", "/v2/models/{model}/versions/{version}/stats",
		"/v1/models/{model}", "/v1/models/{model}/versions/{version}", "/v1/models/{model}/labels/{label}",
		"/v1/models/{model}/metadata", "/v1/models/{model}/versions/{version}/metadata", "/v1/models/{model}/labels/{label}/metadata"} {
		p.send(t, "GET "+path, "GET", fill(path, "risk", "1"), "", 200)
		p.send(t, "GET "+path, "GET", fill(path, "absent", "9"), "", 404)
		p.send(t, "GET "+path, "POST", fill(path, "risk", "1"), "", 405)
	}
	p.send(t, "GET /v1/models/{model}/labels/{label}", "GET", "/v1/models/risk/labels/stable", "", 200)
	p.catalog.starting = true
	p.send(t, "GET", "GET", "/v2/health/ready", "", 503)
	for _, path := range []string{"/v2/models/{model}/ready", "/v2/models/{model}/versions/{version}/ready"} {
		p.send(t, "GET "+path, "GET", fill(path, "risk", "1"), "", 503)
	}
	p.catalog.starting = false
	for _, path := range []string{"/v2/systemsharedmemory", "/v2/cudasharedmemory"} {
		p.send(t, "POST", "POST", path+"/unregister", "", 200)
		p.send(t, "POST", "GET", path+"/unregister", "", 405)
		p.send(t, "POST "+path+"/region/{region}/register", "POST", path+"/region/r/register", `{"key":"k"}`, 400)
		p.send(t, "POST "+path+"/region/{region}/register", "GET", path+"/region/r/register", "", 405)
		p.send(t, "POST "+path+"/region/{region}/unregister", "POST", path+"/region/r/unregister", "", 200)
		p.send(t, "POST "+path+"/region/{region}/unregister", "GET", path+"/region/r/unregister", "", 405)
	}
	p.send(t, "POST", "POST", "/v2/repository/index", `{"ready":true}`, 200)
	p.send(t, "POST", "POST", "/v2/repository/index", `{"reddy":true}`, 400)
	p.send(t, "POST", "GET", "/v2/repository/index", "", 405)
}

// repository loads and unloads: not here, and then where that is allowed.
func (p *trafficPort) repository(t *testing.T) {
	t.Helper()
	open := newTrafficPort(t, p.c, true)
	for _, path := range []string{"/v2/repository/models/{model}/load", "/v2/repository/models/{model}/unload"} {
		operation, target := "POST "+path, fill(path, "risk", "")
		p.send(t, operation, "POST", target, "", 403)
		p.send(t, operation, "GET", target, "", 405)
		open.send(t, operation, "POST", target, `{"parameters":{"a":"b","c":1,"d":true}}`, 200)
		open.send(t, operation, "POST", target, `{"parameters":{"a":1.5}}`, 400)
		for code, status := range map[router.Code]int{router.UnknownModel: 404, router.BadRequest: 400, router.Deadline: 504} {
			open.catalog.loadErr = &router.Error{Code: code, Message: "because"}
			open.send(t, operation, "POST", target, "", status)
		}
		open.catalog.loadErr = nil
	}
}
