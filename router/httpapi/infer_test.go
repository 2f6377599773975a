package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/routertest"
)

// riskBody is a request of two rows; more goes in after the inputs.
func riskBody(more string) string {
	return `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP64","data":[[0.5,1],[2,-3]]},{"name":"id","shape":[2],"datatype":"INT64","data":[7,8]},` +
		`{"name":"version","shape":[2],"datatype":"INT64","data":[1,1]}]` + more + `}`
}

const riskOutputs = `"outputs":[{"name":"id","datatype":"INT64","shape":[2],"data":[7,8]},{"name":"version","datatype":"INT64","shape":[2],"data":[1,1]},` +
	`{"name":"x","datatype":"FP64","shape":[2,2],"data":[0.5,1,2,-3]}]}`

func TestInferGolden(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			config := experiment()
			control := r.Version("risk", 1)
			control.Lane.Metrics = r.Metrics.Lane("risk", 1)
			r.Serve(config, control, r.Version("risk", 2))
		}
	})
	for _, c := range []struct{ name, path, body, want string }{
		{"current version", "/v2/models/risk/infer", riskBody(""), `{"model_name":"risk","model_version":"2",` + riskOutputs},
		{"a slash at the end", "/v2/models/risk/infer/", riskBody(""), `{"model_name":"risk","model_version":"2",` + riskOutputs},
		{"a version", "/v2/models/risk/versions/1/infer", riskBody(`,"id":"r 1","outputs":[]`), `{"id":"r 1","model_name":"risk","model_version":"1",` + riskOutputs},
		{"a user", "/v2/models/risk/infer", riskBody(`,"parameters":{"user_id":"u"}`),
			`{"model_name":"risk","model_version":"1","parameters":{"experiment":"risk-test","variant":"control","reason":"split"},` + riskOutputs},
		{"one output", "/v2/models/risk/infer", riskBody(`,"outputs":[{"name":"id"}]`), `{"model_name":"risk","model_version":"2","outputs":[{"name":"id","datatype":"INT64","shape":[2],"data":[7,8]}]}`},
		{"classes", "/v2/models/risk/infer", riskBody(`,"outputs":[{"name":"x","parameters":{"classification":1}}]`), `{"model_name":"risk","model_version":"2","outputs":[{"name":"x","datatype":"BYTES","shape":[2,1],"data":["1:1","2:0"]}]}`},
	} {
		got := p.post(t, c.path, c.body)
		if got.status != 200 || got.body != c.want || got.header.Get("Content-Type") != "application/json" || got.header.Get("Inference-Header-Content-Length") != "" {
			t.Errorf("%s: %+v\nwant %s", c.name, got, c.want)
		}
	}
	forced := p.post(t, "/v2/models/risk/infer", riskBody(`,"parameters":{"user_id":"u"}`), "X-Hotpath-Variant: treatment")
	if !strings.Contains(forced.body, `"model_version":"2","parameters":{"experiment":"risk-test","variant":"treatment","reason":"forced"}`) {
		t.Errorf("forced: %+v", forced)
	}
	if n := p.metric(t, "hotpath_requests_total", "route", "infer", "code", "ok"); n != 7 {
		t.Errorf("%v requests counted, want 7", n)
	}
	if n := p.metric(t, "hotpath_stage_duration_seconds", "stage", "decode"); n != 7 {
		t.Errorf("%v decoded, want 7", n)
	}
}

// split takes a binary answer apart.
func split(t *testing.T, got reply) (head map[string]any, data string) {
	t.Helper()
	n, err := strconv.Atoi(got.header.Get("Inference-Header-Content-Length"))
	if err != nil || got.status != 200 || got.header.Get("Content-Type") != "application/octet-stream" || n > len(got.body) {
		t.Fatalf("%v: %+v", err, got)
	}
	if err := json.Unmarshal([]byte(got.body[:n]), &head); err != nil {
		t.Fatal(err)
	}
	return head, got.body[n:]
}

// binaryRisk is riskBody with binary tensors; the answer's are binary too.
func binaryRisk(rows int) (body, header string) {
	head := fmt.Sprintf(`{"id":"b","inputs":[{"name":"id","shape":[%[1]d],"datatype":"INT64","parameters":{"binary_data_size":%[2]d}},{"name":"version","shape":[%[1]d],"datatype":"INT64","parameters":{"binary_data_size":%[2]d}},`+
		`{"name":"x","shape":[%[1]d,2],"datatype":"FP64","parameters":{"binary_data_size":%[3]d}}],"parameters":{"binary_data_output":true}}`, rows, 8*rows, 16*rows)
	data := make([]byte, 0, 32*rows)
	for i := range 4 * rows {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(i)))
	}
	return head + string(data), "Inference-Header-Content-Length: " + strconv.Itoa(len(head))
}

func TestInferBinary(t *testing.T) {
	p := start(t, nil)
	for _, rows := range []int{1, 5, 1000} {
		body, header := binaryRisk(rows)
		head, data := split(t, p.post(t, "/v2/models/risk/infer", body, header, "Content-Type: application/octet-stream"))
		if head["id"] != "b" || data != body[len(body)-32*rows:] {
			t.Errorf("%d rows: %v, %d bytes", rows, head, len(data))
		}
	}
	body, _ := binaryRisk(2)
	mixed := strings.Replace(body, `"parameters":{"binary_data_output":true}`, `"outputs":[{"name":"x"},{"name":"id","parameters":{"binary_data":true}}]`, 1)
	header := fmt.Sprintf("Inference-Header-Content-Length: %d", len(mixed)-64)
	head, data := split(t, p.post(t, "/v2/models/risk/infer", mixed, header))
	if text := fmt.Sprint(head["outputs"]); !strings.Contains(text, "data:[4 5 6 7]") || data != body[len(body)-64:][:16] {
		t.Errorf("mixed: %s, %q", text, data)
	}
}

// TestInferEveryType sends each type as JSON and as binary data and gets both back.
func TestInferEveryType(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v, _ := echo(r, "all", true, everyType()...)
			r.Serve(abtest.Config{}, v)
		}
	})
	values := map[string][2]string{"BOOL": {"true", "false"}, "INT8": {"-128", "127"}, "INT16": {"-32768", "5"}, "INT32": {"-2147483648", "0"}, "INT64": {"-9223372036854775808", "9007199254740993"},
		"UINT8": {"255", "0"}, "UINT16": {"65535", "1"}, "UINT32": {"4294967295", "2"}, "UINT64": {"18446744073709551615", "3"}, "FP16": {"0.1", "65504"}, "BF16": {"0.1", "3.39e38"},
		"FP32": {"0.1", "16777217"}, "FP64": {"0.1", "9007199254740993"}, "BYTES": {`"é\n"`, `""`}}
	answers := map[string][2]string{"FP16": {"0.1", "65500"}, "BF16": {"0.1", "3.39e+38"}, "FP32": {"0.1", "16777216"}, "FP64": {"0.1", "9007199254740992"}}
	var inputs []string
	for _, port := range everyType() {
		v := values[port.Name]
		inputs = append(inputs, fmt.Sprintf(`{"name":%q,"shape":[2,1],"datatype":%q,"data":[[%s],[%s]]}`, port.Name, port.DType, v[0], v[1]))
	}
	body := `{"inputs":[` + strings.Join(inputs, ",") + `]`
	got := p.post(t, "/v2/models/all/infer", body+"}")
	for _, port := range everyType() {
		v, ok := answers[port.Name]
		if !ok {
			v = values[port.Name]
		}
		if want := fmt.Sprintf(`{"name":%q,"datatype":%q,"shape":[2,1],"data":[%s,%s]}`, port.Name, port.DType, v[0], v[1]); !strings.Contains(got.body, want) {
			t.Errorf("no %s in %s", want, got.body)
		}
	}
	// The same in binary form, and the other way round.
	head, data := split(t, p.post(t, "/v2/models/all/infer", body+`,"parameters":{"binary_data_output":true}}`))
	inputs = nil
	for _, o := range head["outputs"].([]any) {
		o := o.(map[string]any)
		inputs = append(inputs, fmt.Sprintf(`{"name":%q,"shape":[2,1],"datatype":%q,"parameters":{"binary_data_size":%v}}`, o["name"], o["datatype"], o["parameters"].(map[string]any)["binary_data_size"]))
	}
	binaryHead := `{"inputs":[` + strings.Join(inputs, ",") + `]}`
	again := p.post(t, "/v2/models/all/infer", binaryHead+data, "Inference-Header-Content-Length: "+strconv.Itoa(len(binaryHead)))
	if again.status != 200 || again.body != got.body {
		t.Errorf("binary inputs give %+v\nwant %s", again, got.body)
	}
}

func TestInferRaw(t *testing.T) {
	catalog := &fakeCatalog{ready: true, maxBatch: 8, models: map[string]oipMetadata{"one": metadata("FP32", -1, 2), "text": metadata("BYTES", -1, 1)}}
	p := start(t, func(s *setup) {
		s.handler.Catalog = catalog
		s.serve = func(r *routertest.Rig) {
			one, _ := echo(r, "one", true, models.Port{Name: "x", DType: models.Float32, Shape: []int{2}})
			text, _ := echo(r, "text", true, models.Port{Name: "x", DType: models.String, Shape: []int{1}})
			r.Serve(abtest.Config{}, one, text, r.Version("risk", 1))
		}
	})
	raw := "Inference-Header-Content-Length: 0"
	head, data := split(t, p.post(t, "/v2/models/one/infer", "abcdefgh", raw))
	if data != "abcdefgh" || !strings.Contains(fmt.Sprint(head), "shape:[1 2]") {
		t.Errorf("floats: %v %q", head, data)
	}
	if head, data = split(t, p.post(t, "/v2/models/text/infer", "hello", raw)); data != "\x05\x00\x00\x00hello" {
		t.Errorf("a string: %v %q", head, data)
	}
	for _, c := range []struct{ path, body, want string }{
		{"/v2/models/one/infer", "abc", "inputs.x: shape [1,2] of FP32 needs 8 bytes, got 3"},
		{"/v2/models/risk/infer", "abc", "Inference-Header-Content-Length: is 0, which stands for a body that is the model's only input; this one has 3"},
		{"/v2/models/none/infer", "abc", "model: no model none "},
	} {
		if got := p.post(t, c.path, c.body, raw); got.status < 400 || protocolMessage(t, got) != c.want {
			t.Errorf("%s: %+v", c.path, got)
		}
	}
}

// protocolMessage is the error of a protocol's answer, whose form it checks.
func protocolMessage(t testing.TB, got reply) string {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body) != 1 || body["error"] == "" {
		t.Errorf("%v: not an error of the protocol: %+v", err, got)
	}
	code, ok := router.ParseCode(got.header.Get("X-Error-Code"))
	if !ok || code.Status() != got.status || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d with code %q: %+v", got.status, got.header.Get("X-Error-Code"), got)
	}
	if n := got.header.Get("Inference-Header-Content-Length"); n != "" {
		t.Errorf("an error says that its JSON has %s bytes", n)
	}
	if (got.status == 503) != (got.header.Get("Retry-After") != "") {
		t.Errorf("Retry-After %q with status %d", got.header.Get("Retry-After"), got.status)
	}
	return body["error"]
}

func TestInferRefuses(t *testing.T) {
	p := start(t, nil)
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		code, want       string
	}{
		{"no JSON", "/v2/models/risk/infer", `{`, nil, 400, "bad_json", "expected a member name"},
		{"nothing", "/v2/models/risk/infer", ``, nil, 400, "bad_json", "expected a JSON object"},
		{"no inputs", "/v2/models/risk/infer", `{}`, nil, 400, "bad_request", "inputs: is required"},
		{"unknown model", "/v2/models/none/infer", riskBody(""), nil, 404, "unknown_model", `"none"`},
		{"unknown version", "/v2/models/risk/versions/9/infer", riskBody(""), nil, 404, "unknown_model", "no version or label \"9\""},
		{"unknown input", "/v2/models/risk/infer", strings.Replace(riskBody(""), `"x"`, `"y"`, 1), nil, 400, "bad_request", "inputs.y: the model has no such input"},
		{"missing input", "/v2/models/risk/infer", `{"inputs":[]}`, nil, 400, "bad_request", "is missing: the model needs"},
		{"wrong type", "/v2/models/risk/infer", strings.Replace(riskBody(""), "FP64", "FP32", 1), nil, 400, "bad_request", "inputs.x: is FP32; the model needs FP64"},
		{"wrong shape", "/v2/models/risk/infer", strings.Replace(riskBody(""), "[2,2]", "[1,4]", 1), nil, 400, "bad_request", "inputs[0].data"},
		{"rows differ", "/v2/models/risk/infer", strings.Replace(riskBody(""), `[2],"datatype":"INT64","data":[7,8]`, `[1],"datatype":"INT64","data":[7]`, 1), nil, 400, "bad_request", "rows where another input has"},
		{"unknown output", "/v2/models/risk/infer", riskBody(`,"outputs":[{"name":"y"}]`), nil, 400, "bad_request", "outputs.y: the model has no such output; it has id, version, x"},
		{"header is no number", "/v2/models/risk/infer", riskBody(""), []string{"Inference-Header-Content-Length: -1"}, 400, "bad_request", "must be a number of bytes"},
		{"header beyond the body", "/v2/models/risk/infer", riskBody(""), []string{"Inference-Header-Content-Length: 5000"}, 400, "bad_request", "is 5000, but the body has"},
		{"bad timeout", "/v2/models/risk/infer", riskBody(""), []string{"X-Request-Timeout-Ms: soon"}, 400, "bad_request", "X-Request-Timeout-Ms: must be"},
		{"unknown encoding", "/v2/models/risk/infer", riskBody(""), []string{"Content-Encoding: br"}, 415, "unsupported_encoding", "must be gzip or deflate"},
		{"not gzip", "/v2/models/risk/infer", riskBody(""), []string{"Content-Encoding: gzip"}, 400, "bad_request", "the body is not gzip"},
		{"no model", "/v2/models/infer", riskBody(""), nil, 405, "method_not_allowed", "send a GET request"},
		{"path of a version", "/v2/models/risk/version/1/infer", riskBody(""), nil, 404, "not_found", "no such path"},
		{"path with more", "/v2/models/risk/versions/1/2/infer", riskBody(""), nil, 404, "not_found", "no such path"},
		{"generate", "/v2/models/risk/generate", riskBody(""), nil, 404, "not_found", "no such path"},
	} {
		got := p.post(t, c.path, c.body, c.headers...)
		message := protocolMessage(t, got)
		if got.status != c.status || got.header.Get("X-Error-Code") != c.code || !strings.Contains(message, c.want) {
			t.Errorf("%s: %+v, want %d %s %q", c.name, got, c.status, c.code, c.want)
		}
	}
	got := p.do(t, "GET", "/v2/models/risk/infer", "")
	if protocolMessage(t, got); got.status != 405 || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %+v", got)
	}
}

// TestInferDeadline: the smaller of the parameter and the header counts, and
// neither can ask for more than the most.
func TestInferDeadline(t *testing.T) {
	var left time.Duration
	p := start(t, func(s *setup) {
		s.handler.DefaultDeadline, s.handler.MaxDeadline = time.Second, 4*time.Second
		s.serve = func(r *routertest.Rig) {
			v, scorer := echo(r, "m", true, models.Port{Name: "x", DType: models.Int8, Shape: []int{1}})
			scorer.onScore = func(_ []models.Tensor, _ int, until time.Time) error {
				left = time.Until(until)
				if left < 0 {
					return router.ErrDeadline
				}
				return nil
			}
			r.Serve(abtest.Config{}, v)
		}
	})
	const body = `{"inputs":[{"name":"x","shape":[1,1],"datatype":"INT8","data":[1]}],"parameters":{"timeout":%d}}`
	for _, c := range []struct {
		timeout int
		header  string
		want    time.Duration
	}{{0, "", time.Second}, {3_000_000, "", 3 * time.Second}, {500_000, "", 500 * time.Millisecond}, {60_000_000, "", 4 * time.Second},
		{3_000_000, "2000", 2 * time.Second}, {2_000_000, "3000", 2 * time.Second}, {0, "3000", 3 * time.Second}, {9_000_000, "9000", 4 * time.Second}} {
		var headers []string
		if c.header != "" {
			headers = []string{"X-Request-Timeout-Ms: " + c.header}
		}
		got := p.post(t, "/v2/models/m/infer", fmt.Sprintf(body, c.timeout), headers...)
		if got.status != 200 || left > c.want || left < c.want-250*time.Millisecond {
			t.Errorf("timeout %d, header %q: %s left, want a little less than %s: %+v", c.timeout, c.header, left, c.want, got)
		}
	}
	got := p.post(t, "/v2/models/m/infer", fmt.Sprintf(body, 1))
	if protocolMessage(t, got); got.status != 504 || got.header.Get("X-Error-Code") != "deadline" {
		t.Errorf("a microsecond: %+v", got)
	}
}

// TestInferFailures are those of the pipeline.
func TestInferFailures(t *testing.T) {
	var fault error
	p := start(t, func(s *setup) {
		s.handler.ServerTiming = true
		s.serve = func(r *routertest.Rig) {
			v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
			v2.Lane.Scorer = &echoScorer{Scorer: v2.Lane.Scorer, onScore: func([]models.Tensor, int, time.Time) error {
				if fault == errPanic {
					panic("a scorer that fails")
				}
				return fault
			}}
			r.Serve(experiment(), v1, v2)
		}
	})
	for want, err := range map[string]error{"overloaded": router.ErrOverloaded, "deadline": router.ErrDeadline, "model_unavailable": router.ErrStuck, "bad_features": router.ErrRow, "internal": io.ErrUnexpectedEOF} {
		fault = err
		got := p.post(t, "/v2/models/risk/infer", riskBody(""))
		if message := protocolMessage(t, got); got.header.Get("X-Error-Code") != want || message == "" {
			t.Errorf("%s: %+v", want, got)
		}
	}
	// The fallback answers for the variant of an experiment.
	fault = router.ErrStuck
	got := p.post(t, "/v2/models/risk/infer", riskBody(`,"parameters":{"user_id":"u"}`), "X-Hotpath-Variant: treatment")
	if got.status != 200 || got.header.Get("X-Degraded") != "fallback_variant" || !strings.HasPrefix(got.header.Get("Server-Timing"), "decode;dur=") ||
		!strings.Contains(got.body, `"model_version":"1","parameters":{"experiment":"risk-test","variant":"control","reason":"forced","degraded":"fallback_variant"}`) {
		t.Errorf("fallback: %+v", got)
	}
	fault = errPanic
	got = p.post(t, "/v2/models/risk/infer", riskBody(""))
	if protocolMessage(t, got); got.status != 500 || p.metric(t, "hotpath_request_panics_total") != 1 {
		t.Errorf("panic: %+v", got)
	}
	fault = nil
	if got = p.post(t, "/v2/models/risk/infer", riskBody("")); got.status != 200 {
		t.Errorf("afterwards: %+v", got)
	}
}

var errPanic = fmt.Errorf("panic")

// TestInferNaN: JSON has no way to write it, the binary form has.
func TestInferNaN(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v, scorer := echo(r, "m", true, models.Port{Name: "y", DType: models.Float32, Shape: []int{1}})
			scorer.change = func(out []models.Tensor) {
				binary.LittleEndian.PutUint32(out[0].Data, math.Float32bits(float32(math.NaN())))
			}
			r.Serve(abtest.Config{}, v)
		}
	})
	const body = `{"inputs":[{"name":"y","shape":[1,1],"datatype":"FP32","data":[1]}]%s}`
	got := p.post(t, "/v2/models/m/infer", fmt.Sprintf(body, ""))
	if message := protocolMessage(t, got); got.status != 500 || !strings.Contains(message, "outputs.y: holds a NaN or an infinity, which JSON cannot carry; ask for it as binary data") {
		t.Errorf("as JSON: %+v", got)
	}
	if _, data := split(t, p.post(t, "/v2/models/m/infer", fmt.Sprintf(body, `,"parameters":{"binary_data_output":true}`))); len(data) != 4 {
		t.Errorf("as binary data: %q", data)
	}
}

func TestInferWhenNotServing(t *testing.T) {
	p := start(t, func(s *setup) { s.serve = func(*routertest.Rig) {} })
	got := p.post(t, "/v2/models/risk/infer", riskBody(""))
	if protocolMessage(t, got); got.status != 503 || got.header.Get("X-Error-Code") != "not_ready" {
		t.Errorf("while starting: %+v", got)
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func deflated(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCompressedRequests(t *testing.T) {
	p := start(t, nil)
	body, header := binaryRisk(1000)
	plain := p.post(t, "/v2/models/risk/infer", body, header)
	for encoding, compressed := range map[string]string{"gzip": gzipped(t, body), "deflate": deflated(t, body), "identity": body} {
		got := p.post(t, "/v2/models/risk/infer", compressed, header, "Content-Encoding: "+encoding)
		if got.status != 200 || got.body != plain.body {
			t.Errorf("%s: %d, %d bytes", encoding, got.status, len(got.body))
		}
	}
	// One that is small and becomes large.
	for encoding, bomb := range map[string]string{"gzip": gzipped(t, strings.Repeat(" ", 16<<20)), "deflate": deflated(t, strings.Repeat(" ", 16<<20))} {
		begun := time.Now()
		got := p.post(t, "/v2/models/risk/infer", bomb, "Content-Encoding: "+encoding)
		if protocolMessage(t, got); got.status != 413 || got.header.Get("X-Error-Code") != "body_too_large" || time.Since(begun) > time.Second {
			t.Errorf("%s bomb after %s: %+v", encoding, time.Since(begun), got)
		}
	}
	fits := p.post(t, "/v2/models/risk/infer", gzipped(t, strings.Repeat(" ", maxInferBody)), "Content-Encoding: gzip")
	if fits.status != 400 {
		t.Errorf("a decoded body of the limit: %+v", fits)
	}
	if n := p.metric(t, "hotpath_body_memory_bytes"); n != 0 {
		t.Errorf("%v bytes are still counted", n)
	}
}

func TestCompressedAnswers(t *testing.T) {
	p := start(t, nil)
	body, header := binaryRisk(1000)
	plain := p.post(t, "/v2/models/risk/infer", body, header, "Accept-Encoding: identity")
	for accept, want := range map[string]string{"gzip": "gzip", "deflate": "deflate", "br, deflate;q=0.5": "deflate", "gzip, deflate": "gzip", "gzip;q=0, deflate": "deflate", "br": "", "gzip;q=0.0": "", "gzip; q=0.001": "gzip"} {
		got := p.post(t, "/v2/models/risk/infer", body, header, "Accept-Encoding: "+accept)
		if got.status != 200 || got.header.Get("Content-Encoding") != want || got.header.Get("Inference-Header-Content-Length") != plain.header.Get("Inference-Header-Content-Length") {
			t.Errorf("%s: %d, encoding %q", accept, got.status, got.header.Get("Content-Encoding"))
			continue
		}
		var r io.Reader = strings.NewReader(got.body)
		var err error
		switch want {
		case "gzip":
			r, err = gzip.NewReader(r)
		case "deflate":
			r, err = zlib.NewReader(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != plain.body {
			t.Errorf("%s: %v, %d bytes, want %d", accept, err, len(text), len(plain.body))
		}
	}
	if small := p.post(t, "/v2/models/risk/infer", riskBody(""), "Accept-Encoding: gzip"); small.header.Get("Content-Encoding") != "" {
		t.Errorf("a small answer is compressed: %+v", small)
	}
	if got := p.post(t, "/predict", `{"user_id":"u"}`, "Accept-Encoding: gzip"); got.header.Get("Content-Encoding") != "" {
		t.Errorf("a prediction is compressed: %+v", got)
	}
}
