package admin

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/router/identity"
	"hotpath/router/identity/certs"
	"hotpath/router/identity/identitytest"
	"hotpath/router/routertest"
)

// listening serves a port's handler on loopback, with TLS where there is a configuration.
func listening(t *testing.T, p *port, c *tls.Config) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http://"
	if c != nil {
		ln, scheme = tls.NewListener(ln, c), "https://"
	}
	s := NewServer(New(p.options))
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-served })
	return scheme + ln.Addr().String()
}

// logged collects a log that is written to while it is read.
type logged struct{ routertest.LogBuffer }

// wants waits for a text: an operation is logged behind its answer.
func (l *logged) wants(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !strings.Contains(l.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("the log lacks %s:\n%s", text, l)
			return
		}
	}
}

// quietly keeps the log of a port's handlers to come.
func quietly(p *port) *logged {
	l := &logged{}
	p.options.Log = slog.New(slog.NewTextHandler(l, nil))
	return l
}

// ask sends a request, and gives the status, the headers and the beginning of the body.
func ask(t *testing.T, client *http.Client, method, url, key string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

// TestEveryEndpointNeedsWhatTheTableSays walks the table with every kind of key, and
// what is registered for being in the table.
func TestEveryEndpointNeedsWhatTheTableSays(t *testing.T) {
	p := newPort(t)
	file, keys := identitytest.OneEach(t)
	p.options.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	p.options.Deployments = &fakeDeployments{}
	p.options.UploadTimeout = time.Minute
	log := quietly(p)
	url := listening(t, p, nil)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	needs := identity.NeedsOf(identity.AdminPort)
	fill := strings.NewReplacer("{model}", "risk", "{label}", "stable", "{id}", "none", "{revision}", "1", "{experiment}", "adults", "{view}", "report", "{name...}", "features/hold")
	for name, need := range needs {
		method, path, _ := strings.Cut(name, " ")
		at := url + fill.Replace(path)
		status, header, _ := ask(t, client, method, at, "")
		if header.Get("X-Frame-Options") != "DENY" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: headers %v", name, header)
		}
		if need == identity.Public {
			if status == 401 || status == 403 {
				t.Errorf("%s is public and answers %d", name, status)
			}
			continue
		}
		if status != 401 || header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a key: %d, %q", name, status, header.Get("WWW-Authenticate"))
		}
		may, mayNot := identitytest.Holders(need)
		for _, scope := range mayNot {
			if status, _, body := ask(t, client, method, at, keys[scope]); status != 403 || !strings.Contains(body, "needs the scope "+need.String()) {
				t.Errorf("%s with %s: %d %s", name, scope, status, body)
			}
		}
		if strings.HasSuffix(path, "/profile") || strings.HasSuffix(path, "/trace") {
			continue // which take their time
		}
		for _, scope := range may {
			if status, _, body := ask(t, client, method, at, keys[scope]); status == 401 || status == 403 {
				t.Errorf("%s with %s: %d %s", name, scope, status, body)
			}
		}
	}
	for pattern := range New(p.options).(*handler).mux.needs {
		if _, known := needs[pattern]; !known {
			t.Errorf("%s is not in identity.Endpoints: say what it needs", pattern)
		}
	}
	for _, key := range keys {
		if strings.Contains(log.String(), key[14:]) {
			t.Error("the log has a key in it")
		}
	}
}

func TestOperationsKnowTheirCaller(t *testing.T) {
	p, deployments := newPort(t), &fakeDeployments{}
	p.options.Deployments, p.options.UploadTimeout = deployments, time.Minute
	file, keys := identitytest.OneEach(t)
	p.options.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	log := quietly(p)
	url := listening(t, p, nil)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct{ key, want string }{
		{keys["models:write"], `msg="admin operation" method=POST path=/admin/models/risk/load query="version=2" remote=127.0.0.1:`},
		{keys["models:write"], `caller=models-write`},
		{keys["models:read"], `msg="admin operation refused"`},
		{"", `unauthenticated`},
	} {
		ask(t, client, "POST", url+"/admin/models/risk/load?version=2", c.key)
		log.wants(t, c.want)
	}
	for query, who := range map[string]string{"": "experiments-write", "?actor=ann": "experiments-write (ann)"} {
		status, _, body := ask(t, client, "POST", url+"/admin/experiments/e/pause"+query, keys["experiments:write"])
		if held := p.options.Editor.Holds(); status != 200 || len(held) != 1 || held[0].Who != who {
			t.Errorf("pause%s: %d %s, %+v", query, status, body, held)
		}
		ask(t, client, "POST", url+"/admin/experiments/e/resume", keys["experiments:write"])
	}
	if status, _, body := ask(t, client, "POST", url+"/admin/models/risk/deployments?from=2", keys["admin"]); status != 202 || deployments.request.By != "admin" {
		t.Errorf("a deployment: %d %s, by %q", status, body, deployments.request.By)
	}
}

func TestAdminPortOverTLS(t *testing.T) {
	p := newPort(t)
	ca, dir := identitytest.NewAuthority(t), t.TempDir()
	o := certs.Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: ca.File,
		MinVersion: tls.VersionTLS12, Reloads: identitytest.Reloads(t), Log: identitytest.Log()}
	ca.Server(t, o.CertFile, o.KeyFile)
	certificates, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "keys.yaml")
	identitytest.Write(t, file, "  - name: ops\n    scopes: [models:write]\n    certificates: [\"email:ops@example.com\"]\n")
	p.options.Access = identitytest.Access(t, identity.Options{KeysFile: file})
	log := quietly(p)
	url := listening(t, p, certificates.HTTP())
	for name, c := range map[string]struct {
		address string
		want    int
	}{"ops": {"ops@example.com", 200}, "somebody": {"somebody@example.com", 401}} {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{
			ca.Client(t, "x", func(cert *x509.Certificate) { cert.EmailAddresses = []string{c.address} })}}}}
		if status, _, body := ask(t, client, "POST", url+"/admin/models/risk/rollback", ""); status != c.want {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	log.wants(t, "caller=ops")
}
