package config

import (
	"strings"
	"testing"
)

func TestAdminPortIsNotOpenedByMistake(t *testing.T) {
	for address, loopback := range map[string]bool{
		"127.0.0.1:9090": true, "localhost:9090": true, "[::1]:9090": true, "127.8.8.8:0": true,
		":9090": false, "0.0.0.0:9090": false, "[::]:9090": false, "10.0.0.1:9090": false, "admin.example:9090": false, "[::ffff:10.0.0.1]:9090": false,
	} {
		for name, c := range map[string]struct {
			change func(*Config)
			opens  bool
		}{
			"nothing else":   {func(*Config) {}, false},
			"keys":           {func(c *Config) { c.Auth.KeysFile = "keys.yaml" }, true},
			"an issuer":      {func(c *Config) { c.Auth.JWT.JWKSFile, c.Auth.JWT.Issuer, c.Auth.JWT.Audience = "j", "i", "a" }, true},
			"said to be so":  {func(c *Config) { c.Server.AdminInsecure = true }, true},
			"a limit is not": {func(c *Config) { c.Auth.AnonymousRequestsPerSecond = 1 }, false},
		} {
			all := Default()
			all.Server.AdminListen = address
			c.change(all)
			ps := all.Validate()
			if want := loopback || c.opens; (len(ps) == 0) != want {
				t.Errorf("%s, %s: %v", address, name, ps)
			}
			for _, p := range ps {
				if p.Path != "server.admin_listen" || !strings.Contains(p.Message, "auth.keys_file") || !strings.Contains(p.Message, "127.0.0.1:9090") {
					t.Errorf("%s, %s: %s", address, name, p)
				}
			}
		}
	}
}

func TestAuthIsChecked(t *testing.T) {
	jwt := func(c *Config) {
		c.Auth.JWT.JWKSURL, c.Auth.JWT.Issuer, c.Auth.JWT.Audience = "https://issuer/keys", "https://issuer", "hotpath"
	}
	for want, change := range map[string]func(*Config){
		`auth.anonymous: there is no scope "predct"; did you mean predict?`:          func(c *Config) { c.Auth.KeysFile, c.Auth.Anonymous = "k", []string{"predct"} },
		`auth.anonymous: is set, and nobody has to say who they are`:                 func(c *Config) { c.Auth.Anonymous = []string{"predict"} },
		`auth.anonymous_burst: is without anonymous_requests_per_second`:             func(c *Config) { c.Auth.AnonymousBurst = 3 },
		`auth.jwt.jwks_url: is set together with jwks_file; remove one of them`:      func(c *Config) { jwt(c); c.Auth.JWT.JWKSFile = "f" },
		`auth.jwt.jwks_url: "http://issuer/keys" is neither an https address nor an`: func(c *Config) { jwt(c); c.Auth.JWT.JWKSURL = "http://issuer/keys" },
		`auth.jwt.jwks_url: "issuer/keys" is neither an https address nor an`:        func(c *Config) { jwt(c); c.Auth.JWT.JWKSURL = "issuer/keys" },
		`auth.jwt.jwks_ca_file: is for jwks_url, which is empty`:                     func(c *Config) { c.Auth.JWT.JWKSCAFile = "f" },
		`auth.jwt.issuer: is empty`:                                                  func(c *Config) { jwt(c); c.Auth.JWT.Issuer = "" },
		`auth.jwt.audience: is empty`:                                                func(c *Config) { jwt(c); c.Auth.JWT.Audience = "" },
		`auth.jwt.algorithms: is empty`:                                              func(c *Config) { jwt(c); c.Auth.JWT.Algorithms = nil },
		`auth.jwt.algorithms: "HS256" is none of RS256`:                              func(c *Config) { jwt(c); c.Auth.JWT.Algorithms = []string{"HS256"} },
		`auth.jwt.algorithms: "none" is none of RS256`:                               func(c *Config) { jwt(c); c.Auth.JWT.Algorithms = []string{"none"} },
		`auth.jwt.scope_claim: is empty`:                                             func(c *Config) { jwt(c); c.Auth.JWT.ScopeClaim = "" },
		`auth.jwt.burst: is without requests_per_second`:                             func(c *Config) { c.Auth.JWT.Burst = 3 },
		`server.tls.key_file: is empty`:                                              func(c *Config) { c.Server.TLS.CertFile = "c" },
		`server.tls.cert_file: is empty`:                                             func(c *Config) { c.Server.TLS.KeyFile = "k" },
		`server.tls.min_version: "1.1" is not one of 1.2, 1.3`:                       func(c *Config) { c.Server.TLS.MinVersion = "1.1" },
		`server.tls.client_ca_file: is without cert_file`:                            func(c *Config) { c.Auth.KeysFile, c.Server.TLS.ClientCAFile = "k", "ca" },
		`server.tls.client_ca_file: needs auth.keys_file`: func(c *Config) {
			c.Server.TLS = ServerTLS{CertFile: "c", KeyFile: "k", ClientCAFile: "ca", MinVersion: "1.2"}
		},
	} {
		c := Default()
		change(c)
		if ps := c.Validate(); len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) {
			t.Errorf("got %v\nwant %s", ps, want)
		}
	}
	c := Default()
	jwt(c)
	c.Auth.JWT.JWKSURL = "http://127.0.0.1:1/keys"
	if ps := c.Validate(); len(ps) > 0 {
		t.Errorf("an issuer on loopback: %v", ps)
	}
}
