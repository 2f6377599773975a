package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer signs tokens and serves its keys.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	set    jose.JSONWebKeySet
	status atomic.Int32
	asked  atomic.Int32
}

func newIssuer(t testing.TB) *issuer {
	i := &issuer{}
	i.status.Store(http.StatusOK)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		w.WriteHeader(int(i.status.Load()))
		_, _ = w.Write(i.jwks(t))
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) jwks(t testing.TB) []byte {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	data, err := json.Marshal(i.set)
	if err != nil {
		t.Error(err)
	}
	return data
}

// publish makes the set of keys.
func (i *issuer) publish(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set.Keys = keys
}

func public(id string, key any) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"}
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a token; claims are over good ones, and a nil one removes.
func sign(t testing.TB, alg jose.SignatureAlgorithm, id string, key any, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": "https://issuer", "aud": []string{"hotpath", "other"}, "sub": "alice",
		"exp": time.Now().Add(time.Hour).Unix(), "scope": "openid predict models:read"}
	for name, v := range claims {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(all).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
