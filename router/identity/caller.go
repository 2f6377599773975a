package identity

import (
	"context"
	"time"
)

// Caller is somebody who proved who they are. It does not change, but for what is
// left of its quota.
type Caller struct {
	// Name is that of the keys file; that of a token begins with "jwt:", which no name
	// of the file can.
	Name   string
	Scopes Scopes
	quota  *bucket // nil: none
}

// NewCaller makes a caller with a quota of their own out of quotas, which is shared by
// all of this name.
func NewCaller(name string, scopes Scopes, quota Quota, quotas *Quotas[string]) *Caller {
	c := &Caller{Name: name, Scopes: scopes}
	if quota.RequestsPerSecond > 0 {
		c.quota = quotas.of(name)
	}
	return c
}

// Take counts a request; where the quota is used up, it says how long until there is
// room. A nil caller has no quota.
func (c *Caller) Take(now time.Time) (wait time.Duration) {
	if c == nil || c.quota == nil {
		return 0
	}
	return c.quota.take(now)
}

// callerKey is where a context has its caller.
type callerKey struct{}

// With puts a caller into a context.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Of is the caller of a context; nil where nobody had to prove who they are.
func Of(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
