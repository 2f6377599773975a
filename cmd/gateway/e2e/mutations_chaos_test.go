//go:build chaos

package e2e

import "testing"

// TestTwoHundredMutatedModels is row 19 whole.
func TestTwoHundredMutatedModels(t *testing.T) { mutatedModels(t, 200) }
