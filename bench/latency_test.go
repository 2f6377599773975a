package bench

import (
	"math"
	"testing"
	"time"
)

func within(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*want {
		t.Errorf("%s = %v, want %v within %v%%", what, got, want, 100*part)
	}
}

func TestPercentilesOfKnownLatencies(t *testing.T) {
	h := newHistogram()
	for i := 1; i <= 100_000; i++ {
		record(h, time.Duration(i)*time.Microsecond)
	}
	l := summarize(h)
	if l.Count != 100_000 {
		t.Errorf("count = %d", l.Count)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{{"p50", l.P50, 50_000}, {"p90", l.P90, 90_000}, {"p99", l.P99, 99_000}, {"p99.9", l.P999, 99_900}, {"max", l.Max, 100_000}} {
		within(t, c.name, c.got, c.want, 0.001)
	}
	last := l.Curve[len(l.Curve)-1]
	within(t, "the curve's last percentile", last.Percentile, 99.999, 1e-6)
	within(t, "the curve's end", last.Micros, 100_000, 0.001)
	for i := 1; i < len(l.Curve); i++ {
		if l.Curve[i].Percentile <= l.Curve[i-1].Percentile || l.Curve[i].Micros < l.Curve[i-1].Micros {
			t.Errorf("curve falls at %d: %v after %v", i, l.Curve[i], l.Curve[i-1])
		}
	}
}

func TestLatenciesOutsideOfTheRangeAreClamped(t *testing.T) {
	h := newHistogram()
	record(h, -time.Second)
	record(h, 0)
	record(h, time.Hour)
	if h.TotalCount() != 3 {
		t.Fatalf("recorded %d of 3", h.TotalCount())
	}
	within(t, "max", float64(h.Max()), float64(longest), 0.001)
	if h.Min() > 1 {
		t.Errorf("min = %d", h.Min())
	}
}

func TestNoLatencies(t *testing.T) {
	if l := summarize(newHistogram()); l.Count != 0 || l.Max != 0 || l.Curve != nil {
		t.Errorf("empty histogram: %+v", l)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median = %v, want %v", got, c.want)
		}
	}
}

func TestBootstrapInterval(t *testing.T) {
	if i := bootstrap([]float64{1.2, 1.2, 1.2}); i.Low != 1.2 || i.High != 1.2 || i.Median != 1.2 || i.N != 3 {
		t.Errorf("equal values: %+v", i)
	}
	values := []float64{1.10, 1.12, 1.14, 1.16, 1.18, 1.20, 1.22, 1.24, 1.26, 1.28}
	i := bootstrap(values)
	within(t, "median", i.Median, 1.19, 1e-9)
	// The interval of a median of ten lies about three order statistics out.
	if i.Low < 1.10 || i.Low > 1.16 || i.High < 1.22 || i.High > 1.28 {
		t.Errorf("interval %+v", i)
	}
	if !i.Excludes(1) || i.Excludes(1.19) {
		t.Errorf("%+v: Excludes(1) = %v, Excludes(1.19) = %v", i, i.Excludes(1), i.Excludes(1.19))
	}
	if again := bootstrap(values); again != i {
		t.Errorf("equal values, other interval: %+v, %+v", i, again)
	}
	if (bootstrap(nil) != Interval{}) {
		t.Error("interval of nothing")
	}
}
