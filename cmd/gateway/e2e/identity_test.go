package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// TestWhoMayDoWhat is the rest of row 49, with everything on: each port asks who calls,
// in TLS, and nothing secret shows anywhere.
func TestWhoMayDoWhat(t *testing.T) {
	g := startGuarded(t)
	infer := `{"user_id":"u1","model":"echo","features":{"id":1,"x":[1,1,2,0.5]}}`
	for _, c := range []struct {
		name, addr, method, path, credential string
		want                                 int
	}{
		{"prediction", g.Traffic, "POST", "/predict", g.keys["ranking"], 200},
		{"prediction without a key", g.Traffic, "POST", "/predict", "", 401},
		{"prediction with a key that is cut", g.Traffic, "POST", "/predict", g.keys["ranking"][:30], 401},
		{"prediction with another's scope", g.Traffic, "POST", "/predict", g.keys["reader"], 403},
		{"unload from the traffic port", g.Traffic, "POST", "/v2/repository/models/echo/unload", g.keys["ranking"], 403},
		{"admin endpoint on the traffic port", g.Traffic, "GET", "/admin/status", g.keys["ops"], 404},
		{"profiles on the traffic port", g.Traffic, "GET", "/debug/pprof/heap", g.keys["ops"], 404},
		{"admin endpoint without a key", g.Admin, "GET", "/admin/status", "", 401},
		{"admin endpoint with a key for predictions", g.Admin, "GET", "/admin/status", g.keys["ranking"], 403},
		{"metrics", g.Admin, "GET", "/metrics", g.keys["reader"], 200},
		{"configuration with a reader's key", g.Admin, "GET", "/admin/config", g.keys["reader"], 403},
		{"upload without a key", g.Admin, "POST", "/admin/models/echo/deployments", "", 401},
		{"upload with a reader's key", g.Admin, "POST", "/admin/models/echo/deployments", g.keys["reader"], 403},
		{"path out of the repository, with every right", g.Admin, "POST", "/admin/models/..%2Foutside/load?version=1", g.keys["ops"], 400},
		{"a token", g.Admin, "POST", "/admin/models/echo/load?version=1", g.token, 200},
		{"a token without the scope", g.Admin, "POST", "/admin/reload", g.token, 403},
		{"a token that is changed", g.Admin, "POST", "/admin/models/echo/load?version=1", g.token[:len(g.token)-6] + "AAAAAA", 401},
		{"health", g.Traffic, "GET", "/readyz", "", 200},
		{"health of the admin port", g.Admin, "GET", "/livez", "", 200},
	} {
		status, text := g.ask(c.addr, c.method, c.path, infer, c.credential)
		if c.method == "POST" && c.addr == g.Admin && !strings.HasSuffix(c.path, "deployments") {
			status, text = g.ask(c.addr, c.method, c.path, "", c.credential)
		}
		if status != c.want && (c.want != 400 || status != 404 && status != 422) {
			t.Errorf("%s: %d %s, want %d", c.name, status, text, c.want)
		}
		verdict(t, "row 49: "+c.name, fmt.Sprint(c.want), "%d", status)
	}
	g.commands()
	g.replacesItsCertificate()
	g.revokes(infer)
	g.keepsSecrets()
	g.Stop(t)
	for what, secret := range g.secrets {
		if strings.Contains(g.Stderr.String()+g.Stdout.String(), secret) {
			t.Errorf("the log has the %s in it", what)
		}
	}
	for _, want := range []string{`"caller":"jwt:alice"`, `"caller":"reader"`} {
		if !strings.Contains(g.Stderr.String(), want) {
			t.Errorf("the log does not say %s", want)
		}
	}
}

// commands runs the CLI with and without a key.
func (g *guarded) commands() {
	t := g.t
	admin := []string{"--admin", "https://" + g.Admin, "--ca-file", g.ca.File}
	for _, c := range []struct {
		env  []string
		args []string
		code int
		want string
	}{
		{nil, append(admin, "--key-file", "ops.key", "models", "list"), 0, "echo"},
		{[]string{"HOTPATH_API_KEY=" + g.keys["ops"]}, append(admin, "experiments", "get"), 0, "experiments"},
		{[]string{"HOTPATH_API_KEY_FILE=reader.key", "HOTPATH_CA_FILE=" + g.ca.File}, append(admin[:2:2], "status"), 0, "gateway"},
		{nil, append(admin, "status"), 1, "who asks?"},
		{nil, append(admin, "--key-file", "ranking.key", "status"), 1, "needs the scope metrics:read"},
		{nil, append(admin, "--key-file", "nowhere.key", "status"), 2, "--key-file"},
		{nil, append(admin[:2:2], "--key-file", "ops.key", "status"), 1, "certificate"},
	} {
		if code, out := g.command(c.env, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}

// replacesItsCertificate gives the gateway another certificate while it runs.
func (g *guarded) replacesItsCertificate() {
	serial := func() string {
		conn, err := tls.Dial("tcp", g.Admin, &tls.Config{RootCAs: g.ca.Pool})
		if err != nil {
			g.t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	g.ca.Server(g.t, filepath.Join(g.dir, "cert.pem"), filepath.Join(g.dir, "key.pem"))
	took := within(g.t, scaled(2*time.Second), "the new certificate is shown", func() bool { return serial() != before })
	verdict(g.t, "a certificate is replaced", "in use without a restart", "after %s", took.Round(time.Millisecond))
	private, err := os.ReadFile(filepath.Join(g.dir, "key.pem"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.secrets["next private key"] = strings.Split(string(private), "\n")[1]
}

// revokes takes a key back while the gateway runs, and breaks the file.
func (g *guarded) revokes(body string) {
	t := g.t
	file := filepath.Join(g.dir, "keys.yaml")
	if code, out := g.command(nil, "keys", "revoke", g.keys["ranking"][3:13], "--keys-file", file); code != 0 {
		t.Fatalf("revoke: %d %s", code, out)
	}
	took := within(t, scaled(2*time.Second), "a revoked key is refused", func() bool {
		status, _ := g.ask(g.Traffic, "POST", "/predict", body, g.keys["ranking"])
		return status == 401
	})
	verdict(t, "row 49: a key is revoked", "refused without a restart", "after %s", took.Round(time.Millisecond))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "callers:\n  - name: "+g.keys["ops"]+" \"\n")
	within(t, scaled(2*time.Second), "the broken file is reported", func() bool { return strings.Contains(g.Stderr.String(), "a change was refused") })
	if status, text := g.ask(g.Admin, "GET", "/admin/status", "", g.keys["ops"]); status != 200 {
		t.Errorf("with a broken keys file: %d %s", status, text)
	}
	write(t, file, string(data))
}

// keepsSecrets provokes errors and looks for secrets in all that can be read.
func (g *guarded) keepsSecrets() {
	t := g.t
	for _, key := range []string{g.keys["ops"], g.token} {
		for _, call := range [][3]string{
			{"POST", "/predict", "{"}, {"POST", "/predict", `{"user_id":"u"}`}, {"POST", "/v2/models/nobody/infer", "{}"}, {"GET", "/nowhere", ""}, {"PUT", "/predict", "{}"},
			{"POST", "/predict?key=x", strings.Repeat("x", 1<<20)},
		} {
			g.ask(g.Traffic, call[0], call[1], call[2], key)
		}
	}
	var all strings.Builder
	for _, path := range []string{"/admin/config", "/admin/status", "/metrics", "/debug/pprof/cmdline", "/admin/experiments", "/admin/guards", "/readyz"} {
		_, text := g.ask(g.Admin, "GET", path, "", g.keys["ops"])
		all.WriteString(text)
	}
	_, shown := g.command(nil, "config", "show", "--config", "gateway.yaml")
	_, listed := g.command(nil, "keys", "list", "--config", "gateway.yaml")
	all.WriteString(shown + listed)
	if !strings.Contains(shown, "***") {
		t.Errorf("the configuration shows no hidden secret:\n%s", shown)
	}
	for what, secret := range g.secrets {
		if strings.Contains(all.String(), secret) {
			t.Errorf("what the gateway shows has the %s in it", what)
		}
	}
}

// TestAdminPortIsNotOpenedByMistake wants a clear error, and no open port.
func TestAdminPortIsNotOpenedByMistake(t *testing.T) {
	dir := fixtures(t, "echo")
	for name, c := range map[string]struct {
		args  []string
		wants []string
	}{
		"open to all":       {[]string{"--admin", "0.0.0.0:0"}, []string{"server.admin_listen", "auth.keys_file", "127.0.0.1:9090", "server.admin_insecure"}},
		"no keys file":      {[]string{"--set", "auth.keys_file=nowhere.yaml"}, []string{"auth.keys_file", "nowhere.yaml"}},
		"half a TLS":        {[]string{"--set", "server.tls.cert_file=cert.pem"}, []string{"server.tls.key_file"}},
		"no certificate":    {[]string{"--set", "server.tls.cert_file=nowhere.pem", "--set", "server.tls.key_file=nowhere.pem"}, []string{"server.tls", "nowhere.pem"}},
		"keys by plain web": {[]string{"--set", "auth.jwt.jwks_url=http://issuer.example/keys", "--set", "auth.jwt.issuer=i", "--set", "auth.jwt.audience=a"}, []string{"auth.jwt.jwks_url", "https"}},
	} {
		args := append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--set", "server.grpc_listen=127.0.0.1:0"}, fixtureArgs(dir)...)
		p := child.Start(t, dir, child.Environment(dir), child.Binary(), append(args, c.args...)...)
		if code := p.Wait(t, 10*time.Second); code != 2 {
			t.Errorf("%s: exit %d, want 2", name, code)
		}
		for _, want := range c.wants {
			if !strings.Contains(p.Stderr.String(), want) {
				t.Errorf("%s: the message lacks %q: %s", name, want, &p.Stderr)
			}
		}
	}
}
