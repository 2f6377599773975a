package admin

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"hotpath/router/identity"
)

// protect sets the headers that keep a browser from doing with an answer what it is
// not for. There are none for other origins: nothing here is for a page of theirs.
func protect(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	// The list of profiles has its style within.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
}

// endpoints is the port's mux, which knows what each of its endpoints needs.
type endpoints struct {
	*http.ServeMux
	table identity.Needs
	needs map[string]identity.Scopes // by pattern
}

func newEndpoints() *endpoints {
	return &endpoints{http.NewServeMux(), identity.NeedsOf(identity.AdminPort), map[string]identity.Scopes{}}
}

// Handle adds an endpoint.
func (e *endpoints) Handle(pattern string, h http.Handler) {
	e.needs[pattern] = e.table.Of(pattern)
	e.ServeMux.Handle(pattern, h)
}

// HandleFunc adds an endpoint.
func (e *endpoints) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	e.Handle(pattern, http.HandlerFunc(f))
}

// admit finds out who asks for an endpoint, and whether they may. The request that it
// gives knows its caller, also where that was refused.
func (h *handler) admit(r *http.Request, pattern string) (*http.Request, error) {
	if h.o.Access == nil {
		return r, nil
	}
	caller, refusal := h.o.Access.Admit(time.Now(), h.mux.needs[pattern], credentials(r))
	if caller != nil {
		r = r.WithContext(identity.With(r.Context(), caller))
	}
	if refusal != nil {
		return r, &failure{status: refusal.Code.Status(), code: refusal.Code.String(), err: errors.New(refusal.Message), retry: refusal.RetryAfter}
	}
	return r, nil
}

// credentials are what a request has to show.
func credentials(r *http.Request) identity.Credentials {
	c := identity.Credentials{Authorization: []byte(r.Header.Get("Authorization")), APIKey: []byte(r.Header.Get("X-API-Key"))}
	if r.TLS != nil {
		c.Certificates = identity.CertificateNames(r.TLS.VerifiedChains)
	}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.Remote = net.TCPAddrFromAddrPort(addr)
	}
	return c
}

// callerOf is the name of who asks; empty where nobody has to say.
func callerOf(r *http.Request) string {
	if c := identity.Of(r.Context()); c != nil {
		return c.Name
	}
	return ""
}

// setRefusalHeaders says what a client may do about a refusal.
func setRefusalHeaders(header http.Header, f *failure) {
	switch f.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", identity.Challenge)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		header.Set("Retry-After", strconv.Itoa(max(int((f.retry+time.Second-1)/time.Second), 1)))
	}
}
