package readout

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hotpath/abtest/stats"
)

// binomialTail is the chance that n coins of chance p show k heads or more.
func binomialTail(k, n int64, p float64) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a - b - c + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

// The bounds hold with the promised chance for every size and rate, computed without
// approximation. Wilson's do not, which is why they are not used.
func TestRateLimitsHold(t *testing.T) {
	promised, worstWilson := math.Exp(-chanceLog), 0.0
	for _, n := range []int64{10, 100, 1000, 10_000} {
		for _, p := range []float64{0.0003, 0.001, 0.01, 0.05, 0.3, 0.7, 0.99} {
			wrong, wilson := int64(n+1), int64(n+1) // the fewest of which the bound is above p
			for k := n; k >= 0; k-- {
				if low, _ := rateLimits(k, n); low > p {
					wrong = k
				}
				if low, _ := stats.Wilson(float64(k), float64(n), 2*promised); low > p {
					wilson = k
				}
			}
			if chance := binomialTail(wrong, n, p); chance > promised {
				t.Errorf("n %d, rate %v: wrong with chance %v, promised %v", n, p, chance, promised)
			}
			worstWilson = max(worstWilson, binomialTail(wilson, n, p))
			// High is the mirror image.
			low, high := rateLimits(n/4, n)
			mirrored, _ := rateLimits(n-n/4, n)
			if math.Abs(1-high-mirrored) > 1e-6 || low > float64(n/4)/float64(n) {
				t.Errorf("n %d: %v to %v, mirrored %v", n, low, high, mirrored)
			}
		}
	}
	if worstWilson < 100*promised {
		t.Errorf("Wilson's bound is wrong with chance %v at most: the comment on rateLimits is not true", worstWilson)
	}
}

func TestRankLimitsHold(t *testing.T) {
	for _, n := range []int64{10, 100, 1000, 5000} {
		for _, q := range []float64{0.5, 0.9, 0.99} {
			low, high := rankLimits(q, n)
			// Fewer than low*n values are at or below the true quantile.
			k := int64(math.Ceil(low * float64(n)))
			if chance := 1 - binomialTail(k, n, q); low > 0 && chance > math.Exp(-chanceLog)+1e-12 {
				t.Errorf("n %d, q %v: low %v is wrong with chance %v", n, q, low, chance)
			}
			if chance := binomialTail(int64(math.Floor(high*float64(n)))+1, n, q); high < 1 && chance > math.Exp(-chanceLog) {
				t.Errorf("n %d, q %v: high %v is wrong with chance %v", n, q, high, chance)
			}
		}
	}
	if _, high := rankLimits(0.99, 1144); high < 1 {
		t.Error("1144 values bound their p99: the documentation says 1145")
	}
	if _, high := rankLimits(0.99, 1145); high == 1 {
		t.Error("1145 values do not bound their p99: the documentation says they do")
	}
}

func TestMeanLimits(t *testing.T) {
	var m stats.Moments
	for i := range fewestScores - 1 {
		m.Add(float64(i))
	}
	if low, high := meanLimits(m); !math.IsInf(low, -1) || !math.IsInf(high, 1) {
		t.Errorf("%v to %v of %v values", low, high, m.N)
	}
	// Student's quantile at 1 in 100,000, by SciPy: t.isf(1e-5, n-1).
	for n, want := range map[float64]float64{20: 5.626766, 50: 4.720932, 200: 4.369926, 10_000: 4.266938} {
		low, high := meanLimits(stats.Moments{N: n, M2: (n - 1) * n})
		if math.Abs(high/want-1) > 0.01 || low != -high {
			t.Errorf("n %v: %v to %v, want %v", n, low, high, want)
		}
	}
}

// compared with what the sorted values say.
func TestSketch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, draw := range map[string]func() float64{
		"normal":    random.NormFloat64,
		"lognormal": func() float64 { return math.Exp(3 * random.NormFloat64()) },
		"large":     func() float64 { return 1e300 * (1 + random.Float64()) },
		"tiny":      func() float64 { return 1e-300 * (1 + random.Float64()) },
		"negative":  func() float64 { return -100 * random.Float64() },
		"classes":   func() float64 { return float64(random.IntN(3) - 1) },
		"constant":  func() float64 { return 0.25 },
	} {
		var s sketch
		var all []float64
		for range 20_000 {
			x := draw()
			s.add(x)
			all = append(all, x)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.01, 0.1, 0.5, 0.9, 0.99, 1} {
			got, ok := s.quantile(q)
			low, high := all[max(0, int(q*19_999)-60)], all[min(19_999, int(q*19_999)+60)]
			off := 0.07 * max(math.Abs(low), math.Abs(high))
			if !ok || got < low-off || got > high+off || got < all[0] || got > all[len(all)-1] {
				t.Errorf("%s: quantile %v is %v, want %v to %v", name, q, got, low, high)
			}
		}
		for _, x := range []float64{all[100], all[10_000], all[19_900]} {
			want, _ := slices.BinarySearch(all, x)
			upper, _ := slices.BinarySearch(all, math.Nextafter(x, math.Inf(1)))
			if got := s.below(x); got < int64(want)-900 || got > int64(upper)+900 {
				t.Errorf("%s: %d values are below %v, want %d to %d", name, got, x, want, upper)
			}
		}
	}
	if _, ok := new(sketch).quantile(0.5); ok {
		t.Error("a sketch of nothing has a median")
	}
}

// Values of every size there is need no more room than the sketch has, and the large
// ones keep their quantiles.
func TestSketchIsBounded(t *testing.T) {
	var s sketch
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 50_000 {
		x := math.Float64frombits(random.Uint64())
		if math.IsNaN(x) || math.IsInf(x, 0) {
			x = 0
		}
		s.add(x)
		if i%2 == 0 {
			s.add(1e308)
		}
	}
	if len(s.keys) != maxPages || !slices.IsSorted(s.keys) {
		t.Errorf("%d pages, sorted %v", len(s.keys), slices.IsSorted(s.keys))
	}
	n := int64(0)
	s.each(func(_, _ float64, c int64) bool { n += c; return true })
	if n != s.n || n != 75_000 {
		t.Errorf("%d of %d values are counted", n, s.n)
	}
	if p, _ := s.quantile(0.9); math.Abs(p/1e308-1) > 0.07 {
		t.Errorf("p90 is %v", p)
	}
}

func TestRoundBounds(t *testing.T) {
	for _, f := range []struct {
		low, high   float64
		first, step float64
	}{
		{0, 1, 0, 0.05}, {0.013, 0.987, 0, 0.05}, {-3.2, 3.4, -3.5, 0.5}, {1000, 1700, 1000, 50}, {5, 5, 5, 0.005}, {0, 0, 0, 0.001},
		{-2e-7, 9e-7, -2e-7, 1e-7},
	} {
		b := roundBounds(f.low, f.high)
		if len(b) < 2 || len(b) > 42 || b[0] != f.first || math.Abs(b[1]-b[0]-f.step) > 1e-12 || b[len(b)-1] < f.high {
			t.Errorf("%v to %v: %v", f.low, f.high, b)
		}
	}
	for _, f := range [][2]float64{{-math.MaxFloat64, math.MaxFloat64}, {0, 5e-324}, {-1e-310, 1e-310}, {1e300, 1.00000000000001e300}} {
		if b := roundBounds(f[0], f[1]); len(b) < 1 || len(b) > 42 || !slices.IsSorted(b) || math.IsNaN(b[0]) || math.IsInf(b[0], 0) || math.IsInf(b[len(b)-1], 0) {
			t.Errorf("%v: %v", f, b)
		}
	}
	if roundBounds(math.Inf(1), math.Inf(-1)) != nil {
		t.Error("nothing has bounds")
	}
}
