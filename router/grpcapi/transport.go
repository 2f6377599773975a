package grpcapi

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"hotpath/router/identity"
)

// transport are the credentials of the port, as grpc calls how a connection begins.
// Without TLS their one purpose is to put the connection into the context of its calls.
type transport struct {
	secure credentials.TransportCredentials // nil: connections are in the clear
}

func newTransport(c *tls.Config) transport {
	if c == nil {
		return transport{}
	}
	return transport{credentials.NewTLS(c)}
}

// connectionInfo is what is known of the other side.
type connectionInfo struct {
	credentials.CommonAuthInfo
	connection *connection
	secure     bool
	// certificates are the names in the client's certificate.
	certificates []string
}

// AuthType names the kind of transport.
func (c connectionInfo) AuthType() string { return protocolOf(c.secure) }

func protocolOf(secure bool) string {
	if secure {
		return "tls"
	}
	return "insecure"
}

// ServerHandshake begins a connection, within grpc's time for that.
func (t transport) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	info := connectionInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}
	info.connection, _ = c.(*connection)
	if t.secure == nil {
		return c, info, nil
	}
	c, known, err := t.secure.ServerHandshake(c)
	if err != nil {
		return nil, nil, err
	}
	info.secure, info.SecurityLevel = true, credentials.PrivacyAndIntegrity
	if state, ok := known.(credentials.TLSInfo); ok {
		info.certificates = identity.CertificateNames(state.State.VerifiedChains)
	}
	return c, info, nil
}

// ClientHandshake fails: these credentials are for a server.
func (transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("grpcapi: credentials of a server")
}

// Info describes the credentials.
func (t transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: protocolOf(t.secure != nil)}
}

// Clone gives a copy.
func (t transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName does nothing.
func (transport) OverrideServerName(string) error { return nil }

// connectionOf is the connection that a call came over; nil where it is not known.
func connectionOf(ctx context.Context) *connection {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, _ := p.AuthInfo.(connectionInfo)
	return info.connection
}
