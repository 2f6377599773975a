package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/router/identity/identitytest"
)

// guarded is a gateway that asks who calls, with everything that is secret about it.
type guarded struct {
	*gateway
	t       *testing.T
	dir     string
	client  *http.Client
	ca      *identitytest.Authority
	keys    map[string]string // by caller
	token   string
	secrets map[string]string
}

// command runs the gateway's CLI, and gives what it printed.
func (g *guarded) command(env []string, args ...string) (code int, out string) {
	g.t.Helper()
	c := exec.Command(child.Binary(), args...)
	c.Dir, c.Env = g.dir, append(child.Environment(g.dir), env...)
	var stderr strings.Builder
	c.Stderr = &stderr
	stdout, err := c.Output()
	if err != nil && c.ProcessState == nil {
		g.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(stdout) + stderr.String()
}

// create makes a key by the CLI.
func (g *guarded) create(caller string, args ...string) {
	g.t.Helper()
	c := exec.Command(child.Binary(), append([]string{"keys", "create", caller, "--keys-file", filepath.Join(g.dir, "keys.yaml")}, args...)...)
	c.Dir, c.Env = g.dir, child.Environment(g.dir)
	out, err := c.Output()
	if err != nil {
		g.t.Fatal(err)
	}
	g.keys[caller] = strings.TrimSpace(string(out))
	g.secrets["key of "+caller] = g.keys[caller][14:]
	write(g.t, filepath.Join(g.dir, caller+".key"), g.keys[caller]+"\n")
}

// issuerOf writes the keys of an issuer, and gives a token of theirs.
func issuerOf(t *testing.T, file, subject, scopes string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(set))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(map[string]any{"iss": "https://issuer.example", "aud": "hotpath", "sub": subject,
		"exp": time.Now().Add(time.Hour).Unix(), "scope": scopes}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// startGuarded starts a gateway with keys, an issuer, TLS and every secret set.
func startGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := fixtures(t, "echo")
	authority := identitytest.NewAuthority(t)
	g := &guarded{t: t, dir: dir, ca: authority, keys: map[string]string{}, secrets: map[string]string{}}
	authority.Server(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	private, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	g.secrets["private key"] = strings.Split(string(private), "\n")[1]
	for _, secret := range []string{"force key", "Redis password", "sentinel password"} {
		b := make([]byte, 24)
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
		g.secrets[secret] = base64.RawURLEncoding.EncodeToString(b)
	}
	write(t, filepath.Join(dir, "force.key"), g.secrets["force key"])
	g.create("ranking", "--scopes", "predict", "--quota", "1000/1000")
	g.create("ops", "--scopes", "admin")
	g.create("reader", "--scopes", "models:read,metrics:read")
	g.token = issuerOf(t, filepath.Join(dir, "jwks.json"), "alice", "models:write openid")
	g.secrets["token"] = g.token[strings.LastIndex(g.token, ".")+1:]
	write(t, filepath.Join(dir, "experiments.yaml"), "experiments: []\n")
	write(t, filepath.Join(dir, "gateway.yaml"), fmt.Sprintf(`server:
  tls: {cert_file: cert.pem, key_file: key.pem}
  lame_duck: 100ms
  repository_api: true
auth:
  keys_file: keys.yaml
  reload_interval: 50ms
  jwt: {jwks_file: jwks.json, issuer: "https://issuer.example", audience: hotpath}
experiments: {file: experiments.yaml, force_key_file: force.key}
features:
  redis: {addresses: ["127.0.0.1:1"], password: "%s", sentinel_password: "%s"}
log: {level: debug, access_sample: 1}
`, g.secrets["Redis password"], g.secrets["sentinel password"]))
	args := append(fixtureArgs(dir), "--config", "gateway.yaml")
	g.gateway = startGateway(t, dir, args...)
	g.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: authority.Pool}}}
	return g
}

// ask makes a call over TLS; a credential is put behind Bearer.
func (g *guarded) ask(addr, method, path, body, credential string) (int, string) {
	g.t.Helper()
	r, err := http.NewRequest(method, "https://"+addr+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	answer, err := g.client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	if err != nil {
		g.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
