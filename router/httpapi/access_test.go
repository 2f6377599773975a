package httpapi_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/router/httpapi"
	"hotpath/router/identity"
	"hotpath/router/identity/certs"
	"hotpath/router/identity/identitytest"
)

// example fills the parts of a path that are in braces.
func example(path string) string {
	return strings.NewReplacer("{model}", "risk", "{version}", "1", "{label}", "stable", "{key}", "flag", "{region}", "r").Replace(path)
}

// TestEveryEndpointNeedsWhatTheTableSays walks the table with every kind of key, and
// what is registered for being in the table.
func TestEveryEndpointNeedsWhatTheTableSays(t *testing.T) {
	file, keys := identitytest.OneEach(t)
	p := start(t, func(s *setup) {
		s.handler.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	})
	table := map[string]bool{}
	for _, e := range identity.Endpoints() {
		if e.Port != identity.TrafficPort {
			continue
		}
		table[e.Name] = true
		method, path, _ := strings.Cut(e.Name, " ")
		path = example(path)
		may, mayNot := identitytest.Holders(e.Need)
		anonymous := p.do(t, method, path, "{}")
		if e.Need == identity.Public {
			if anonymous.status == 401 || anonymous.status == 403 {
				t.Errorf("%s is public and answers %d", e.Name, anonymous.status)
			}
			continue
		}
		if anonymous.status != 401 || anonymous.header.Get("WWW-Authenticate") != `Bearer realm="hotpath"` {
			t.Errorf("%s without a key: %d, %q", e.Name, anonymous.status, anonymous.header.Get("WWW-Authenticate"))
		}
		for _, scope := range mayNot {
			if r := p.do(t, method, path, "{}", "Authorization: Bearer "+keys[scope]); r.status != 403 || !strings.Contains(r.body, "needs the scope "+e.Need.String()) {
				t.Errorf("%s with %s: %d %s", e.Name, scope, r.status, r.body)
			}
		}
		for _, scope := range may {
			r := p.do(t, method, path, "{}", "X-API-Key: "+keys[scope])
			// The repository is off here, which is another refusal.
			if r.status == 401 || r.status == 403 && !strings.Contains(r.body, "server.repository_api") {
				t.Errorf("%s with %s: %d %s", e.Name, scope, r.status, r.body)
			}
		}
	}
	for _, name := range httpapi.RegisteredEndpoints() {
		if !table[name] {
			t.Errorf("%s is not in identity.Endpoints: say what it needs", name)
		}
	}
}

// TestSpellingsOfAPathDoNotPass tries what might be routed in one way and checked in
// another.
func TestSpellingsOfAPathDoNotPass(t *testing.T) {
	file, keys := identitytest.OneEach(t)
	p := start(t, func(s *setup) {
		s.handler.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	})
	for _, path := range []string{
		"/predict", "/predict/", "//predict", "/./predict", "/v2/../predict", "/livez/../predict", "/%70redict", "/predict?x=/livez", "/predict;x",
		"/livez/../v2/models/risk/infer", "/v2/models/risk/infer/", "/v2/models/risk//infer", "/v2/health/live/../../models/risk/infer",
		"/v1/models/risk:predict", "/v1/models/risk:predict/", "/v1/models/risk:predict//", "/v1/models/risk%3Apredict", "/v1//models/risk:predict",
		"/v2/models/risk/ready/../infer", "/admin/status", "/admin/../predict", "/PREDICT", "/metrics", "/debug/pprof/",
	} {
		for _, method := range []string{"POST", "GET", "HEAD", "PUT", "predict"} {
			c := p.dial(t)
			fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", method, path)
			resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			resp.Body.Close()
			c.Close()
			switch resp.StatusCode {
			case 400, 401, 404, 405:
			default:
				t.Errorf("%s %s without a key: %s", method, path, resp.Status)
			}
			// With another's scope there is no way to a prediction either.
			if r := p.do(t, "POST", (&url.URL{Path: path}).EscapedPath(), `{"user_id":"u"}`, "X-API-Key: "+keys["metrics:read"]); r.status == 200 {
				t.Errorf("POST %s with metrics:read: %d %s", path, r.status, r.body)
			}
		}
	}
}

func TestWhoAsksIsFoundOutBeforeTheBody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	entry, key := identitytest.Entry("ranking", "predict", "    quota: {requests_per_second: 0.5, burst: 2}\n")
	identitytest.Write(t, file, entry)
	p := start(t, func(s *setup) {
		s.handler.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	})
	if r := p.post(t, "/predict", "{no json"); r.status != 401 || r.code(t) != "unauthenticated" {
		t.Errorf("nonsense from nobody: %d %s", r.status, r.body)
	}
	for i, want := range []int{200, 200, 429} {
		r := p.post(t, "/predict", `{"user_id":"u"}`, "Authorization: Bearer "+key)
		if r.status != want {
			t.Errorf("request %d: %d %s", i, r.status, r.body)
		}
		if want == 429 && (r.code(t) != "quota" || r.header.Get("Retry-After") != "2") {
			t.Errorf("over the quota: %s, Retry-After %q", r.body, r.header.Get("Retry-After"))
		}
	}
	// Who asks whether to send a large body is told before it is sent.
	c := p.dial(t)
	send(t, c, "POST /v2/models/risk/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n")
	if r := first(t, c); r.status != 401 {
		t.Errorf("a body that was announced: %d %s", r.status, r.body)
	}
	// And a large one that just comes is not read.
	c = p.dial(t)
	send(t, c, "POST /v2/models/risk/infer HTTP/1.1\r\nHost: x\r\nX-API-Key: hp_nobody\r\nContent-Length: 200000\r\n\r\n{")
	if r := first(t, c); r.status != 401 || !strings.Contains(r.body, "no such API key") || r.header.Get("X-Error-Code") != "unauthenticated" {
		t.Errorf("a large body of nobody: %d %s", r.status, r.body)
	}
	c = p.dial(t)
	send(t, c, "POST /v2/models/risk/infer HTTP/1.1\r\nHost: x\r\nX-API-Key: "+key+"\r\nContent-Length: 200000\r\n\r\n{")
	if _, closed := replies(t, c, 100*time.Millisecond); closed {
		t.Error("a large body of somebody is not waited for")
	}
	if got := p.metric(t, "hotpath_requests_total", "route", "predict", "code", "unauthenticated"); got != 1 {
		t.Errorf("%v requests are counted as unauthenticated", got)
	}
	for _, secret := range []string{key, key[14:]} {
		if strings.Contains(p.log.String(), secret) {
			t.Error("the log has a key in it")
		}
	}
}

// securePort runs a server with TLS.
func securePort(t *testing.T, change func(s *setup, o *certs.Options)) (*port, *identitytest.Authority, *certs.Certificates) {
	ca, dir := identitytest.NewAuthority(t), t.TempDir()
	o := certs.Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: ca.File,
		MinVersion: tls.VersionTLS12, Reloads: identitytest.Reloads(t), Log: identitytest.Log()}
	ca.Server(t, o.CertFile, o.KeyFile)
	c, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, func(s *setup) {
		s.server.TLS = c.HTTP()
		change(s, &o)
	})
	return p, ca, c
}

// secureClient has at most one certificate.
func secureClient(t *testing.T, config *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}
}

func TestTLSWithClientCertificates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	identitytest.Write(t, file, `  - name: ranking
    scopes: [predict]
    certificates: ["uri:spiffe://example/ranking", "subject:CN=batch,O=Example"]
  - name: other
    scopes: [metrics:read]
    certificates: ["dns:other.example"]
`)
	p, ca, _ := securePort(t, func(s *setup, _ *certs.Options) {
		s.handler.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	})
	stranger := identitytest.NewAuthority(t)
	for _, c := range []struct {
		name   string
		client []tls.Certificate
		max    uint16
		want   int // 0: no answer
	}{
		{"uri", []tls.Certificate{ca.Client(t, "x", func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/ranking"}} })}, 0, 200},
		{"subject", []tls.Certificate{ca.Client(t, "batch", func(c *x509.Certificate) { c.Subject.Organization = []string{"Example"} })}, 0, 200},
		{"subject, TLS 1.2", []tls.Certificate{ca.Client(t, "batch", func(c *x509.Certificate) { c.Subject.Organization = []string{"Example"} })}, tls.VersionTLS12, 200},
		{"another scope", []tls.Certificate{ca.Client(t, "x", func(c *x509.Certificate) { c.DNSNames = []string{"other.example"} })}, 0, 403},
		{"nobody's name", []tls.Certificate{ca.Client(t, "x", nil)}, 0, 401},
		{"no certificate", nil, 0, 401},
		{"expired", []tls.Certificate{ca.Client(t, "batch", func(c *x509.Certificate) {
			c.Subject.Organization, c.NotAfter = []string{"Example"}, time.Now().Add(-time.Minute)
		})}, 0, 0},
		{"another authority", []tls.Certificate{stranger.Client(t, "batch", func(c *x509.Certificate) { c.Subject.Organization = []string{"Example"} })}, 0, 0},
		{"TLS 1.1", nil, tls.VersionTLS11, 0},
	} {
		client := secureClient(t, &tls.Config{RootCAs: ca.Pool, MaxVersion: c.max, MinVersion: tls.VersionTLS10,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(c.client) == 0 {
					return &tls.Certificate{}, nil
				}
				return &c.client[0], nil
			}})
		for range 2 { // the second time over the same connection
			status := 0
			resp, err := client.Post("https://"+p.addr+"/predict", "application/json", strings.NewReader(`{"user_id":"u"}`))
			if err == nil {
				status = resp.StatusCode
				resp.Body.Close()
			}
			if status != c.want {
				t.Errorf("%s: %d (%v), want %d", c.name, status, err, c.want)
			}
		}
	}
}

func TestTLSPortKeepsToItsLimits(t *testing.T) {
	p, ca, _ := securePort(t, func(s *setup, _ *certs.Options) {
		s.server.MaxConnections, s.server.ReadTimeout = 2, 300*time.Millisecond
	})
	// In the clear, and silence.
	c := p.dial(t)
	send(t, c, "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	if _, closed := readAll(c); !closed {
		t.Error("a request in the clear was answered")
	}
	silent := p.dial(t)
	if _, closed := readAll(silent); !closed {
		t.Error("a connection that never shakes hands stays open")
	}
	eventually(t, "room for two", func() bool { return p.metric(t, "hotpath_connections") == 0 })
	one, two := p.dial(t), p.dial(t)
	eventually(t, "two connections", func() bool { return p.metric(t, "hotpath_connections") == 2 })
	three := p.dial(t)
	if _, closed := readAll(three); !closed {
		t.Error("a third connection stays open")
	}
	one.Close()
	two.Close()
	eventually(t, "room", func() bool { return p.metric(t, "hotpath_connections") == 0 })
	resp, err := secureClient(t, &tls.Config{RootCAs: ca.Pool}).Get("https://" + p.addr + "/livez")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("a good client afterwards: %v %v", resp, err)
	}
	resp.Body.Close()
}

// readAll reads to the end of a connection, within two seconds.
func readAll(c net.Conn) (n int, closed bool) {
	if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return 0, false
	}
	b := make([]byte, 1024)
	for {
		m, err := c.Read(b)
		n += m
		if err != nil {
			netErr, ok := err.(net.Error)
			return n, !ok || !netErr.Timeout()
		}
	}
}
