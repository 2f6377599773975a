package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/models/strictyaml"
	"hotpath/router"
	"hotpath/router/identity/reload"
)

// Credentials are what a request has to show. The slices are only read.
type Credentials struct {
	// Authorization and APIKey are the headers Authorization and X-API-Key.
	Authorization, APIKey []byte
	// Certificates are the CertificateNames of the connection.
	Certificates []string
	// Remote is the other end of the connection, for the quota of who has no name.
	Remote net.Addr
}

// Tokens verifies what an issuer has signed.
type Tokens interface {
	Verify(token []byte, now time.Time) (*Caller, error)
}

// Options of an Access.
type Options struct {
	// KeysFile names the keys file; empty: there is none.
	KeysFile string
	// Tokens verifies tokens that are no API keys; nil: none are taken.
	Tokens Tokens
	// Anonymous is what needs no caller.
	Anonymous Scopes
	// AnonymousQuota is that of each remote address without a caller.
	AnonymousQuota Quota
	// Reloads is reload.NewGauge's.
	Reloads *prometheus.GaugeVec
	Log     *slog.Logger
}

// anonymousAddresses bounds the addresses whose quotas are kept apart.
const anonymousAddresses = 64 << 10

// Access decides who may do what. Its methods may be called at once.
type Access struct {
	tokens    Tokens
	anonymous Scopes
	ring      atomic.Pointer[keyring]
	file      *reload.Files // nil: no keys file
	// byAddress is nil where addresses have no quota.
	byAddress *Quotas[netip.Addr]
	refused   [numReasons]prometheus.Counter
}

// New reads the keys file.
func New(o Options, reg prometheus.Registerer) (*Access, error) {
	a := &Access{tokens: o.Tokens, anonymous: o.Anonymous}
	a.ring.Store(&keyring{})
	if key, message := o.AnonymousQuota.Problem(); message != "" {
		return nil, fmt.Errorf("auth.anonymous_%s %s", key, message)
	}
	if o.AnonymousQuota.RequestsPerSecond > 0 {
		a.byAddress = NewQuotas[netip.Addr](o.AnonymousQuota, anonymousAddresses)
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_identity_refused_total",
		Help: "Requests refused for who they come from, on all ports, by reason."}, []string{"reason"})
	if err := reg.Register(refused); err != nil {
		return nil, err
	}
	for r, name := range reasonNames {
		a.refused[r] = refused.WithLabelValues(name)
	}
	if o.KeysFile == "" {
		return a, nil
	}
	a.file = &reload.Files{What: "keys", Names: []string{o.KeysFile}, MaxBytes: strictyaml.MaxBytes, Log: o.Log,
		Apply: func(contents [][]byte) error { return a.apply(o.KeysFile, contents[0]) }}
	return a, a.file.Open(o.Reloads)
}

func (a *Access) apply(name string, data []byte) error {
	_, ring, err := parse(name, data)
	if err != nil {
		return err
	}
	ring.succeed(a.ring.Load())
	a.ring.Store(ring)
	return nil
}

// Watch keeps to the content of the keys file until the context ends.
func (a *Access) Watch(ctx context.Context, every time.Duration) {
	if a.file != nil {
		a.file.Watch(ctx, every)
	}
}

// The reasons of refusals, for metrics.
const (
	reasonNone = iota // no credentials
	reasonBad         // credentials that prove nothing
	reasonExpired
	reasonScope
	reasonQuota
	numReasons
)

var reasonNames = [numReasons]string{"no_credentials", "bad_credentials", "expired", "scope", "quota"}

// The refusals. None repeats what was sent.
var (
	errNone = &router.Error{Code: router.Unauthenticated,
		Message: "who asks? send an API key as Authorization: Bearer hp_... or X-API-Key: hp_..., or what else this gateway takes (docs/security.md)"}
	errKey      = &router.Error{Code: router.Unauthenticated, Message: "there is no such API key; it may be revoked, or mistyped"}
	errExpired  = &router.Error{Code: router.Unauthenticated, Message: "the API key has expired"}
	errScheme   = &router.Error{Code: router.Unauthenticated, Message: "the header Authorization is not Bearer and one token"}
	errNoTokens = &router.Error{Code: router.Unauthenticated, Message: "the token is no API key, and no issuer of other tokens is configured (auth.jwt)"}
	errBoth     = &router.Error{Code: router.Unauthenticated, Message: "there are a header Authorization and a header X-API-Key; send one of them"}
	errToken    = &router.Error{Code: router.Unauthenticated, Message: "the token is not valid, or no longer"}
	errUnmapped = &router.Error{Code: router.Unauthenticated, Message: "no caller of the keys file has one of the names in the client certificate"}
)

// ErrTokenExpired is what Tokens gives for a token that was good once.
var ErrTokenExpired = errors.New("the token has expired")

var errTokenExpired = &router.Error{Code: router.Unauthenticated, Message: "the token has expired"}

// Challenge is the header WWW-Authenticate of an answer to who has not said who they
// are.
const Challenge = `Bearer realm="hotpath"`

// Admit finds out who asks, whether they may, and whether they may already again.
// Without a name the caller is nil. With a refusal it is who was refused, where that
// was found out.
func (a *Access) Admit(now time.Time, need Scopes, c Credentials) (*Caller, *router.Error) {
	caller, refusal := a.Check(now, need, c)
	if refusal != nil || need == Public {
		return caller, refusal
	}
	return caller, a.Take(now, caller, c.Remote)
}

// Check is Admit for what does not count as a request.
func (a *Access) Check(now time.Time, need Scopes, c Credentials) (*Caller, *router.Error) {
	if need == Public || a.anonymous == Everything { // what is sent to others in front of us is not ours to refuse
		return nil, nil
	}
	caller, refusal := a.identify(now, c)
	if refusal == nil {
		refusal = a.allow(caller, need, len(c.Certificates) > 0)
	}
	return caller, refusal
}

// Take counts one more request of a caller, or of an address where the caller is nil.
func (a *Access) Take(now time.Time, c *Caller, remote net.Addr) *router.Error {
	wait := c.Take(now)
	if c == nil && a.byAddress != nil {
		wait = a.byAddress.at(address(remote), now).take(now)
	}
	if wait == 0 {
		return nil
	}
	a.refused[reasonQuota].Inc()
	return &router.Error{Code: router.Quota, RetryAfter: wait, Message: "the caller's quota of requests is used up"}
}

// identify finds the caller; nil for one without any credentials.
func (a *Access) identify(now time.Time, c Credentials) (*Caller, *router.Error) {
	token := c.APIKey
	switch {
	case len(c.Authorization) > 0 && len(token) > 0:
		return a.unknown(errBoth)
	case len(c.Authorization) > 0:
		var ok bool
		if token, ok = bearer(c.Authorization); !ok {
			return a.unknown(errScheme)
		}
	case len(token) == 0:
		return a.byCertificate(c.Certificates)
	}
	if IsKey(token) || len(c.APIKey) > 0 {
		return a.byKey(now, token)
	}
	if a.tokens == nil {
		return a.unknown(errNoTokens)
	}
	caller, err := a.tokens.Verify(token, now)
	switch {
	case err == nil:
		return caller, nil
	case errors.Is(err, ErrTokenExpired):
		a.refused[reasonExpired].Inc()
		return nil, errTokenExpired
	}
	return a.unknown(errToken)
}

func (a *Access) unknown(e *router.Error) (*Caller, *router.Error) {
	a.refused[reasonBad].Inc()
	return nil, e
}

// byKey finds the caller of an API key.
func (a *Access) byKey(now time.Time, text []byte) (*Caller, *router.Error) {
	id, secret, ok := splitKey(text)
	if !ok {
		return a.unknown(errKey)
	}
	sum := sha256.Sum256(secret)
	k := a.ring.Load().keys[string(id)]
	if k == nil || subtle.ConstantTimeCompare(sum[:], k.hash[:]) == 0 {
		return a.unknown(errKey)
	}
	if k.expires != 0 && now.Unix() >= k.expires {
		a.refused[reasonExpired].Inc()
		return nil, errExpired
	}
	return k.caller, nil
}

// byCertificate finds the caller of a client certificate, if there is one. A
// certificate that is nobody's is none: a mesh gives one to everybody.
func (a *Access) byCertificate(names []string) (*Caller, *router.Error) {
	for _, name := range names {
		if c := a.ring.Load().certificates[name]; c != nil {
			return c, nil
		}
	}
	return nil, nil
}

// allow checks what the caller may do.
func (a *Access) allow(c *Caller, need Scopes, certified bool) *router.Error {
	switch {
	case a.anonymous.Allow(need):
		return nil
	case c == nil && certified:
		a.refused[reasonBad].Inc()
		return errUnmapped
	case c == nil:
		a.refused[reasonNone].Inc()
		return errNone
	case c.Scopes.Allow(need):
		return nil
	}
	a.refused[reasonScope].Inc()
	return &router.Error{Code: router.Forbidden, Message: c.Name + " may not do this: it needs the scope " + need.String()}
}

// address is what a quota goes by. An IPv6 network of 64 bits is one customer's.
func address(remote net.Addr) netip.Addr {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap()
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return addr
}
