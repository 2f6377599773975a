//go:build chaos

package e2e

import "testing"

// TestTwoThousandHotSwaps is row 24 whole.
func TestTwoThousandHotSwaps(t *testing.T) {
	hotSwaps{swaps: 2000, warmup: 100, rate: 5000, size: 7 << 20}.run(t)
}
