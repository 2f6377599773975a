package abtest

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
)

// scaled is how much a long test does: less under the race detector.
func scaled(all, underRace int) int {
	if raceEnabled {
		return underRace
	}
	return all
}

// Ten million users meet every weight, down to a basis point, to within four
// standard deviations.
func TestMillionsMeetTheWeights(t *testing.T) {
	t.Parallel()
	p := compile(t, nil, split("millions", 0.01, 0.1, 1, 5, 12.34, 31.55, 50))
	m, variants := p.ModelExperiments("m"), p.Experiment("millions").Variants()
	users := scaled(10_000_000, 500_000)
	const workers = 2
	var perBucket [workers][Buckets]int
	var perVariant [workers][MaxVariants]int
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			user := append(make([]byte, 0, 24), "user-"...)
			for i := w; i < users; i += workers {
				a := m.Assign(&Request{User: strconv.AppendInt(user, int64(i), 10)})
				perBucket[w][a.Bucket]++
				perVariant[w][a.Variant.Index()]++
			}
		})
	}
	all.Wait()
	buckets := make([]int, Buckets)
	for b := range buckets {
		for w := range workers {
			buckets[b] += perBucket[w][b]
		}
	}
	for i, v := range variants {
		got := 0
		for w := range workers {
			got += perVariant[w][i]
		}
		share := float64(v.Weight()) / Buckets
		want, sigma := share*float64(users), math.Sqrt(float64(users)*share*(1-share))
		off := (float64(got) - want) / sigma
		t.Logf("%s of weight %s has %d of %d users, %+.1f standard deviations off", v.Name(), percent(v.Weight()), got, users, off)
		if math.Abs(off) > 4 {
			t.Errorf("%s is more than 4 standard deviations off", v.Name())
		}
	}
	if d := deviations(buckets, users); math.Abs(d) > 4 {
		t.Errorf("chi-square over the buckets is %.1f standard deviations off", d)
	}
}

// Over many salts chi-square scatters as it does for chance: neither uneven nor
// too even, and hardly ever far off.
func TestManySaltsAreUniformAndIndependent(t *testing.T) {
	t.Parallel()
	const users, cells = 20000, 100
	salts := scaled(400, 50)
	hashes := make([]uint64, users)
	for i := range hashes {
		hashes[i] = hashUnit(strconv.AppendInt(nil, int64(i), 10))
	}
	cell := func(domain, salt string) []uint8 {
		key, out := hashKey(domain, salt), make([]uint8, users)
		for i, u := range hashes {
			out[i] = uint8(int(bucketOf(key, u)) * cells / Buckets)
		}
		return out
	}
	var alone, joint scatter
	last := cell(domainAssign, "start")
	for i := range salts {
		// Each salt against the one before it, and each purpose against the others.
		now := cell([]string{domainAssign, domainLayer, domainRamp, domainHoldout, domainPercent}[i%5], fmt.Sprint("salt", i/5))
		one, two := make([]int, cells), make([]int, cells*cells)
		for u := range users {
			one[now[u]]++
			two[int(last[u])*cells+int(now[u])]++
		}
		alone.add(deviations(one, users))
		joint.add(deviations(two, users))
		last = now
	}
	alone.check(t, "buckets of one salt", float64(salts))
	joint.check(t, "buckets of two salts", float64(salts))
}

// scatter is the distribution of chi-square in standard deviations.
type scatter struct {
	sum, squares float64
	far          int
}

func (s *scatter) add(d float64) {
	s.sum += d
	s.squares += d * d
	if math.Abs(d) > 4 {
		s.far++
	}
}

// check compares with a mean of 0 and a variance of 1. Chi-square of 100 cells is
// a little skewed, so that one in thousands may be beyond 4.
func (s *scatter) check(t *testing.T, about string, n float64) {
	t.Helper()
	mean, variance := s.sum/n, s.squares/n
	t.Logf("%s: chi-square over %.0f has mean %+.3f and variance %.3f in standard deviations, want 0 and 1; %d are beyond 4", about, n, mean, variance, s.far)
	if math.Abs(mean) > 4/math.Sqrt(n) || math.Abs(variance-1) > 4*math.Sqrt(2.2/n) || s.far > 2 {
		t.Errorf("%s: chi-square has mean %.2f, variance %.2f, and %d far off", about, mean, variance, s.far)
	}
}
