package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"hotpath/router/identity"
	"hotpath/router/identity/token"
)

// Auth configures who may do what. It is on when there is a keys file or an issuer.
type Auth struct {
	KeysFile                   string        `yaml:"keys_file" format:"file" doc:"Path of the keys file: callers with their API keys and certificates; empty: none."`
	ReloadInterval             time.Duration `yaml:"reload_interval" min:"10ms" max:"1h" doc:"How often the keys file, the keys of tokens in a file and the certificates of the ports are looked at for changes, as a duration; a new content counts when it is seen twice."`
	Anonymous                  []string      `yaml:"anonymous" doc:"Scopes that need no caller, as predict; empty: everything but health needs one."`
	AnonymousRequestsPerSecond float64       `yaml:"anonymous_requests_per_second" min:"0" max:"1000000" doc:"Requests a second that one remote address may make without a caller, on average, over all ports; 0: no bound."`
	AnonymousBurst             int           `yaml:"anonymous_burst" min:"0" max:"1000000" doc:"Requests that such an address may make at once; 0: those of a second."`
	// JWT is last: a section within a section ends its table in the documentation.
	JWT JWT `yaml:"jwt" doc:"Tokens that an issuer has signed."`
}

// JWT configures tokens.
type JWT struct {
	JWKSFile          string        `yaml:"jwks_file" format:"file" doc:"Path of the issuer's public keys, a JSON Web Key Set; read again when it changes."`
	JWKSURL           string        `yaml:"jwks_url" doc:"Address of the issuer's public keys, instead of a file; https, or http on loopback."`
	JWKSCAFile        string        `yaml:"jwks_ca_file" format:"file" doc:"Path of a PEM file with the authorities of that address; empty: the system's."`
	Refresh           time.Duration `yaml:"refresh" min:"1s" max:"24h" doc:"How often the address is asked, as a duration; earlier, but not more often than every 10 s, when a token names an unknown key; while it does not answer, the keys stay as they are."`
	Issuer            string        `yaml:"issuer" doc:"The iss that a token must have."`
	Audience          string        `yaml:"audience" doc:"The aud that a token must have, or one of which it must have."`
	Algorithms        []string      `yaml:"algorithms" doc:"How tokens may be signed: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA."`
	Leeway            time.Duration `yaml:"leeway" min:"0s" max:"5m" doc:"How far the issuer's clock may differ from ours, as a duration."`
	ScopeClaim        string        `yaml:"scope_claim" doc:"The claim with the scopes: words in a text, or a list."`
	RequestsPerSecond float64       `yaml:"requests_per_second" min:"0" max:"1000000" doc:"Requests a second of each subject, on average; 0: no bound."`
	Burst             int           `yaml:"burst" min:"0" max:"1000000" doc:"Requests that a subject may make at once; 0: those of a second."`
	Entries           int           `yaml:"entries" min:"64" max:"1000000" doc:"Tokens remembered once they are verified."`
}

// ServerTLS configures the certificates of the ports.
type ServerTLS struct {
	CertFile     string `yaml:"cert_file" format:"file" doc:"Path of the certificate in PEM form, with those that lead to its authority; empty: the ports are in the clear."`
	KeyFile      string `yaml:"key_file" format:"file" doc:"Path of its private key in PEM form."`
	ClientCAFile string `yaml:"client_ca_file" format:"file" doc:"Path of the authorities of client certificates in PEM form: clients may bring one, and the keys file says whose it is; empty: none are asked for."`
	MinVersion   string `yaml:"min_version" enum:"1.2,1.3" doc:"Lowest version of TLS."`
}

// HasJWT says whether an issuer is configured.
func (a *Auth) HasJWT() bool { return a.JWT.JWKSFile != "" || a.JWT.JWKSURL != "" }

// Enabled says whether callers have to say who they are.
func (a *Auth) Enabled() bool { return a.KeysFile != "" || a.HasJWT() }

func defaultAuth() Auth {
	return Auth{
		ReloadInterval: time.Second, Anonymous: []string{},
		JWT: JWT{Refresh: 5 * time.Minute, Algorithms: []string{"RS256", "ES256"}, Leeway: 30 * time.Second, ScopeClaim: "scope", Entries: 16_384},
	}
}

func (c *Config) validateAuth(bad func(wrong bool, path, format string, args ...any)) {
	a, j, t := &c.Auth, &c.Auth.JWT, &c.Server.TLS
	_, err := identity.ParseScopes(a.Anonymous)
	bad(err != nil, "auth.anonymous", "%v", err)
	bad(len(a.Anonymous) > 0 && !a.Enabled(), "auth.anonymous",
		"is set, and nobody has to say who they are: set auth.keys_file or auth.jwt, or remove it")
	bad(a.AnonymousBurst > 0 && a.AnonymousRequestsPerSecond == 0, "auth.anonymous_burst", "is without anonymous_requests_per_second")
	bad(j.JWKSFile != "" && j.JWKSURL != "", "auth.jwt.jwks_url", "is set together with jwks_file; remove one of them")
	bad(j.JWKSURL != "" && !fetchable(j.JWKSURL), "auth.jwt.jwks_url",
		"%q is neither an https address nor an http one on loopback: whoever can change the keys on their way can be anybody", j.JWKSURL)
	bad(j.JWKSCAFile != "" && j.JWKSURL == "", "auth.jwt.jwks_ca_file", "is for jwks_url, which is empty")
	if a.HasJWT() {
		bad(j.Issuer == "", "auth.jwt.issuer", "is empty: tokens of anybody whose keys are in the set would be taken")
		bad(j.Audience == "", "auth.jwt.audience", "is empty: tokens for other services would be taken")
		bad(len(j.Algorithms) == 0, "auth.jwt.algorithms", "is empty; give some of %s", strings.Join(token.Algorithms(), ", "))
		bad(j.ScopeClaim == "", "auth.jwt.scope_claim", "is empty; the usual name is scope")
	}
	for _, algorithm := range j.Algorithms {
		bad(!slices.Contains(token.Algorithms(), algorithm), "auth.jwt.algorithms", "%q is none of %s", algorithm, strings.Join(token.Algorithms(), ", "))
	}
	bad(j.Burst > 0 && j.RequestsPerSecond == 0, "auth.jwt.burst", "is without requests_per_second")
	bad(t.CertFile != "" && t.KeyFile == "", "server.tls.key_file", "is empty, and there is a cert_file")
	bad(t.CertFile == "" && t.KeyFile != "", "server.tls.cert_file", "is empty, and there is a key_file")
	bad(t.CertFile == "" && t.ClientCAFile != "", "server.tls.client_ca_file", "is without cert_file and key_file")
	bad(t.ClientCAFile != "" && a.KeysFile == "", "server.tls.client_ca_file", "needs auth.keys_file, which says whose the names in the certificates are")
	bad(!a.Enabled() && !c.Server.AdminInsecure && !onLoopback(c.Server.AdminListen), "server.admin_listen",
		"%s can be reached from outside, and nobody has to say who they are: listen on loopback (127.0.0.1:9090), set auth.keys_file or auth.jwt, or server.admin_insecure: true where something else protects the port",
		c.Server.AdminListen)
}

// fetchable says whether what comes from an address is what is there.
func fetchable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

// onLoopback says whether a port can be reached from this machine alone.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err != nil || isLoopback(host) // what is no address has a problem of its own
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
