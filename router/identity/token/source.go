package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The bounds of asking the URL.
const (
	fetchTimeout = 5 * time.Second
	// askAgain is how often a token with an unknown key can make us ask.
	askAgain = 10 * time.Second
)

// source is the URL of the keys.
type source struct {
	url    string
	every  time.Duration
	client *http.Client
	// ask has an entry when somebody wants the keys earlier.
	ask chan struct{}
	ok  prometheus.Gauge
	log *slog.Logger
	// failing says that the last attempt failed, and was reported. It belongs to whoever
	// refreshes.
	failing bool
}

func newSource(o Options) (*source, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("auth.jwt.jwks_ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("auth.jwt.jwks_ca_file: %s holds no certificate in PEM form", o.CAFile)
		}
	}
	return &source{url: o.KeysURL, every: o.Refresh, ask: make(chan struct{}, 1), ok: o.Reloads.WithLabelValues("token keys"), log: o.Log,
		client: &http.Client{
			Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10, Proxy: http.ProxyFromEnvironment},
			// Keys come from where the configuration says, and from nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
			Timeout:       fetchTimeout,
		}}, nil
}

var errRedirect = errors.New("it redirects; give the address that it redirects to")

// askFor wants the keys earlier. It never waits.
func (s *source) askFor() {
	select {
	case s.ask <- struct{}{}:
	default:
	}
}

// watch refreshes until the context ends.
func (s *source) watch(ctx context.Context, use func([]byte) error) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	rested := time.NewTimer(0)
	defer rested.Stop()
	ask := (<-chan struct{})(nil) // while we rest nobody is heard
	for {
		select {
		case <-ctx.Done():
			return
		case <-rested.C:
			ask = s.ask
			continue
		case <-tick.C:
		case <-ask:
		}
		s.refresh(ctx, use)
		ask = nil
		rested.Reset(askAgain)
	}
}

// refresh asks once. When it fails, the keys stay as they are.
func (s *source) refresh(ctx context.Context, use func([]byte) error) {
	data, err := s.fetch(ctx)
	if err == nil {
		err = use(data)
	}
	switch {
	case err == nil:
		s.ok.Set(1)
		if s.failing {
			s.log.Info("the issuer's keys can be read again")
		}
	case ctx.Err() == nil:
		s.ok.Set(0)
		if !s.failing {
			s.log.Error("the issuer's keys cannot be read; those that are there stay in use", "error", err)
		}
	}
	s.failing = err != nil
}

func (s *source) fetch(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", s.url, answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySet+1))
	if err == nil && len(data) > maxKeySet {
		err = fmt.Errorf("%s answers more than %d bytes", s.url, maxKeySet)
	}
	return data, err
}
