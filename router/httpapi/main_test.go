package httpapi_test

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/httpapi"
	"hotpath/router/httpapi/jsonwire"
	"hotpath/router/routertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A stopped worker pool's cleaner sleeps up to ten seconds before it looks.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// The clock of the Date header is the process's, for ever.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// setup is what a test may change before the server starts.
type setup struct {
	handler httpapi.Options
	server  httpapi.ServerOptions
	router  router.Options
	// serve puts models and experiments into the pipeline; nil: one model.
	serve func(r *routertest.Rig)
	// listener is used instead of a TCP one.
	listener net.Listener
}

// port is a running server.
type port struct {
	*routertest.Rig
	Handler *httpapi.Handler
	Server  *httpapi.Server
	addr    string
	log     *routertest.LogBuffer
	client  *http.Client
	served  chan error
}

// The limits of the test profile.
const (
	maxBody      = 8 << 10
	maxBatchBody = 32 << 10
	maxInferBody = 256 << 10
	bodyMemory   = 1 << 20
	maxHeader    = 2 << 10
)

// start runs a server for the length of a test.
func start(t testing.TB, change func(s *setup)) *port {
	t.Helper()
	log := &routertest.LogBuffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	s := setup{
		handler: httpapi.Options{DefaultDeadline: 2 * time.Second, MaxDeadline: 5 * time.Second, ForcedHeader: "X-Hotpath-Variant", AllowExplain: true,
			Limits: jsonwire.DefaultLimits(), MaxBody: maxBody, MaxBatchBody: maxBatchBody, MaxInferBody: maxInferBody, BodyMemory: bodyMemory,
			CompressOver: 2 << 10, Catalog: &fakeCatalog{ready: true}, RepositoryTimeout: time.Second, Log: logger,
			Ready: func() httpapi.Readiness { return httpapi.Readiness{Status: httpapi.StatusReady} }},
		server: httpapi.ServerOptions{MaxConnections: 2000, MaxHeaderBytes: maxHeader, ReadTimeout: 2 * time.Second,
			WriteTimeout: 2 * time.Second, IdleTimeout: 10 * time.Second, Log: logger},
		router: routertest.Options(),
	}
	if change != nil {
		change(&s)
	}
	p := &port{Rig: routertest.NewRig(t, s.router), log: log, served: make(chan error, 1)}
	if s.serve == nil {
		s.serve = func(r *routertest.Rig) { r.Serve(abtest.Config{}, r.Version("risk", 1)) }
	}
	s.serve(p.Rig)
	var err error
	if p.Handler, err = httpapi.New(p.Pipeline, p.Metrics, s.handler, p.Registry); err != nil {
		t.Fatal(err)
	}
	p.Server = httpapi.NewServer(p.Handler, s.server)
	if s.listener == nil {
		if s.listener, err = httpapi.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	p.addr = s.listener.Addr().String()
	go func() { p.served <- p.Server.Serve(s.listener) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	p.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		shutdown(t, p)
	})
	return p
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
	// last says that the server ends the connection (Connection: close).
	last bool
}

func (r reply) code(t testing.TB) string { t.Helper(); return r.failure(t).Code }

// failure is the error in an answer; its zero for none.
func (r reply) failure(t testing.TB) (e struct{ Code, Message, Field, Request_ID string }) {
	t.Helper()
	var body struct {
		Error *struct{ Code, Message, Field, Request_ID string }
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("body is no JSON: %v: %.200q", err, r.body)
	}
	if body.Error != nil {
		return *body.Error
	}
	return e
}

// do sends a request; headers are "Name: value".
func (p *port) do(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b), resp.Close}
}

func (p *port) post(t testing.TB, path, body string, headers ...string) reply {
	t.Helper()
	return p.do(t, "POST", path, body, headers...)
}

// dial opens a raw connection that ends with the test.
func (p *port) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// replies reads answers until the connection ends; closed says that it did so by
// itself, and not by the reader's patience.
func replies(t testing.TB, c net.Conn, patience time.Duration) (all []reply, closed bool) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for {
		if _, err := r.Peek(1); err != nil {
			netErr, ok := err.(net.Error)
			return all, !ok || !netErr.Timeout()
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d is malformed: %v", len(all), err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("answer %d is cut off: %v", len(all), err)
		}
		all = append(all, reply{resp.StatusCode, resp.Header, string(body), resp.Close})
	}
}

// first reads one answer and leaves the connection as it is.
func first(t testing.TB, c net.Conn) reply {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body), resp.Close}
}

// send writes to a connection; what the server does with it shows elsewhere.
func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Logf("sending: %v", err)
	}
}

// eventually polls for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// metric is Rig.Metric.
func (p *port) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	return p.Metric(t, name, labels...)
}
