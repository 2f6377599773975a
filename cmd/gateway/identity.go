package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/router/identity"
	"hotpath/router/identity/certs"
	"hotpath/router/identity/reload"
	"hotpath/router/identity/token"
)

// callers is who may do what, and how the ports are secured. Its zero is a gateway
// where everybody may do everything, in the clear.
type callers struct {
	access       *identity.Access
	tokens       *token.Verifier
	certificates *certs.Certificates
	// forced says that callers have to say who they are; where they need not, access is
	// there for the quota of addresses alone.
	forced bool
}

// openCallers reads the keys and certificates. What is wrong with them is an error: a
// gateway that is to ask who calls must not begin without.
func (g *gateway) openCallers(ctx context.Context, _ openOptions) error {
	reloads, err := reload.NewGauge(g.reg)
	if err != nil {
		return err
	}
	if t := g.config.Server.TLS; t.CertFile != "" {
		g.callers.certificates, err = certs.Open(certs.Options{CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile,
			MinVersion: tlsVersion(t.MinVersion), Reloads: reloads, Log: g.log.Logger})
		if err != nil {
			return fmt.Errorf("server.tls: %w", err)
		}
	}
	a := g.config.Auth
	if a.HasJWT() {
		o := tokenOptions(a.JWT)
		o.Reloads, o.Log = reloads, g.log.Logger
		if g.callers.tokens, err = token.New(ctx, o); err != nil {
			return fmt.Errorf("auth.jwt: %w", err)
		}
	}
	g.callers.forced = a.Enabled()
	if !g.callers.forced && a.AnonymousRequestsPerSecond == 0 {
		return nil
	}
	o := accessOptions(a)
	if g.callers.tokens != nil {
		o.Tokens = g.callers.tokens
	}
	o.Reloads, o.Log = reloads, g.log.Logger
	if g.callers.access, err = identity.New(o, g.reg); err != nil {
		return fmt.Errorf("auth.keys_file: %w", err)
	}
	return nil
}

func tlsVersion(name string) uint16 {
	if name == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func tokenOptions(j config.JWT) token.Options {
	return token.Options{KeysFile: j.JWKSFile, KeysURL: j.JWKSURL, CAFile: j.JWKSCAFile, Refresh: j.Refresh,
		Issuer: j.Issuer, Audience: j.Audience, Algorithms: j.Algorithms, Leeway: j.Leeway, ScopeClaim: j.ScopeClaim, Entries: j.Entries,
		Quota: identity.Quota{RequestsPerSecond: j.RequestsPerSecond, Burst: j.Burst}}
}

func accessOptions(a config.Auth) identity.Options {
	o := identity.Options{KeysFile: a.KeysFile, Anonymous: identity.Everything,
		AnonymousQuota: identity.Quota{RequestsPerSecond: a.AnonymousRequestsPerSecond, Burst: a.AnonymousBurst}}
	if a.Enabled() {
		// The names were checked with the configuration.
		o.Anonymous = identity.KnownScopes(a.Anonymous)
	}
	return o
}

// ofAdmin is who may use the admin port. Addresses have no quota there where nobody has
// to say who they are: it is the operator's.
func (c *callers) ofAdmin() *identity.Access {
	if !c.forced {
		return nil
	}
	return c.access
}

// http and grpc are how connections are secured; nil: they are not.
func (c *callers) http() *tls.Config {
	if c.certificates == nil {
		return nil
	}
	return c.certificates.HTTP()
}

func (c *callers) grpc() *tls.Config {
	if c.certificates == nil {
		return nil
	}
	return c.certificates.GRPC()
}

// watchCallers keeps to the content of the files until the context ends.
func (g *gateway) watchCallers(ctx context.Context) {
	every, c := g.config.Auth.ReloadInterval, g.callers
	var watching sync.WaitGroup
	if c.access != nil {
		watching.Go(func() { c.access.Watch(ctx, every) })
	}
	if c.tokens != nil {
		watching.Go(func() { c.tokens.Watch(ctx, every) })
	}
	if c.certificates != nil {
		watching.Go(func() { c.certificates.Watch(ctx, every) })
	}
	watching.Wait()
}

// warnOfOpenPorts says what an operator may not have meant.
func (g *gateway) warnOfOpenPorts() {
	if g.config.Server.AdminInsecure && !g.callers.forced {
		g.log.Warn("whoever can reach the admin port may do everything (server.admin_insecure)", "admin", g.adminLn.Addr().String())
	}
	if g.callers.forced && g.callers.certificates == nil {
		g.log.Warn("keys and tokens come in the clear: set server.tls, unless something in front of the ports ends TLS")
	}
}
