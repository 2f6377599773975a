package apitest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/httpapi"
	"hotpath/router/httpapi/jsonwire"
	"hotpath/router/routertest"
)

// trafficPort is the real traffic port over fake models.
type trafficPort struct {
	*routertest.Rig
	c       *contract
	addr    string
	ready   string
	catalog *fakeCatalog
	// fault is what the model named faulty fails with.
	fault error
	// full says that no feedback finds room.
	full bool
}

// unsigned forces a variant by a token that nobody has signed.
const unsigned = "X-Hotpath-Variant: risk-test/treatment:1:x"

const bodyLimit, batchLimit, inferLimit = 4 << 10, 16 << 10, 128 << 10

func newTrafficPort(t *testing.T, c *contract, repositoryAPI bool, changes ...func(o *httpapi.Options)) *trafficPort {
	t.Helper()
	p := &trafficPort{Rig: routertest.NewRig(t, routertest.Options()), c: c, ready: httpapi.StatusReady, catalog: &fakeCatalog{}}
	o := httpapi.Options{DefaultDeadline: time.Second, MaxDeadline: time.Second, ForcedHeader: "X-Hotpath-Variant",
		AllowExplain: true, Limits: jsonwire.DefaultLimits(), MaxBody: bodyLimit, MaxBatchBody: batchLimit, MaxInferBody: inferLimit, BodyMemory: inferLimit,
		Feedback: func(*exposure.Feedback) bool { return !p.full }, Catalog: p.catalog, RepositoryAPI: repositoryAPI, RepositoryTimeout: time.Second, ServerTiming: true, Log: slog.New(slog.DiscardHandler),
		Ready: func() httpapi.Readiness {
			return httpapi.Readiness{Status: p.ready, Dependencies: map[string]httpapi.Dependency{"models": {Status: httpapi.DependencyOK, Detail: "1 models"}}}
		}}
	for _, change := range changes {
		change(&o)
	}
	h, err := httpapi.New(p.Pipeline, p.Metrics, o, p.Registry)
	if err != nil {
		t.Fatal(err)
	}
	server := httpapi.NewServer(h, httpapi.ServerOptions{MaxConnections: 100, MaxHeaderBytes: 2 << 10, ReadTimeout: time.Second,
		WriteTimeout: time.Second, IdleTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	ln, err := httpapi.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return p
}

// serve puts in the models: risk with an experiment, one that fails, and one
// whose answers cannot be explained.
func (p *trafficPort) serve(t *testing.T) {
	t.Helper()
	risk1, risk2, faulty, broken := p.Version("risk", 1), p.Version("risk", 2), p.Version("faulty", 1), p.Version("broken", 1)
	stuck := &routertest.FaultyScorer{Scorer: risk2.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { return router.ErrStuck }}
	risk2.Lane.Scorer = stuck
	faulty.Lane.Scorer = &routertest.FaultyScorer{Scorer: faulty.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { return p.fault }}
	broken.Lane.Features[0].Port = 99
	all, none := 100.0, 0.0
	s, err := p.Snapshot("risk", abtest.Config{Experiments: []abtest.ExperimentConfig{{Name: "risk-test", Model: "risk", Fallback: "control", Variants: []abtest.VariantConfig{
		{Name: "control", Weight: &all, Version: 1, Payload: map[string]any{"a": []any{1}}}, {Name: "treatment", Weight: &none, Version: 2}}}}}, risk1, risk2, faulty, broken)
	if err != nil {
		t.Fatal(err)
	}
	p.Pipeline.Swap(s)
}

// send sends a request over a connection of its own and checks the answer, which
// it gives. operation is the documented method where the request's is another, with
// the documented path where that has parameters.
func (p *trafficPort) send(t *testing.T, operation, method, target, body string, want int, headers ...string) string {
	t.Helper()
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", method, target, len(body))
	for _, h := range headers {
		text += h + "\r\n"
	}
	return p.raw(t, operation, method, target, text+"\r\n"+body, body, want, headers...)
}

func (p *trafficPort) raw(t *testing.T, operation, method, target, text, body string, want int, headers ...string) string {
	t.Helper()
	return p.receive(t, p.write(t, text), operation, method, target, body, want, headers...)
}

// write opens a connection and writes to it.
func (p *trafficPort) write(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// receive reads the answer on a connection, closes it and checks the answer.
func (p *trafficPort) receive(t *testing.T, c net.Conn, operation, method, target, body string, want int, headers ...string) string {
	t.Helper()
	defer c.Close()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Errorf("%s %s: status %d, want %d: %s", method, target, resp.StatusCode, want, answer)
	}
	request, err := http.NewRequest(method, "http://"+p.addr+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	x := exchange{method: operation, request: request, status: resp.StatusCode, header: resp.Header, body: answer}
	if x.method, x.template, _ = strings.Cut(operation, " "); x.template != "" {
		x.params = params(x.template, request.URL.Path)
	}
	p.c.check(t, x)
	return string(answer)
}

func (c *contract) traffic(t *testing.T) {
	p := newTrafficPort(t, c, false)
	single := []string{"/predict", "/v1/predict", "/api/v1/predict"}
	batch := []string{"/predict/batch", "/v1/predict/batch", "/api/v1/predict/batch"}
	for _, path := range single {
		p.send(t, "POST", "POST", path, `{"user_id":"u"}`, 503)
	}
	for _, path := range batch {
		p.send(t, "POST", "POST", path, `{"instances":[{"user_id":"u"}]}`, 503)
	}
	p.serve(t)
	slow := map[string]net.Conn{}
	for _, path := range slices.Concat(single, batch) {
		slow[path] = p.write(t, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{")
	}
	for _, path := range single {
		p.single(t, path)
	}
	for _, path := range batch {
		p.batch(t, path)
	}
	for _, path := range slices.Concat(single, batch) {
		p.transport(t, path)
	}
	p.probes(t)
	for path, c := range slow {
		p.receive(t, c, "POST", "POST", path, "", 408)
	}
}

// single provokes what only a single prediction answers.
func (p *trafficPort) single(t *testing.T, path string) {
	t.Helper()
	const full = `{"user_id":"u","model":"risk","features":{"id":7,"age":3},"entities":{"merchant":4711},"context":{"country":"de","age":4,"beta":true,"x":null},"request_id":"r"}`
	p.send(t, "POST", "POST", path, full, 200, "X-Request-Timeout-Ms: 500", "X-Request-Id: h")
	p.send(t, "POST", "POST", path+"?explain=true", full, 200)
	if got := p.send(t, "POST", "POST", path, full, 200, "X-Hotpath-Variant: treatment"); !strings.Contains(got, "fallback_variant") {
		t.Errorf("no fallback: %s", got)
	}
	for _, bad := range []string{`{`, `{"user_id":7}`, `{"user_id":"u","feature":{}}`, `{"user_id":"u","user_id":"u"}`} {
		p.send(t, "POST", "POST", path, bad, 400)
	}
	p.send(t, "POST", "POST", path, full, 400, "X-Hotpath-Variant: nobody")
	p.send(t, "POST", "POST", path, full, 403, unsigned)
	p.send(t, "POST", "POST", path, full, 400, "X-Request-Timeout-Ms: soon")
	p.send(t, "POST", "POST", path, `{"user_id":"u","model":"absent"}`, 404)
	p.send(t, "POST", "POST", path, `{"user_id":"u","features":{"age":"x"}}`, 422)
	for fault, status := range map[error]int{router.ErrOverloaded: 503, router.ErrStuck: 503, router.ErrDeadline: 504, io.ErrUnexpectedEOF: 500} {
		p.fault = fault
		p.send(t, "POST", "POST", path, `{"user_id":"u","model":"faulty"}`, status)
	}
}

// batch provokes what only a batch answers.
func (p *trafficPort) batch(t *testing.T, path string) {
	t.Helper()
	p.fault = router.ErrStuck
	got := p.send(t, "POST", "POST", path+"?explain=true", `{"instances":[{"user_id":"u"},{"user_id":7},{"user_id":"u","model":"faulty"},{"user_id":"u","model":"absent"}],"model":"risk","request_id":"r"}`, 200)
	if strings.Count(got, `"error"`) != 3 {
		t.Errorf("batch: %s", got)
	}
	p.send(t, "POST", "POST", path, `{"instances":[]}`, 400)
	p.send(t, "POST", "POST", path, `{"instances":[{"user_id":"u"}]}`, 403, unsigned)
	p.send(t, "POST", "POST", path+"?explain=true", `{"instances":[{"user_id":"u"}],"model":"broken"}`, 500)
}

// transport provokes what HTTP itself is refused for.
func (p *trafficPort) transport(t *testing.T, path string) {
	t.Helper()
	p.send(t, "POST", "GET", path, "", 405)
	p.send(t, "POST", "POST", path, "{}", 415, "Content-Encoding: gzip")
	p.send(t, "POST", "POST", path, "{}", 431, "X-Long: "+strings.Repeat("x", 3<<10))
	head := "POST " + path + " HTTP/1.1\r\nHost: h\r\n"
	p.raw(t, "POST", "POST", path, head+"Content-Length: 99999999\r\n\r\n", "", 413)
	p.raw(t, "POST", "POST", path, head+"Content-Length: +10\r\n\r\n{", "", 400)
}

func (p *trafficPort) probes(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/", "/livez", "/health/liveness"} {
		p.send(t, "GET", "GET", path, "", 200)
		p.send(t, "GET", "POST", path, "", 405)
	}
	for _, path := range []string{"/readyz", "/health/readiness"} {
		p.ready = httpapi.StatusReady
		p.send(t, "GET", "GET", path, "", 200)
		p.send(t, "GET", "POST", path, "", 405)
		for _, status := range []string{httpapi.StatusStarting, httpapi.StatusDraining} {
			p.ready = status
			p.send(t, "GET", "GET", path, "", 503)
		}
	}
}
