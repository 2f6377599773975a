package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Whatever is added, replaced, removed and merged, the moments are those of the
// values that are left.
func TestMomentsAreThoseOfTheValuesLeft(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var m Moments
	var values []float64
	for step := range 20000 {
		x := r.NormFloat64()*3 + 50
		switch op := r.IntN(10); {
		case len(values) == 0 || op < 5:
			values = append(values, x)
			m.Add(x)
		case op < 8:
			i := r.IntN(len(values))
			m.Replace(values[i], x)
			values[i] = x
		case op < 9:
			i := r.IntN(len(values))
			m.Remove(values[i])
			values[i] = values[len(values)-1]
			values = values[:len(values)-1]
		default:
			var o Moments
			for range r.IntN(4) {
				o.Add(x)
				values = append(values, x)
			}
			m.Merge(o)
		}
		if step%500 != 0 && step > 100 {
			continue
		}
		want := Moments{N: float64(len(values))}
		for _, v := range values {
			want.Mean += v / want.N
		}
		for _, v := range values {
			want.M2 += (v - want.Mean) * (v - want.Mean)
		}
		if m.N != want.N || math.Abs(m.Mean-want.Mean) > 1e-9 || math.Abs(m.M2-want.M2) > 1e-9*(1+want.M2) {
			t.Fatalf("after %d steps %+v, want %+v", step, m, want)
		}
	}
	for _, v := range values {
		m.Remove(v)
	}
	if m != (Moments{}) {
		t.Errorf("with all removed %+v is left", m)
	}
}

func TestProportionIsTheMomentsOfZerosAndOnes(t *testing.T) {
	var m Moments
	for i := range 40 {
		m.Add(float64(i % 4 / 3))
	}
	p := Proportion(10, 40)
	if p.N != m.N || math.Abs(p.Mean-m.Mean) > 1e-15 || math.Abs(p.M2-m.M2) > 1e-12 {
		t.Errorf("%+v, want %+v", p, m)
	}
}

func TestMomentsOfHardlyAnything(t *testing.T) {
	var m Moments
	m.Replace(1, 2)
	m.Remove(3)
	m.Merge(Moments{})
	if m != (Moments{}) || m.Variance() != 0 || Proportion(1, 0) != (Moments{}) {
		t.Errorf("%+v of nothing", m)
	}
	m.Add(7)
	m.Replace(7, 9)
	if m.Mean != 9 || m.Variance() != 0 || m.StdDev() != 0 {
		t.Errorf("%+v of one value", m)
	}
}
