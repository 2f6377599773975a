package httpapi

import (
	"testing"

	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
)

// TestEveryRouteIsInTheTable also says that the endpoints of a route need the same,
// where the route decides alone.
func TestEveryRouteIsInTheTable(t *testing.T) {
	var seen [numRoutes]bool
	needs := [numRoutes]identity.Scopes{}
	for name, need := range identity.NeedsOf(identity.TrafficPort) {
		_, path := methodAndPath(name)
		r := routeOf([]byte(path))
		switch {
		case r == routeOther:
			t.Errorf("%s is in the table and nowhere else", name)
		case seen[r] && needs[r] != need && r != routeV1 && r != routeV2:
			t.Errorf("%s needs %s, and others of %s %s", name, need, routeNames[r], needs[r])
		}
		seen[r], needs[r] = true, need
	}
	for r := routeOther + 1; r < numRoutes; r++ {
		if !seen[r] {
			t.Errorf("no endpoint of the route %s is in identity.Endpoints", routeNames[r])
		}
	}
	if newAccess(nil, false) != nil {
		t.Error("without an Access something is checked")
	}
	a := newAccess(identitytest.Access(t, identity.Options{}), false)
	if got := a.routes[routePredict]; got != identity.Predict {
		t.Errorf("predict needs %s", got)
	}
}
