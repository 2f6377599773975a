package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"hotpath/cmd/gateway/internal/config"
)

// The schemes of the admin port.
const (
	plainScheme  = "http://"
	secureScheme = "https://"
)

// cutScheme takes an address apart as --admin has it.
func cutScheme(address string) (scheme, addr string) {
	address = strings.TrimSuffix(address, "/")
	if addr, ok := strings.CutPrefix(address, secureScheme); ok {
		return secureScheme, addr
	}
	return plainScheme, strings.TrimPrefix(address, plainScheme)
}

// maxKeyFile bounds a file with a key or a token, maxCAFile one with certificates.
const (
	maxKeyFile = 64 << 10
	maxCAFile  = 1 << 20
)

// adminTransport makes the connections to the admin port. There is no proxy: the port
// is this machine's, or one that is named outright.
func (a *app) adminTransport() (http.RoundTripper, error) {
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		DialContext:       (&net.Dialer{Timeout: adminConnecting}).DialContext,
		DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10, ExpectContinueTimeout: expectTimeout,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	file := a.caFile
	if file == "" {
		file = a.getenv(config.EnvCAFile)
	}
	if file != "" {
		pem, err := readSmall(file, maxCAFile)
		if err != nil {
			return nil, wrongf("--ca-file: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrongf("--ca-file: %s holds no certificate in PEM form", file)
		}
	}
	if key == "" {
		return t, nil
	}
	return &keyTransport{t, key}, nil
}

// key is what the admin port is shown: that of the file of --key-file or of the
// environment, else that of the environment itself. There is no flag for the key: other
// users of the machine can read command lines.
func (a *app) key() (string, error) {
	file := a.keyFile
	if file == "" {
		file = a.getenv(config.EnvKeyFile)
	}
	key, from := a.getenv(config.EnvKey), "$"+config.EnvKey
	if file != "" {
		data, err := readSmall(file, maxKeyFile)
		if err != nil {
			return "", wrongf("--key-file: %w", err)
		}
		key, from = string(data), file
	}
	key = strings.TrimSpace(key)
	switch {
	case file != "" && key == "":
		return "", wrongf("%s is empty; it should hold an API key, as `gateway keys create` gives it, or a token", from)
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", wrongf("%s does not hold one key or token", from)
	}
	return key, nil
}

// readSmall reads a file, or a pipe, of at most limit bytes.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, err
}

// keyTransport shows a key with each request.
type keyTransport struct {
	http.RoundTripper
	key string
}

// RoundTrip is http.RoundTripper's.
func (k *keyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	return k.RoundTripper.RoundTrip(r)
}
