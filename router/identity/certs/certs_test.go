package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/router/identity/certs"
	"hotpath/router/identity/identitytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func files(t *testing.T) (certs.Options, *identitytest.Authority) {
	ca, dir := identitytest.NewAuthority(t), t.TempDir()
	o := certs.Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), MinVersion: tls.VersionTLS12,
		Reloads: identitytest.Reloads(t), Log: identitytest.Log()}
	ca.Server(t, o.CertFile, o.KeyFile)
	return o, ca
}

// serve shakes hands with whoever comes, for the length of a test.
func serve(t *testing.T, c *tls.Config) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				secure := tls.Server(conn, c)
				if secure.SetDeadline(time.Now().Add(5*time.Second)) == nil && secure.Handshake() == nil {
					_, _ = secure.Write([]byte("x"))
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); open.Wait() })
	return ln.Addr().String()
}

// serial connects, and gives the serial number of the server's certificate.
func serial(t *testing.T, addr string, c *tls.Config) (string, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	// In TLS 1.3 the server's opinion of our certificate comes with the first read.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func TestCertificatesAreReplacedUnderLoad(t *testing.T) {
	o, ca := files(t)
	c, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { c.Watch(ctx, time.Millisecond) })
	addr := serve(t, c.HTTP())
	client := &tls.Config{RootCAs: ca.Pool}
	work.Go(func() {
		for ctx.Err() == nil {
			if _, err := serial(t, addr, client); err != nil {
				t.Errorf("during a change: %v", err)
				return
			}
		}
	})
	before, err := serial(t, addr, client)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		ca.Server(t, o.CertFile, o.KeyFile)
		seen := before
		for end := time.Now().Add(5 * time.Second); seen == before && time.Now().Before(end); {
			if seen, err = serial(t, addr, client); err != nil {
				t.Fatal(err)
			}
		}
		if seen == before {
			t.Fatal("the new certificate is never used")
		}
		before = seen
	}
	// A key that does not belong to the certificate changes nothing.
	other, _ := files(t)
	data, err := os.ReadFile(other.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.KeyFile, data, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if seen, err := serial(t, addr, client); err != nil || seen != before {
		t.Errorf("with a key of another: %s, %v", seen, err)
	}
	cancel()
	work.Wait()
}

func TestNewAuthorityOfClientsCountsForResumedSessionsToo(t *testing.T) {
	o, ca := files(t)
	clients, next := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
	o.ClientCAFile = clients.File
	c, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { c.Watch(ctx, time.Millisecond) })
	defer work.Wait()
	defer cancel()
	addr := serve(t, c.HTTP())
	client := &tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{clients.Client(t, "x", nil)}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for range 2 {
		if _, err := serial(t, addr, client); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(next.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(clients.File, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); err == nil; _, err = serial(t, addr, client) {
		if time.Now().After(end) {
			t.Fatal("a certificate of the old authority is taken for ever")
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(o *certs.Options)
		want  string
	}{
		"no file":           {func(o *certs.Options) { o.CertFile += ".not" }, "no such file"},
		"no authority":      {func(o *certs.Options) { o.ClientCAFile = o.KeyFile }, "no certificate in PEM form"},
		"key for the other": {func(o *certs.Options) { o.KeyFile = o.CertFile }, o12},
	} {
		o, _ := files(t)
		c.spoil(&o)
		if _, err := certs.Open(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "PRIVATE KEY-----\n") {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

// o12 begins what crypto/tls says of a certificate where a key should be.
const o12 = "tls: found a certificate rather than a key"

func TestGRPCHasItsProtocol(t *testing.T) {
	o, ca := files(t)
	c, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, c.GRPC())
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState(); got.NegotiatedProtocol != "h2" || got.Version < tls.VersionTLS12 {
		t.Errorf("got %q, version %x", got.NegotiatedProtocol, got.Version)
	}
	if _, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: x509.NewCertPool()}); err == nil {
		t.Error("who trusts nobody trusts us")
	}
}
