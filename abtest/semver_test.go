package abtest

import (
	"strings"
	"testing"
)

// In the order of precedence; those on one line are equal. The second half is
// the example of semver.org.
var versionOrder = []string{
	"0 0.0 0.0.0 v0 00.0.0 0+build.1",
	"0.0.1-0",
	"0.0.1 v0.0.1 0.0.01",
	"0.9 0.9.0",
	"0.10",
	"1.0.0-alpha",
	"1.0.0-alpha.1 1.0.0-alpha.01 1-alpha.1+x",
	"1.0.0-alpha.1.0",
	"1.0.0-alpha.beta",
	"1.0.0-beta",
	"1.0.0-beta.2",
	"1.0.0-beta.11",
	"1.0.0-rc.1",
	"1.0.0 1 1.0 1.0.0+20130313144700",
	"1.2.3--",
	"1.2.3",
	"2024.1.5 2024.01.05",
	"99999999999999999999999.0.0",
}

func TestVersionsCompare(t *testing.T) {
	sign := func(n int) int { return max(-1, min(1, n)) }
	for i, left := range versionOrder {
		for j, right := range versionOrder {
			for _, a := range strings.Fields(left) {
				for _, b := range strings.Fields(right) {
					x, okX := parseVersion([]byte(a))
					y, okY := parseVersion([]byte(b))
					if got := sign(x.compare(&y)); !okX || !okY || got != sign(i-j) {
						t.Errorf("%s and %s: %d, want %d (%v, %v)", a, b, got, sign(i-j), okX, okY)
					}
				}
			}
		}
	}
}

func TestTextsThatAreNoVersions(t *testing.T) {
	for _, s := range []string{"", "v", "x", "1.", ".1", "1..2", "1.2.3.4", "1.2.x", "1.2.3-", "1.2.3-a..b", "1.2.3-a.", "1.2.3+", "1.2.3+a_b", "1.2.3-ä", "-1", "1 ", "V1", "vv1", "1.2.3-a+b+c"} {
		if v, ok := parseVersion([]byte(s)); ok {
			t.Errorf("%q is %q", s, v.core)
		}
	}
}
