package features

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

// Options of a Store. DefaultOptions gives every default; Validate names every
// value that is out of range.
type Options struct {
	Addresses []string `yaml:"addresses" doc:"host:port of Redis, of the sentinels, or of some cluster nodes"`
	Mode      string   `yaml:"mode" doc:"standalone, sentinel or cluster"`
	MasterSet string   `yaml:"master_set" doc:"name of the master set; sentinel mode only"`
	Username  string   `yaml:"username" doc:"ACL user; empty = the default user"`
	Password  string   `yaml:"password" secret:"true" doc:"password of the user"`
	// SentinelUsername and SentinelPassword are for the sentinels themselves.
	SentinelUsername string `yaml:"sentinel_username" doc:"ACL user of the sentinels"`
	SentinelPassword string `yaml:"sentinel_password" secret:"true" doc:"password of the sentinels"`
	DB               int    `yaml:"db" doc:"database number; 0 in cluster mode"`
	TLS              TLS    `yaml:"tls" doc:"transport security"`

	Workers  int `yaml:"workers" doc:"fetch workers; each has at most one pipeline outstanding"`
	MaxBatch int `yaml:"max_batch" doc:"most requests that share one pipeline"`
	Queue    int `yaml:"queue" doc:"requests that may wait for a worker; more are refused"`
	// Connections must be a power of two, as the client picks one by mask.
	Connections  int           `yaml:"connections" doc:"connections to one Redis node: 1, 2, 4 or 8"`
	DialTimeout  time.Duration `yaml:"dial_timeout" doc:"bound on connecting, handshake included"`
	WriteTimeout time.Duration `yaml:"write_timeout" doc:"bound on a write and on the answer to the client's own PING"`
	KeepAlive    time.Duration `yaml:"keep_alive" doc:"gap between PINGs on a silent connection; a stall shows after 2 x keep_alive + write_timeout"`
	HealInterval time.Duration `yaml:"heal_interval" doc:"gap between checks of the connection; also how soon it is built again"`
	ReadBuffer   int           `yaml:"read_buffer" doc:"bytes per connection"`
	WriteBuffer  int           `yaml:"write_buffer" doc:"bytes per connection"`

	MaxValueBytes int    `yaml:"max_value_bytes" doc:"longer stored values are invalid"`
	Copies        Copies `yaml:"recent_copies" doc:"copies in memory, used while the store does not answer"`
}

// TLS of the connections to Redis and to the sentinels.
type TLS struct {
	Enabled            bool   `yaml:"enabled" doc:"use TLS"`
	CAFile             string `yaml:"ca_file" doc:"PEM file of accepted authorities; empty = the system's"`
	ServerName         string `yaml:"server_name" doc:"name the certificate must have; empty = the host of the address"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify" doc:"accept any certificate; for tests only"`
}

// Copies bounds the recent copies kept in memory.
type Copies struct {
	Entries int           `yaml:"entries" doc:"entity reads kept, the least recently used goes first; 0 = none"`
	MaxAge  time.Duration `yaml:"max_age" doc:"older copies are not used"`
	Refresh time.Duration `yaml:"refresh" doc:"a copy younger than this is not replaced"`
}

// DefaultOptions are those of the test profile and of a local Redis.
func DefaultOptions() Options {
	return Options{
		Addresses: []string{"127.0.0.1:6379"}, Mode: Standalone,
		Workers: 4, MaxBatch: 128, Queue: 1024, Connections: 1,
		DialTimeout: 250 * time.Millisecond, WriteTimeout: 500 * time.Millisecond,
		KeepAlive: 250 * time.Millisecond, HealInterval: 250 * time.Millisecond,
		ReadBuffer: 32 << 10, WriteBuffer: 32 << 10, MaxValueBytes: 64 << 10,
		Copies: Copies{Entries: 10_000, MaxAge: 10 * time.Minute, Refresh: time.Second},
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
		{"workers", o.Workers, 1, 64}, {"max_batch", o.MaxBatch, 1, 4096}, {"queue", o.Queue, 1, 1 << 20},
		{"read_buffer", o.ReadBuffer, 4 << 10, 16 << 20}, {"write_buffer", o.WriteBuffer, 4 << 10, 16 << 20},
		{"max_value_bytes", o.MaxValueBytes, 64, 16 << 20}, {"recent_copies.entries", o.Copies.Entries, 0, 10_000_000},
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
	if o.Copies.Entries > 0 && (o.Copies.MaxAge <= 0 || o.Copies.Refresh <= 0) {
		bad("recent_copies: max_age and refresh must be positive, or entries 0 to keep none")
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
