package abtest

import (
	"fmt"
	"testing"
)

// manyExperiments is a plan of n experiments about one model, each with a
// targeting condition and a layer, of which only the last can enrol anyone.
func manyExperiments(b *testing.B, n int) *Plan {
	var es []ExperimentConfig
	for i := range n {
		e := split(fmt.Sprint("e", i), 50, 50)
		e.Layer, e.Range = "l", []int{i, i + 1}
		e.Targeting = &Condition{Attribute: "country", In: []any{"de", "at", "ch"}}
		es = append(es, e)
	}
	es[n-1].Layer, es[n-1].Range = "", nil
	return compile(b, []LayerConfig{{Name: "l"}}, es...)
}

func BenchmarkAssign(b *testing.B) {
	unit := []byte("5f2b6c1e-8d1f-4c3a-9a57-0b1e2d3c4f5a")
	attrs := &fixed{"country", Value{Kind: String, Str: []byte("at")}}
	for _, n := range []int{1, 10, 100, 1000} {
		m := manyExperiments(b, n).ModelExperiments("m")
		b.Run(fmt.Sprintf("experiments=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := m.Assign(unit, attrs, nil); a.Reason != ReasonSplit {
					b.Fatal(a.Reason)
				}
			}
		})
	}
	p := compile(b, nil, split("e", 50, 50))
	m := p.ModelExperiments("m")
	for _, bytes := range []int{8, 36, 256} {
		unit := make([]byte, bytes)
		b.Run(fmt.Sprintf("plain/unit=%d", bytes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Assign(unit, nil, nil)
			}
		})
	}
	b.Run("plain/by-name", func(b *testing.B) {
		for b.Loop() {
			p.Assign("m", unit, nil, nil)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for _, k := range []int{2, 3, 10} {
		weights := make([]float64, k)
		weights[0] = 100
		for i := 1; i < k; i++ {
			weights[i] = 5
			weights[0] -= 5
		}
		b.Run(fmt.Sprintf("variants=%d", k), func(b *testing.B) {
			for b.Loop() {
				compile(b, nil, split("e", weights...))
			}
		})
	}
}
