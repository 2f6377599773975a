package grpcapi

import (
	"context"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"hotpath/router"
	"hotpath/router/identity"
)

// The metadata with credentials: as on the traffic port.
const (
	authorizationKey = "authorization"
	apiKeyKey        = "x-api-key"
)

// admit refuses who may not call a method, before its message is read where that comes
// as a stream, and before it is decoded in every case.
func (a *api) admit(ctx context.Context, need identity.Scopes, now time.Time) *router.Error {
	if a.options.Access == nil {
		return nil
	}
	return a.admitWith(credentialsOf(ctx), need, now)
}

// admitWith is admit for credentials that were read before. Each request of a stream
// shows those of the stream again, so that a key that is revoked or has expired in the
// meantime does not go on.
func (a *api) admitWith(c identity.Credentials, need identity.Scopes, now time.Time) *router.Error {
	if a.options.Access == nil {
		return nil
	}
	_, refusal := a.options.Access.Admit(now, need, c)
	return refusal
}

// credentialsOf are what a call has to show.
func credentialsOf(ctx context.Context) identity.Credentials {
	c := identity.Credentials{Authorization: first(ctx, authorizationKey), APIKey: first(ctx, apiKeyKey)}
	if p, ok := peer.FromContext(ctx); ok {
		c.Remote = p.Addr
		info, _ := p.AuthInfo.(connectionInfo)
		c.Certificates = info.certificates
	}
	return c
}

func first(ctx context.Context, key string) []byte {
	if v := metadata.ValueFromIncomingContext(ctx, key); len(v) > 0 {
		return []byte(v[0])
	}
	return nil
}
