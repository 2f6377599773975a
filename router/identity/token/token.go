// Package token verifies JSON Web Tokens. It is the one place that names
// go-jose/go-jose, which does both the tokens and the sets of keys, has no
// dependencies of its own, and takes no algorithm that it was not told to take.
//
// A token is verified once: who it is for is then kept under the token's SHA-256, in
// a bounded number, until it expires or the keys change. So that requests pay for a
// hash and not for RSA.
package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/prometheus/client_golang/prometheus"

	"hotpath/router/identity"
	"hotpath/router/identity/reload"
)

// Options of a Verifier.
type Options struct {
	// KeysFile or KeysURL is where the issuer's public keys are, as a JSON Web Key Set.
	KeysFile, KeysURL string
	// CAFile holds the authorities of the URL's server; empty: the system's.
	CAFile string
	// Refresh is how often the URL is asked. It is asked earlier, but not more often
	// than every ten seconds, when a token names a key that is not known.
	Refresh time.Duration
	// Issuer and Audience are what a token must say.
	Issuer, Audience string
	// Algorithms that a token may be signed by.
	Algorithms []string
	// Leeway is how far the clocks may differ.
	Leeway time.Duration
	// ScopeClaim is the claim with the scopes: words in a text, or a list.
	ScopeClaim string
	// Quota is that of each subject.
	Quota identity.Quota
	// Entries is how many tokens are remembered.
	Entries int
	Reloads *prometheus.GaugeVec
	Log     *slog.Logger
}

// Algorithms lists what a token may be signed by: signatures with a private key. One
// with a shared secret would make everybody who can verify one who can sign.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// maxToken and maxSubject bound a token and the name in it, in bytes.
const (
	maxToken   = 16 << 10
	maxSubject = 120
)

// Verifier says who a token is for.
type Verifier struct {
	o          Options
	algorithms []jose.SignatureAlgorithm
	quotas     *identity.Quotas[string]
	keys       atomic.Pointer[keys]
	file       *reload.Files // nil: from the URL
	url        *source       // nil: from the file
}

// New reads the file, or asks the URL. A URL that does not answer is no error: there
// are no tokens until it does.
func New(ctx context.Context, o Options) (*Verifier, error) {
	v := &Verifier{o: o}
	for _, a := range o.Algorithms {
		v.algorithms = append(v.algorithms, jose.SignatureAlgorithm(a))
	}
	if key, message := o.Quota.Problem(); message != "" {
		return nil, fmt.Errorf("auth.jwt.%s %s", key, message)
	}
	if o.Quota.RequestsPerSecond > 0 {
		v.quotas = identity.NewQuotas[string](o.Quota, o.Entries)
	}
	v.keys.Store(&keys{verified: newCache(o.Entries)})
	if o.KeysFile != "" {
		v.file = &reload.Files{What: "token keys", Names: []string{o.KeysFile}, MaxBytes: maxKeySet, Log: o.Log,
			Apply: func(contents [][]byte) error {
				if err := v.use(contents[0]); err != nil {
					return fmt.Errorf("%s: %w", o.KeysFile, err)
				}
				return nil
			}}
		return v, v.file.Open(o.Reloads)
	}
	var err error
	if v.url, err = newSource(o); err != nil {
		return nil, err
	}
	v.url.refresh(ctx, v.use)
	return v, nil
}

// Watch keeps to the issuer's keys until the context ends. every is for the file.
func (v *Verifier) Watch(ctx context.Context, every time.Duration) {
	if v.file != nil {
		v.file.Watch(ctx, every)
		return
	}
	v.url.watch(ctx, v.use)
}

// use takes a set of keys in use, with nothing verified by it yet. One that is in use
// stays as it is.
func (v *Verifier) use(data []byte) error {
	if sha256.Sum256(data) == v.keys.Load().digest {
		return nil
	}
	next, err := parseKeys(data, v.o.Entries)
	if err == nil {
		v.keys.Store(next)
	}
	return err
}

// Verify gives the caller of a token.
func (v *Verifier) Verify(token []byte, now time.Time) (*identity.Caller, error) {
	if len(token) > maxToken {
		return nil, errTooLong
	}
	k := v.keys.Load()
	sum := sha256.Sum256(token)
	if known, ok := k.verified.get(sum); ok {
		if now.Unix() >= known.until {
			return nil, identity.ErrTokenExpired
		}
		return known.caller, nil
	}
	c, until, err := v.verify(k, string(token), now)
	if err != nil {
		return nil, err
	}
	k.verified.put(sum, verified{c, until}, now.Unix())
	return c, nil
}

var (
	errTooLong   = fmt.Errorf("the token is longer than %d bytes", maxToken)
	errNoExpiry  = errors.New("the token has no claim exp: one that never ends is not taken")
	errNoSubject = fmt.Errorf("the token's claim sub is missing or longer than %d bytes", maxSubject)
	errKeyUse    = errors.New("the key that the token names is not for this algorithm")
)

// verify checks the signature and what is signed. until is when the token ends, in
// seconds since 1970.
func (v *Verifier) verify(k *keys, text string, now time.Time) (c *identity.Caller, until int64, err error) {
	t, err := jwt.ParseSigned(text, v.algorithms)
	if err != nil {
		return nil, 0, err
	}
	key, known := k.byID[t.Headers[0].KeyID]
	if !known {
		if v.url != nil {
			v.url.askFor()
		}
		return nil, 0, jose.ErrJWKSKidNotFound
	}
	if key.Algorithm != "" && key.Algorithm != t.Headers[0].Algorithm {
		return nil, 0, errKeyUse
	}
	var claims jwt.Claims
	more := map[string]any{}
	if err := t.Claims(key.Key, &claims, &more); err != nil {
		return nil, 0, err
	}
	err = claims.ValidateWithLeeway(jwt.Expected{Issuer: v.o.Issuer, AnyAudience: jwt.Audience{v.o.Audience}, Time: now}, v.o.Leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return nil, 0, identity.ErrTokenExpired
	case err != nil:
		return nil, 0, err
	case claims.Expiry == nil:
		return nil, 0, errNoExpiry
	case claims.Subject == "" || len(claims.Subject) > maxSubject:
		return nil, 0, errNoSubject
	}
	scopes := identity.KnownScopes(words(more[v.o.ScopeClaim]))
	return identity.NewCaller("jwt:"+printable(claims.Subject), scopes, v.o.Quota, v.quotas),
		claims.Expiry.Time().Add(v.o.Leeway).Unix(), nil
}

// words are those of a claim: of a text, or a list of texts.
func words(claim any) (all []string) {
	switch c := claim.(type) {
	case string:
		return strings.Fields(c)
	case []any:
		for _, one := range c {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
	}
	return all
}

// printable keeps a name from spoiling a log or a terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x2028 && r <= 0x202e {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
}
