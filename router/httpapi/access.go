package httpapi

import (
	"crypto/tls"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/identity"
)

// access is who may use which endpoint.
type access struct {
	*identity.Access
	needs identity.Needs
	// certificates says that clients may show one.
	certificates bool
	// routes are the needs of routes whose endpoints all need the same.
	routes [numRoutes]identity.Scopes
}

// newAccess takes the needs out of the table of the port; nil where everybody may do
// everything.
func newAccess(a *identity.Access, certificates bool) *access {
	if a == nil {
		return nil
	}
	own := &access{Access: a, needs: identity.NeedsOf(identity.TrafficPort), certificates: certificates}
	for r := range numRoutes {
		own.routes[r] = identity.Admin
	}
	own.routes[routeOther] = identity.Public // there is nothing
	for name, need := range own.needs {
		_, path := methodAndPath(name)
		if r := routeOf([]byte(path)); r != routeV1 && r != routeV2 {
			own.routes[r] = need
		}
	}
	return own
}

// methodAndPath takes the name of an endpoint apart.
func methodAndPath(name string) (method, path string) {
	for i := range name {
		if name[i] == ' ' {
			return name[:i], name[i+1:]
		}
	}
	return "", name
}

// need is what a request needs.
func (a *access) need(ctx *fasthttp.RequestCtx, r route) identity.Scopes {
	switch r {
	case routeV2:
		return a.needOf(ctx, v2Endpoints)
	case routeV1:
		return a.needOf(ctx, v1Endpoints)
	}
	return a.routes[r]
}

// needOf looks a request's endpoint up. Where there is none, whoever may do anything is
// told so.
func (a *access) needOf(ctx *fasthttp.RequestCtx, all []endpoint) identity.Scopes {
	e, _, _ := find(ctx, all)
	if e == nil {
		return identity.Everything
	}
	return a.needs.Of(e.method + " " + e.path)
}

// admit refuses who may not use an endpoint, before its body is looked at.
func (h *Handler) admit(ctx *fasthttp.RequestCtx, r route, now time.Time) *router.Error {
	if h.access == nil {
		return nil
	}
	_, refusal := h.access.Admit(now, h.access.need(ctx, r), credentials(ctx))
	return refusal
}

// announce is admit for a body that is announced: the request itself is still to come
// and to be counted.
func (h *Handler) announce(ctx *fasthttp.RequestCtx) *router.Error {
	if h.access == nil {
		return nil
	}
	_, refusal := h.access.Check(time.Now(), h.access.need(ctx, routeOf(ctx.Path())), credentials(ctx))
	return refusal
}

// stranger is the refusal of a request of which there is the header alone, if that is
// enough to tell: the endpoints of the routes with large bodies all need the same.
func (h *Handler) stranger(header *fasthttp.RequestHeader, r route) *router.Error {
	if h.access == nil || r == routeV1 || r == routeV2 {
		return nil
	}
	c := identity.Credentials{Authorization: header.Peek(fasthttp.HeaderAuthorization), APIKey: header.Peek("X-Api-Key")}
	if h.access.certificates && len(c.Authorization)+len(c.APIKey) == 0 {
		return nil
	}
	_, refusal := h.access.Check(time.Now(), h.access.routes[r], c)
	return refusal
}

// credentials are what a request has to show.
func credentials(ctx *fasthttp.RequestCtx) identity.Credentials {
	header := &ctx.Request.Header
	c := identity.Credentials{Authorization: header.Peek(fasthttp.HeaderAuthorization), APIKey: header.Peek("X-Api-Key"), Remote: ctx.RemoteAddr()}
	if conn, ok := ctx.Conn().(*trafficConn); ok {
		c.Certificates = conn.certificateNames()
	}
	return c
}

// certificateNames are those of the client's certificate. It is for the connection's
// goroutine, behind the handshake.
func (c *trafficConn) certificateNames() []string {
	secure, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if !c.named {
		c.names, c.named = identity.CertificateNames(secure.ConnectionState().VerifiedChains), true
	}
	return c.names
}

// setErrorHeaders says what a client may do about a refusal.
func setErrorHeaders(ctx *fasthttp.RequestCtx, e *router.Error) {
	switch e.Code.Status() {
	case fasthttp.StatusUnauthorized:
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, identity.Challenge)
	case fasthttp.StatusServiceUnavailable, fasthttp.StatusTooManyRequests:
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(retrySeconds(e.RetryAfter)))
	}
}
