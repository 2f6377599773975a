package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/models/strictyaml"
	"hotpath/router"
	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
	"hotpath/router/routertest"
)

var here = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}

func withKey(key string) identity.Credentials {
	return identity.Credentials{Authorization: []byte("Bearer " + key), Remote: here}
}

// seen is who was admitted, or the code of the refusal.
func seen(c *identity.Caller, e *router.Error) string {
	switch {
	case e != nil:
		return e.Code.String()
	case c == nil:
		return "nobody"
	}
	return c.Name
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys.yaml")
	good, key := identitytest.Entry("ranking", "predict", "")
	old, expired := identitytest.Entry("old", "predict", "")
	old += "        expires: 2020-01-01T00:00:00Z\n"
	writer, writerKey := identitytest.Entry("editor", "experiments:write", "")
	admin, adminKey := identitytest.Entry("root", "admin", "")
	_, stranger := identitytest.Entry("stranger", "predict", "")
	identitytest.Write(t, file, good, old, writer, admin)
	a := identitytest.Access(t, identity.Options{KeysFile: file})

	other := key[:len(key)-1] + "a"
	if other == key {
		other = key[:len(key)-1] + "q"
	}
	for _, c := range []struct {
		name        string
		need        identity.Scopes
		credentials identity.Credentials
		want        string
	}{
		{"bearer", identity.Predict, withKey(key), "ranking"},
		{"scheme in small letters, blanks", identity.Predict, identity.Credentials{Authorization: []byte("bearer   " + key)}, "ranking"},
		{"own header", identity.Predict, identity.Credentials{APIKey: []byte(key)}, "ranking"},
		{"public", identity.Public, identity.Credentials{}, "nobody"},
		{"public, with nonsense", identity.Public, withKey("nonsense"), "nobody"},
		{"none", identity.Predict, identity.Credentials{}, "unauthenticated"},
		{"both headers", identity.Predict, identity.Credentials{Authorization: []byte("Bearer " + key), APIKey: []byte(key)}, "unauthenticated"},
		{"other scheme", identity.Predict, identity.Credentials{Authorization: []byte("Basic " + key)}, "unauthenticated"},
		{"two words", identity.Predict, identity.Credentials{Authorization: []byte("Bearer " + key + " x")}, "unauthenticated"},
		{"only the scheme", identity.Predict, identity.Credentials{Authorization: []byte("Bearer ")}, "unauthenticated"},
		{"another secret", identity.Predict, withKey(other), "unauthenticated"},
		{"unknown id", identity.Predict, withKey(stranger), "unauthenticated"},
		{"cut", identity.Predict, withKey(key[:len(key)-1]), "unauthenticated"},
		{"upper case", identity.Predict, withKey(strings.ToUpper(key)), "unauthenticated"},
		{"the id alone", identity.Predict, withKey(key[:14]), "unauthenticated"},
		{"no key in the header for keys", identity.Predict, identity.Credentials{APIKey: []byte("eyJhbGciOiJub25lIn0.e30.")}, "unauthenticated"},
		{"token without an issuer", identity.Predict, withKey("eyJhbGciOiJub25lIn0.e30."), "unauthenticated"},
		{"expired", identity.Predict, withKey(expired), "unauthenticated"},
		{"other scope", identity.ExperimentsRead, withKey(key), "forbidden"},
		{"write includes read", identity.ExperimentsRead, withKey(writerKey), "editor"},
		{"admin is everything", identity.ModelsWrite, withKey(adminKey), "root"},
		{"one of two", identity.Predict | identity.ModelsRead, withKey(key), "ranking"},
		{"certificate that is nobody's", identity.Predict, identity.Credentials{Certificates: []string{"dns:x"}}, "unauthenticated"},
	} {
		if got := seen(a.Admit(time.Now(), c.need, c.credentials)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestAnonymous(t *testing.T) {
	file, keys := identitytest.OneEach(t)
	a := identitytest.Access(t, identity.Options{KeysFile: file, Anonymous: identity.Predict,
		AnonymousQuota: identity.Quota{RequestsPerSecond: 0.001, Burst: 2}})
	now := time.Now()
	for i, want := range []string{"nobody", "nobody", "quota"} {
		if got := seen(a.Admit(now, identity.Predict, identity.Credentials{Remote: here})); got != want {
			t.Errorf("request %d: got %s, want %s", i, got, want)
		}
	}
	for name, c := range map[string]struct {
		credentials identity.Credentials
		need        identity.Scopes
		want        string
	}{
		"another address":          {identity.Credentials{Remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}, identity.Predict, "nobody"},
		"who has a key":            {withKey(keys["predict"]), identity.Predict, "predict"},
		"a key of another scope":   {withKey(keys["metrics:read"]), identity.Predict, "metrics-read"},
		"a wrong key is no nobody": {withKey(keys["predict"][:20]), identity.Predict, "unauthenticated"},
		"what is not for all":      {identity.Credentials{Remote: here}, identity.ModelsRead, "unauthenticated"},
		"a stranger's certificate": {identity.Credentials{Certificates: []string{"dns:mesh"}, Remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}, identity.Predict, "nobody"},
	} {
		if got := seen(a.Admit(now, c.need, c.credentials)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	// One customer has a whole network of IPv6.
	six := func(last byte) identity.Credentials {
		ip := net.ParseIP("2001:db8::1")
		ip[15] = last
		return identity.Credentials{Remote: &net.TCPAddr{IP: ip}}
	}
	for i, want := range []string{"nobody", "nobody", "quota"} {
		if got := seen(a.Admit(now, identity.Predict, six(byte(i)))); got != want {
			t.Errorf("IPv6 address %d: got %s, want %s", i, got, want)
		}
	}
}

func TestQuotaIsTheCallersAndOutlivesAReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	const quota = "    quota: {requests_per_second: 0.001, burst: 2}\n"
	entry, key := identitytest.Entry("ranking", "predict", quota)
	_, second := identitytest.Entry("ranking", "predict", "")
	identitytest.Write(t, file, entry)
	a := identitytest.Access(t, identity.Options{KeysFile: file})
	now := time.Now()
	if got := seen(a.Admit(now, identity.Predict, withKey(key))); got != "ranking" {
		t.Fatal(got)
	}
	// Rotated: the same caller with another key, then without the first.
	next, second := identitytest.Entry("ranking", "predict", quota)
	identitytest.Write(t, file, next)
	watch(t, a)
	eventually(t, "the new key", func() bool { _, e := a.Check(now, identity.Predict, withKey(second)); return e == nil })
	if got := seen(a.Admit(now, identity.Predict, withKey(key))); got != "unauthenticated" {
		t.Errorf("the old key: %s", got)
	}
	if got := seen(a.Admit(now, identity.Predict, withKey(second))); got != "ranking" {
		t.Errorf("the second request: %s", got)
	}
	_, refusal := a.Admit(now, identity.Predict, withKey(second))
	if refusal == nil || refusal.Code != router.Quota || refusal.RetryAfter <= 0 {
		t.Errorf("a third request within a quota of two: %v", refusal)
	}
	if _, refusal := a.Admit(now.Add(1001*time.Second), identity.Predict, withKey(second)); refusal != nil {
		t.Errorf("after the time that one request takes: %v", refusal)
	}
}

// watch runs Watch for the length of a test.
func watch(t *testing.T, a *identity.Access) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { a.Watch(ctx, time.Millisecond) })
	t.Cleanup(func() { cancel(); done.Wait() })
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

func TestReloadUnderLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	entry, key := identitytest.Entry("always", "predict", "")
	identitytest.Write(t, file, entry)
	log := &routertest.LogBuffer{}
	reg := prometheus.NewRegistry()
	a, err := identity.New(identity.Options{KeysFile: file, Reloads: identitytest.Reloads(t),
		Log: slog.New(slog.NewTextHandler(log, nil))}, reg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() { a.Watch(ctx, time.Millisecond) })
	for range 2 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if got := seen(a.Admit(time.Now(), identity.Predict, withKey(key))); got != "always" {
					t.Errorf("during a reload: %s", got)
					return
				}
			}
		})
	}
	for i := range 30 {
		other, otherKey := identitytest.Entry("other", "predict", "")
		identitytest.Write(t, file+".new", entry, other)
		if i%3 == 0 { // and one that is refused whole
			if err := os.WriteFile(file, []byte("callers:\n  - nam: x\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other key", func() bool { _, e := a.Check(time.Now(), identity.Predict, withKey(otherKey)); return e == nil })
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"callers[0].nam", "keys.yaml:2", "no such file"} {
		eventually(t, "a line with "+want, func() bool { return strings.Contains(log.String(), want) })
	}
	cancel()
	workers.Wait()
}

func TestKeysFileIsRefusedWithEveryProblem(t *testing.T) {
	text := `callers:
  - name: a b
    scopes: [predikt]
    quota: {burst: 3}
    keys:
      - id: x
        sha256: hp_this_is_a_key_by_mistake
  - name: twice
    scopes: []
    certificates: ["dns:x", "cn=x"]
  - name: twice
    scopes: [admin]
    quota: {requests_per_second: -1}
    certificates: ["dns:x"]
`
	_, err := identity.Parse("keys.yaml", []byte(text))
	var problems strictyaml.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`keys.yaml:2:11: callers[0].name: `, `keys.yaml:3:5: callers[0].scopes: there is no scope "predikt"; did you mean predict?`,
		`callers[0].quota.burst: is without`, `callers[0].keys[0].id: is not 10 letters`, `callers[0].keys[0].sha256: is not 64`,
		`callers[1].scopes: is empty`, `callers[1].certificates[1]: "cn=x" is not dns:NAME`, `callers[2].name: "twice" is there twice`,
		`callers[2].quota.requests_per_second: is outside`, `callers[2].certificates[0]: "dns:x" is already twice's`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the problems lack %q", want)
		}
	}
	if strings.Contains(err.Error(), "hp_this") {
		t.Errorf("a key that was put there by mistake is shown: %v", err)
	}
	if t.Failed() {
		t.Log(err)
	}
}
