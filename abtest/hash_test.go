package abtest

import (
	"fmt"
	"math"
	"testing"
)

// deviations is how far chi-square lies from its expectation, in standard
// deviations of the normal approximation, good for many cells.
func deviations(counts []int, total int) float64 {
	expected, chi := float64(total)/float64(len(counts)), 0.0
	for _, n := range counts {
		d := float64(n) - expected
		chi += d * d / expected
	}
	free := float64(len(counts) - 1)
	return (chi - free) / math.Sqrt(2*free)
}

func TestBucketsAreUniform(t *testing.T) {
	const units, salts = 100000, 12
	for name, unit := range shapes {
		hashes := make([]uint64, units)
		for i := range hashes {
			hashes[i] = hashUnit([]byte(unit(i)))
		}
		for s := range salts {
			key := hashKey(domainAssign, fmt.Sprintf("salt-%d", s))
			counts := make([]int, Buckets)
			for _, u := range hashes {
				counts[bucketOf(key, u)]++
			}
			if d := deviations(counts, units); math.Abs(d) > 4.5 {
				t.Errorf("%s ids, salt %d: chi-square is %.1f standard deviations off", name, s, d)
			}
		}
	}
}

// Two experiments must not see each other's split: over pairs of salts the
// joint distribution of two buckets is as even as each alone.
func TestSaltsAreIndependent(t *testing.T) {
	const units, cells = 100000, 50
	pairs := [][2]uint64{
		{hashKey(domainAssign, "risk"), hashKey(domainLayer, "risk")},
		{hashKey(domainAssign, "risk"), hashKey(domainShadow, "risk")},
		{hashKey(domainAssign, "a"), hashKey(domainAssign, "b")},
		{hashKey(domainAssign, "exp-1"), hashKey(domainAssign, "exp-2")},
		{hashKey(domainAssign, ""), hashKey(domainAssign, "0")},
	}
	for i := range 10 {
		pairs = append(pairs, [2]uint64{hashKey(domainAssign, fmt.Sprint(i)), hashKey(domainAssign, fmt.Sprint(i+1))})
	}
	for name, unit := range shapes {
		hashes := make([]uint64, units)
		for i := range hashes {
			hashes[i] = hashUnit([]byte(unit(i)))
		}
		for i, p := range pairs {
			counts := make([]int, cells*cells)
			for _, u := range hashes {
				x, y := int(bucketOf(p[0], u)), int(bucketOf(p[1], u))
				counts[x*cells/Buckets*cells+y*cells/Buckets]++
			}
			if d := deviations(counts, units); math.Abs(d) > 4.5 {
				t.Errorf("%s ids, pair %d: chi-square of the joint buckets is %.1f standard deviations off", name, i, d)
			}
		}
	}
}

func TestUnitsDoNotCollide(t *testing.T) {
	seen := map[uint64]string{}
	for _, unit := range shapes {
		for i := range 50000 {
			u := unit(i)
			if other, ok := seen[hashUnit([]byte(u))]; ok && other != u {
				t.Fatalf("%q and %q have one hash", u, other)
			}
			seen[hashUnit([]byte(u))] = u
		}
	}
}

// The published values of the two standard parts.
func TestKnownHashes(t *testing.T) {
	for text, want := range map[string]uint64{"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c, "foobar": 0x85944171f73967e8} {
		if got := fnv1a(text); got != want {
			t.Errorf("fnv1a(%q) = %#x, want %#x", text, got, want)
		}
	}
	for in, want := range map[uint64]uint64{0: 0, 1: 0xb456bcfc34c2cb2c} {
		if got := fmix64(in); got != want {
			t.Errorf("fmix64(%d) = %#x, want %#x", in, got, want)
		}
	}
}
