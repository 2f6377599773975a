package abtest

import (
	"fmt"
	"syscall"
	"testing"
)

// manyExperiments are experiments about one model, each with targeting, in so
// many layers that they divide evenly. The kinds of variants differ as they do
// in practice: mostly two with any weights, some with equal shares, a few others.
func manyExperiments(experiments, layers int) Config {
	var cfg Config
	for l := range layers {
		cfg.Layers = append(cfg.Layers, LayerConfig{Name: fmt.Sprint("l", l)})
	}
	each := experiments / layers
	for i := range experiments {
		var e ExperimentConfig
		switch name, w := fmt.Sprint("e", i), float64(1+i*7%99); i % 10 {
		case 0:
			e = split(name, 33.33, 33.33, 33.34)
		case 1:
			e = split(name, 25, 25, 25, 25)
		case 2:
			e = split(name, 100-float64(i%19*5), float64(i%19*3), float64(i%19*2))
		default:
			e = split(name, w, 100-w)
		}
		low := i / layers * (Buckets / each)
		e.Layer, e.Range = fmt.Sprint("l", i%layers), []int{low, low + Buckets/each}
		e.Targeting = &Condition{All: []Condition{{Attribute: "country", In: []any{"at", fmt.Sprint("c", i%50), "ch"}}, {Attribute: "age", Gte: ptr(18 + float64(i%7))}}}
		cfg.Experiments = append(cfg.Experiments, e)
	}
	return cfg
}

// person is a context of a few attributes that answers without allocating.
type person struct {
	country []byte
	age     float64
}

func (p *person) Attribute(name string) (Value, bool) {
	switch name {
	case "country":
		return Value{Kind: String, Str: p.country}, true
	case "age":
		return Value{Kind: Number, Num: p.age}, true
	}
	return Value{}, false
}

var uuids = func() (ids [256][]byte) {
	for i := range ids {
		ids[i] = []byte(shapes["uuid"](i))
	}
	return ids
}()

// reportCPU adds the processor's time per operation, which a busy machine
// stretches less than the clock's. The function it returns ends the measurement.
func reportCPU(b *testing.B) (end func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}

func benchmarkAssign(b *testing.B, m *ModelPlan, attrs Attributes) {
	r := Request{Attributes: attrs, Now: 1 << 30}
	b.ReportAllocs()
	defer reportCPU(b)()
	for i := 0; b.Loop(); i++ {
		r.User = uuids[i%len(uuids)]
		m.Assign(&r)
	}
}

func BenchmarkAssign(b *testing.B) {
	adult, child := &person{[]byte("at"), 40}, &person{[]byte("at"), 12}
	b.Run("experiments=1", func(b *testing.B) {
		benchmarkAssign(b, compile(b, nil, split("e", 50, 50)).ModelExperiments("m"), adult)
	})
	b.Run("experiments=1/everything", func(b *testing.B) {
		p := compileYAML(b, everything)
		benchmarkAssign(b, p.ModelExperiments("m"), adult)
	})
	for _, n := range []struct{ experiments, layers int }{{10, 1}, {100, 2}, {1000, 20}} {
		p, err := Compile(manyExperiments(n.experiments, n.layers))
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("experiments=%d/layers=%d", n.experiments, n.layers)
		b.Run(name+"/first", func(b *testing.B) { benchmarkAssign(b, p.ModelExperiments("m"), adult) })
		// Nobody is targeted, so that every layer is asked.
		b.Run(name+"/none", func(b *testing.B) { benchmarkAssign(b, p.ModelExperiments("m"), child) })
	}
}

// everything is an experiment with all that a decision can depend on.
const everything = `
layers: [{name: l, holdout: {share: 1}}]
holdout: {share: 1}
experiments:
  - name: first
    model: other
    variants: [{name: a, weight: 50}, {name: b, weight: 50}]
  - name: e
    model: m
    layer: l
    range: [0, 9000]
    start: "2000-01-01T00:00:00Z"
    end: "2100-01-01T00:00:00Z"
    ramp: [{share: 1}, {at: "2000-01-02T00:00:00Z", share: 5}, {at: "2000-01-03T00:00:00Z", share: 90}]
    prerequisites: [{experiment: first}]
    sticky: true
    overrides: {a: [vip]}
    targeting: {all: [{attribute: country, in: [de, at]}, {attribute: age, gte: 18}, {percent: 99, salt: s}]}
    variants: [{name: a, weight: 50}, {name: b, weight: 50}]
`

func BenchmarkCompile(b *testing.B) {
	b.Run("experiments=1000", func(b *testing.B) {
		cfg := manyExperiments(1000, 20)
		b.ReportAllocs()
		defer reportCPU(b)()
		for b.Loop() {
			if _, err := Compile(cfg); err != nil {
				b.Fatal(err)
			}
		}
	})
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
