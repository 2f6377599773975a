//go:build chaos

package e2e

import "testing"

// TestDeployKilledOften is TestDeployKilled for longer.
func TestDeployKilledOften(t *testing.T) { deployAndKill(t, byRace(20, 60)) }
