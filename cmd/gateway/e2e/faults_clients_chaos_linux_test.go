//go:build chaos

package e2e

import "testing"

// TestManySlowClients is row 30 with nearly as many as the connections that a
// gateway allows by default: 1,024.
func TestManySlowClients(t *testing.T) {
	slowClients{each: byRace(300, 450), deaf: byRace(20, 60)}.run(t)
}
