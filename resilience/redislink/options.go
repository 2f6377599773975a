package redislink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// The ways to reach Redis.
const (
	Standalone = "standalone"
	Sentinel   = "sentinel"
	Cluster    = "cluster"
)

// Options of a Link. DefaultOptions gives every default; Validate names every
// value that is out of range.
type Options struct {
	// Addresses are host:port of Redis, of the sentinels, or of some cluster nodes.
	Addresses []string
	Mode      string
	MasterSet string // sentinel mode only
	Username  string // of the ACL; empty: the default user
	Password  string
	// SentinelUsername and SentinelPassword are for the sentinels themselves.
	SentinelUsername string
	SentinelPassword string
	DB               int // 0 in cluster mode
	TLS              TLS

	// Connections to one Redis node: a power of two, as the client picks one by mask.
	Connections  int
	DialTimeout  time.Duration // of connecting, handshake included
	WriteTimeout time.Duration // of a write, and of the answer to the client's own PING
	KeepAlive    time.Duration // between PINGs on a silent connection
	HealInterval time.Duration // between checks of the connection
	ReadBuffer   int           // bytes per connection
	WriteBuffer  int           // bytes per connection

	// WrapArrays hands a reply that is a flat array of strings to the client as one
	// string that holds the array's text: for who reads such replies itself.
	WrapArrays bool
}

// TLS of the connections to Redis and to the sentinels.
type TLS struct {
	Enabled bool
	// CAFile is a PEM file of the accepted authorities; empty: the system's.
	CAFile string
	// ServerName is what the certificate must have; empty: the host of the address.
	ServerName string
	// InsecureSkipVerify accepts any certificate: for tests only.
	InsecureSkipVerify bool
}

// DefaultOptions are those of a local Redis.
func DefaultOptions() Options {
	return Options{
		Addresses: []string{"127.0.0.1:6379"}, Mode: Standalone, Connections: 1,
		DialTimeout: 250 * time.Millisecond, WriteTimeout: 500 * time.Millisecond,
		KeepAlive: 250 * time.Millisecond, HealInterval: 250 * time.Millisecond,
		ReadBuffer: 32 << 10, WriteBuffer: 32 << 10,
	}
}

// Validate reports every option that is out of range.
func (o Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	o.validateTarget(bad)
	for _, n := range []struct {
		name       string
		value, low int
		high       int
	}{
		{"read_buffer", o.ReadBuffer, 4 << 10, 16 << 20}, {"write_buffer", o.WriteBuffer, 4 << 10, 16 << 20},
		{"db", o.DB, 0, 1 << 20},
	} {
		if n.value < n.low || n.value > n.high {
			bad("%s: %d is not in %d..%d", n.name, n.value, n.low, n.high)
		}
	}
	if c := o.Connections; c != 1 && c != 2 && c != 4 && c != 8 {
		bad("connections: %d is not one of 1, 2, 4, 8", c)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"dial_timeout", o.DialTimeout}, {"write_timeout", o.WriteTimeout},
		{"keep_alive", o.KeepAlive}, {"heal_interval", o.HealInterval},
	} {
		if d.value < time.Millisecond || d.value > time.Minute {
			bad("%s: %s is not in 1ms..1m", d.name, d.value)
		}
	}
	return errors.Join(errs...)
}

func (o Options) validateTarget(bad func(string, ...any)) {
	if len(o.Addresses) == 0 {
		bad("addresses: at least one host:port is needed")
	}
	for i, a := range o.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			bad("addresses[%d]: %q is not host:port", i, a)
		}
	}
	switch o.Mode {
	case Standalone:
		if len(o.Addresses) > 1 {
			bad("addresses: standalone mode takes one address, got %d; use mode cluster or sentinel", len(o.Addresses))
		}
	case Cluster:
		if o.DB != 0 {
			bad("db: %d: a cluster has database 0 only", o.DB)
		}
	case Sentinel:
	default:
		bad("mode: %q is not one of standalone, sentinel, cluster", o.Mode)
	}
	if (o.Mode == Sentinel) != (o.MasterSet != "") {
		bad("master_set: is needed in sentinel mode, and only there")
	}
	if !o.TLS.Enabled && (o.TLS.CAFile != "" || o.TLS.ServerName != "" || o.TLS.InsecureSkipVerify) {
		bad("tls.enabled: false, but other tls options are set")
	}
}

// config reads the authorities and builds what the dialer uses; nil without TLS.
func (t TLS) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no certificate in PEM form", t.CAFile)
		}
	}
	return c, nil
}
