package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
	"hotpath/router/identity/token"
	"hotpath/router/routertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t testing.TB) token.Options {
	return token.Options{Issuer: "https://issuer", Audience: "hotpath", Algorithms: []string{"RS256", "ES256"},
		Leeway: 10 * time.Second, ScopeClaim: "scope", Entries: 64, Refresh: time.Hour, Reloads: identitytest.Reloads(t), Log: identitytest.Log()}
}

func open(t testing.TB, o token.Options) *token.Verifier {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v, err := token.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	var watching sync.WaitGroup
	watching.Go(func() { v.Watch(ctx, time.Millisecond) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	return v
}

func TestTokens(t *testing.T) {
	key, ec, other := rsaKey(t), ecKey(t), rsaKey(t)
	i := newIssuer(t)
	i.publish(public("r", &key.PublicKey), public("e", &ec.PublicKey),
		jose.JSONWebKey{Key: &other.PublicKey, KeyID: "enc", Use: "enc"}, jose.JSONWebKey{Key: &key.PublicKey, KeyID: "ps", Algorithm: "PS256"})
	o := options(t)
	o.KeysURL = i.URL
	v := open(t, o)
	now := time.Now()
	pub, err := json.Marshal(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"r"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iss":"https://issuer","aud":"hotpath","sub":"x","exp":%d,"scope":"admin"}`, now.Add(time.Hour).Unix())) + "."
	good := sign(t, "RS256", "r", key, nil)
	for name, c := range map[string]struct {
		token string
		want  string // the caller and their scopes, or empty
	}{
		"RSA":                        {good, "jwt:alice [predict models:read]"},
		"EC":                         {sign(t, "ES256", "e", ec, nil), "jwt:alice [predict models:read]"},
		"list of scopes":             {sign(t, "RS256", "r", key, map[string]any{"scope": []string{"admin", "else"}}), "jwt:alice [admin]"},
		"no scope":                   {sign(t, "RS256", "r", key, map[string]any{"scope": nil}), "jwt:alice []"},
		"scopes of a strange kind":   {sign(t, "RS256", "r", key, map[string]any{"scope": 7}), "jwt:alice []"},
		"within the leeway":          {sign(t, "RS256", "r", key, map[string]any{"exp": now.Add(-5 * time.Second).Unix()}), "jwt:alice [predict models:read]"},
		"a name that is a trick":     {sign(t, "RS256", "r", key, map[string]any{"sub": "a\n\x1b[31m\u202eb"}), "jwt:a??[31m?b [predict models:read]"},
		"expired":                    {sign(t, "RS256", "r", key, map[string]any{"exp": now.Add(-time.Minute).Unix()}), ""},
		"not yet":                    {sign(t, "RS256", "r", key, map[string]any{"nbf": now.Add(time.Minute).Unix()}), ""},
		"issued later":               {sign(t, "RS256", "r", key, map[string]any{"iat": now.Add(time.Minute).Unix()}), ""},
		"never ends":                 {sign(t, "RS256", "r", key, map[string]any{"exp": nil}), ""},
		"another issuer":             {sign(t, "RS256", "r", key, map[string]any{"iss": "https://issuer.evil"}), ""},
		"no issuer":                  {sign(t, "RS256", "r", key, map[string]any{"iss": nil}), ""},
		"another audience":           {sign(t, "RS256", "r", key, map[string]any{"aud": "else"}), ""},
		"no audience":                {sign(t, "RS256", "r", key, map[string]any{"aud": nil}), ""},
		"nobody":                     {sign(t, "RS256", "r", key, map[string]any{"sub": ""}), ""},
		"a long name":                {sign(t, "RS256", "r", key, map[string]any{"sub": strings.Repeat("x", 121)}), ""},
		"signed by another":          {sign(t, "RS256", "r", other, nil), ""},
		"unknown key":                {sign(t, "RS256", "x", key, nil), ""},
		"no key named":               {sign(t, "RS256", "", key, nil), ""},
		"algorithm that is not ours": {sign(t, "RS512", "r", key, nil), ""},
		"algorithm of another key":   {sign(t, "RS256", "ps", key, nil), ""},
		"key for encryption":         {sign(t, "RS256", "enc", other, nil), ""},
		"HS256 with the public key":  {sign(t, "HS256", "r", pub, nil), ""},
		"none":                       {none, ""},
		"changed":                    {good[:len(good)-8] + "AAAAAAAA", ""},
		"two parts":                  {good[:strings.LastIndex(good, ".")], ""},
		"nothing":                    {"", ""},
		"long":                       {good + strings.Repeat("A", 20000), ""},
	} {
		for range 2 { // the second time from memory
			got := ""
			caller, err := v.Verify([]byte(c.token), now)
			if err == nil {
				got = fmt.Sprintf("%s %v", caller.Name, caller.Scopes.Names())
			}
			if got != c.want {
				t.Errorf("%s: got %q (%v), want %q", name, got, err, c.want)
			}
			if err != nil && len(c.token) > 100 && strings.Contains(err.Error(), c.token[20:60]) {
				t.Errorf("%s: the error repeats the token", name)
			}
		}
	}
	if _, err := v.Verify([]byte(good), now.Add(2*time.Hour)); !errors.Is(err, identity.ErrTokenExpired) {
		t.Errorf("a token that was remembered, when it has expired: %v", err)
	}
}

func TestRotatedKeysAndAnIssuerThatIsDown(t *testing.T) {
	first, second := ecKey(t), ecKey(t)
	i := newIssuer(t)
	i.publish(public("1", &first.PublicKey))
	i.status.Store(http.StatusInternalServerError)
	o := options(t)
	o.KeysURL, o.Refresh = i.URL, 20*time.Millisecond
	log := &routertest.LogBuffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	v := open(t, o)
	old, fresh := []byte(sign(t, "ES256", "1", first, nil)), []byte(sign(t, "ES256", "2", second, nil))
	ok := func(token []byte) bool { _, err := v.Verify(token, time.Now()); return err == nil }
	if ok(old) {
		t.Error("a token is good before there are keys")
	}
	i.status.Store(http.StatusOK)
	eventually(t, "the first key", func() bool { return ok(old) })
	i.status.Store(http.StatusServiceUnavailable)
	asked := i.asked.Load()
	eventually(t, "more attempts", func() bool { return i.asked.Load() > asked+2 })
	if !ok(old) {
		t.Error("without the issuer the keys are gone")
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 2 {
		t.Errorf("two outages are in the log %d times: %s", n, log.String())
	}
	i.publish(public("2", &second.PublicKey))
	i.status.Store(http.StatusOK)
	eventually(t, "the second key", func() bool { return ok(fresh) })
	if ok(old) {
		t.Error("a token of a key that was taken back is still good")
	}
}

func TestUnknownKeyAsksEarlier(t *testing.T) {
	first, second := ecKey(t), ecKey(t)
	i := newIssuer(t)
	i.publish(public("1", &first.PublicKey))
	o := options(t)
	o.KeysURL = i.URL
	v := open(t, o)
	i.publish(public("1", &first.PublicKey), public("2", &second.PublicKey))
	fresh := []byte(sign(t, "ES256", "2", second, nil))
	eventually(t, "the new key, long before the refresh", func() bool { _, err := v.Verify(fresh, time.Now()); return err == nil })
	stranger := []byte(sign(t, "ES256", "3", second, nil))
	for range 1000 {
		_, _ = v.Verify(stranger, time.Now())
	}
	time.Sleep(20 * time.Millisecond)
	if n := i.asked.Load(); n > 3 {
		t.Errorf("tokens of unknown keys made us ask %d times", n)
	}
}

func TestKeysInAFile(t *testing.T) {
	first, second := ecKey(t), ecKey(t)
	i := newIssuer(t)
	o := options(t)
	o.KeysFile = filepath.Join(t.TempDir(), "jwks.json")
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(o.KeysFile, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ data, want string }{
		"no JSON": {"{", "no JSON Web Key Set"}, "nothing": {"{}", "no public key"},
		"a shared key": {`{"keys":[{"kty":"oct","kid":"x","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}]}`, "private or a shared key"},
	} {
		put([]byte(c.data))
		if _, err := token.New(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	i.publish(jose.JSONWebKey{Key: first, KeyID: "private"})
	put(i.jwks(t))
	if _, err := token.New(context.Background(), o); err == nil {
		t.Error("a private key is taken")
	}
	i.publish(public("1", &first.PublicKey))
	put(i.jwks(t))
	v := open(t, o)
	if _, err := v.Verify([]byte(sign(t, "ES256", "1", first, nil)), time.Now()); err != nil {
		t.Error(err)
	}
	i.publish(public("2", &second.PublicKey))
	put(i.jwks(t))
	fresh := []byte(sign(t, "ES256", "2", second, nil))
	eventually(t, "the new file", func() bool { _, err := v.Verify(fresh, time.Now()); return err == nil })
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	key := ecKey(t)
	i := newIssuer(t)
	i.publish(public("1", &key.PublicKey))
	o := options(t)
	o.KeysURL, o.Entries, o.Quota = i.URL, 32, identity.Quota{RequestsPerSecond: 0.001, Burst: 1}
	v := open(t, o)
	now := time.Now()
	for n := range 200 {
		text := sign(t, "ES256", "1", key, map[string]any{"sub": fmt.Sprint("user-", n%3), "jti": fmt.Sprint(n)})
		c, err := v.Verify([]byte(text), now)
		if err != nil {
			t.Fatal(err)
		}
		// The quota is the subject's, whichever token they bring.
		if wait := c.Take(now); (wait == 0) != (n < 3) {
			t.Errorf("token %d of %s: wait %s", n, c.Name, wait)
		}
	}
}

func TestAlgorithmsAreOfPublicKeys(t *testing.T) {
	for _, a := range token.Algorithms() {
		if strings.HasPrefix(a, "HS") || a == "none" {
			t.Errorf("%s is offered", a)
		}
	}
	if !slices.Contains(token.Algorithms(), "RS256") {
		t.Error("RS256 is not")
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// BenchmarkVerify is what a request with a token pays, once it was verified.
func BenchmarkVerify(b *testing.B) {
	key := rsaKey(b)
	i := newIssuer(b)
	i.publish(public("1", &key.PublicKey))
	o := options(b)
	o.KeysURL = i.URL
	v := open(b, o)
	text, now := []byte(sign(b, "RS256", "1", key, nil)), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(text, now); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := ecKey(f)
	i := newIssuer(f)
	i.publish(public("1", &key.PublicKey))
	o := options(f)
	o.KeysURL = i.URL
	v := open(f, o)
	good := sign(f, "ES256", "1", key, nil)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := v.Verify([]byte(text), time.Now()); err == nil && !strings.HasPrefix(text, good[:strings.LastIndex(good, ".")]) {
			t.Errorf("%q is taken for %s", text, c.Name)
		}
	})
}
