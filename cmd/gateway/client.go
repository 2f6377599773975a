package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"hotpath/cmd/gateway/internal/admin"
)

// adminEnv is the environment variable of server.admin_listen.
const adminEnv = "HOTPATH_SERVER_ADMIN_LISTEN"

// The limits of one call to the admin port.
const (
	queryTimeout    = 10 * time.Second
	maxAnswerBytes  = 64 << 20
	adminConnecting = 2 * time.Second
)

// adminClient talks to a running gateway's admin port.
type adminClient struct {
	addr string
	// base is what paths are put behind.
	base string
	http *http.Client
}

// adminClient finds the port: --admin, else server.admin_listen from the
// environment, the configuration file or its default.
func (a *app) adminClient() (*adminClient, error) {
	scheme, addr := cutScheme(a.adminAddr)
	if addr == "" {
		c, _, err := a.load()
		if err != nil {
			return nil, err
		}
		addr = c.Server.AdminListen
		if c.Server.TLS.CertFile != "" {
			scheme = secureScheme
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, wrongf("--admin %q is not host:port, as in --admin 127.0.0.1:9090", addr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // what listens everywhere listens here
	}
	addr = net.JoinHostPort(host, port)
	transport, err := a.adminTransport()
	if err != nil {
		return nil, err
	}
	// Nothing is sent elsewhere than where the user said.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &adminClient{addr, scheme + addr, &http.Client{Transport: transport, CheckRedirect: stay}}, nil
}

// get and post give the body of a good answer. An error says what the gateway
// said, or how to reach it.
func (c *adminClient) get(ctx context.Context, path string, q url.Values) ([]byte, error) {
	return c.call(ctx, http.MethodGet, path, q, queryTimeout)
}

func (c *adminClient) post(ctx context.Context, path string, q url.Values, timeout time.Duration) ([]byte, error) {
	return c.call(ctx, http.MethodPost, path, q, timeout)
}

func (c *adminClient) call(ctx context.Context, method, path string, q url.Values, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	r.URL.RawQuery = q.Encode()
	return c.send(c.http, r, timeout, http.StatusOK)
}

// send gives the body of an answer with one of the good statuses.
func (c *adminClient) send(client *http.Client, r *http.Request, timeout time.Duration, good ...int) ([]byte, error) {
	answer, err := client.Do(r)
	if err != nil {
		return nil, c.explain(err, timeout)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return nil, c.explain(err, timeout)
	}
	if slices.Contains(good, answer.StatusCode) {
		return body, nil
	}
	return nil, c.refused(body, answer.Status)
}

// refused reads an answer that is none of the good ones.
func (c *adminClient) refused(body []byte, status string) error {
	var refusal admin.ErrorBody
	if json.Unmarshal(body, &refusal) != nil || refusal.Error.Code == "" {
		return fmt.Errorf("%s answers %s and is not the admin port of a gateway; name that by --admin", c.addr, status)
	}
	return &refusalError{refusal.Error}
}

// refusalError is what the gateway answered.
type refusalError struct{ admin.ErrorDetail }

func (e *refusalError) Error() string {
	if len(e.Problems) == 0 {
		return e.Message + " (" + e.Code + ")"
	}
	lines := []string{e.Code + ":"}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// explain says what a failed call means, and what to do.
func (c *adminClient) explain(err error, timeout time.Duration) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no gateway answers at %s: connection refused; start one by `gateway serve`, or give the address of its admin port by --admin, $%s or server.admin_listen",
			c.addr, adminEnv)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from %s within %s; what was asked for may still be going on: see `gateway status`", c.addr, timeout)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: %s; name the admin port by --admin, $%s or server.admin_listen", c.addr, dns.Err, adminEnv)
	}
	return fmt.Errorf("the admin port at %s: %w", c.addr, err)
}

// answerJSON gives body to standard output, indented.
func (a *app) answerJSON(body []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(body), "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(a.stdout)
	return err
}
