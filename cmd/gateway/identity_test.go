package main

import (
	"net"
	"testing"
	"time"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/router"
	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
)

// TestAddressesCanHaveAQuotaWhereNobodyIsAsked also wants the admin port to be left
// alone by it.
func TestAddressesCanHaveAQuotaWhereNobodyIsAsked(t *testing.T) {
	c := config.Default().Auth
	c.AnonymousRequestsPerSecond, c.AnonymousBurst = 0.001, 2
	guarded := callers{access: identitytest.Access(t, accessOptions(c)), forced: c.Enabled()}
	who := identity.Credentials{Authorization: []byte("Basic for-the-proxy"), Remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}
	now := time.Now()
	for i, want := range []router.Code{router.OK, router.OK, router.Quota} {
		code := router.OK
		// With the right to do anything, as without a quota.
		if _, refusal := guarded.access.Admit(now, identity.ModelsWrite, who); refusal != nil {
			code = refusal.Code
		}
		if code != want {
			t.Errorf("request %d: %s, want %s", i, code, want)
		}
	}
	if guarded.ofAdmin() != nil {
		t.Error("the admin port asks, too")
	}
}

func TestAnonymousIsNobodyUnlessSaid(t *testing.T) {
	file, _ := identitytest.OneEach(t)
	for _, c := range []struct {
		anonymous []string
		need      identity.Scopes
		want      bool
	}{
		{nil, identity.Predict, false}, {[]string{"predict"}, identity.Predict, true}, {[]string{"predict"}, identity.ModelsWrite, false},
	} {
		auth := config.Default().Auth
		auth.KeysFile, auth.Anonymous = file, c.anonymous
		guarded := callers{access: identitytest.Access(t, accessOptions(auth)), forced: auth.Enabled()}
		if _, refusal := guarded.ofAdmin().Admit(time.Now(), c.need, identity.Credentials{}); (refusal == nil) != c.want {
			t.Errorf("anonymous %v, need %s: %v", c.anonymous, c.need, refusal)
		}
	}
}
