// Package certs keeps the certificates of the gateway's ports: what is in the files
// is used for new connections without a restart, and files that do not fit together
// are refused with what was there before staying in use.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/router/identity/reload"
)

// Options of Certificates.
type Options struct {
	CertFile, KeyFile string
	// ClientCAFile holds the authorities of client certificates; empty: none are asked
	// for. With it a client may bring one, and one that is not good is refused.
	ClientCAFile string
	// MinVersion is tls.VersionTLS12 or later.
	MinVersion uint16
	Reloads    *prometheus.GaugeVec
	Log        *slog.Logger
}

// maxBytes bounds a file of certificates.
const maxBytes = 1 << 20

// Certificates are those of the ports.
type Certificates struct {
	o       Options
	current atomic.Pointer[served]
	files   reload.Files
}

// Open reads the files.
func Open(o Options) (*Certificates, error) {
	c := &Certificates{o: o}
	c.files = reload.Files{What: "certificates", Names: []string{o.CertFile, o.KeyFile}, MaxBytes: maxBytes, Apply: c.apply, Log: o.Log}
	if o.ClientCAFile != "" {
		c.files.Names = append(c.files.Names, o.ClientCAFile)
	}
	return c, c.files.Open(o.Reloads)
}

// Watch keeps to the content of the files until the context ends.
func (c *Certificates) Watch(ctx context.Context, every time.Duration) { c.files.Watch(ctx, every) }

// HTTP and GRPC are the configurations of listeners. Each connection gets what is
// current as it begins.
func (c *Certificates) HTTP() *tls.Config {
	return c.listener(func(s *served) *tls.Config { return s.http })
}

// GRPC is HTTP's for HTTP/2 alone.
func (c *Certificates) GRPC() *tls.Config {
	return c.listener(func(s *served) *tls.Config { return s.grpc })
}

func (c *Certificates) listener(of func(*served) *tls.Config) *tls.Config {
	return &tls.Config{MinVersion: c.o.MinVersion,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return of(c.current.Load()), nil }}
}

// served is made anew for each content, and never changed: a session that was resumed
// under another authority would keep its client's name.
type served struct{ http, grpc *tls.Config }

func (c *Certificates) apply(contents [][]byte) error {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.o.CertFile, c.o.KeyFile, err)
	}
	// The cipher suites are those that crypto/tls thinks secure.
	next := &tls.Config{MinVersion: c.o.MinVersion, Certificates: []tls.Certificate{pair}}
	if c.o.ClientCAFile != "" {
		next.ClientCAs, next.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !next.ClientCAs.AppendCertsFromPEM(contents[2]) {
			return fmt.Errorf("%s: %w", c.o.ClientCAFile, errNoCertificate)
		}
	}
	h2 := next.Clone()
	h2.NextProtos = []string{"h2"}
	c.current.Store(&served{next, h2})
	return nil
}

var errNoCertificate = errors.New("there is no certificate in PEM form in it")
