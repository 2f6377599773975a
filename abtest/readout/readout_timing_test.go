package readout

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// busy is a readout whose table of units is full of different ones, with metrics and
// guardrails, and the events of some of them.
func busy(b testing.TB, units int) (*lab, []exposure.Event) {
	cfg := split(purchases, guarded(abtest.GuardrailConfig{Metric: "error_rate", MaxIncrease: ptr(5.0)}),
		guarded(abtest.GuardrailConfig{Metric: "p99_ms", MaxRatio: ptr(2.0)}))
	l := newLab(b, Options{}, cfg)
	var some []exposure.Event
	for i := range units {
		e := l.serve(user(i), func(e *exposure.Event) {
			e.Score, e.HasScore, e.LatencyNS = l.random.Float64(), true, 1e6+l.random.Int64N(1e7)
		})
		if i%(units/min(units, 100_000)) == 0 {
			some = append(some, *e)
		}
	}
	rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return l, some
}

// BenchmarkExposed is an event of any of so many units that are known.
func BenchmarkExposed(b *testing.B) {
	for _, units := range [...]int{1000, 700_000} {
		b.Run(fmt.Sprintf("units=%d", units), func(b *testing.B) {
			l, _ := busy(b, units)
			e := l.event(user(0))
			request, unit := make([]byte, 16), []byte("user-")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				request[0], request[1], request[2], request[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
				unit = strconv.AppendInt(unit[:5], l.random.Int64N(int64(units)), 10)
				e.At, e.RequestID, e.Unit = e.At+1000, request, unit
				l.readout.Exposed(&e, false)
			}
		})
	}
}

// BenchmarkExposedNewUnits includes the halving of samples.
func BenchmarkExposedNewUnits(b *testing.B) {
	l, _ := busy(b, 1000)
	e := l.event(user(0))
	id := []byte("0123456789abcdef")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id[0], id[1], id[2], id[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
		e.Unit, e.RequestID = id, id
		l.readout.Exposed(&e, false)
	}
}

func BenchmarkReported(b *testing.B) {
	l, some := busy(b, 700_000)
	for _, f := range [...]struct {
		name string
		make func(*exposure.Event) exposure.Feedback
	}{
		{"request", func(e *exposure.Event) exposure.Feedback { return exposure.Feedback{RequestID: e.RequestID} }},
		{"unit", func(e *exposure.Event) exposure.Feedback { return exposure.Feedback{Unit: e.Unit} }},
	} {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			outcome := []byte("revenue")
			for i := 0; b.Loop(); i++ {
				r := f.make(&some[i%len(some)])
				r.At, r.Outcome, r.Value = l.at, outcome, 1
				l.readout.Reported(&r)
			}
		})
	}
}

func BenchmarkReport(b *testing.B) {
	l, _ := busy(b, 100_000)
	for b.Loop() {
		l.readout.Report("checkout")
	}
}

// BenchmarkSetPlan is a new plan for a thousand experiments with five variants,
// metrics and guardrails each.
func BenchmarkSetPlan(b *testing.B) {
	var cfg abtest.Config
	for i := range abtest.MaxExperiments {
		cfg.Experiments = append(cfg.Experiments, split(purchases, func(e *abtest.ExperimentConfig) {
			e.Name = fmt.Sprintf("experiment-%d", i)
			for j := range 4 {
				e.Variants = append(e.Variants, abtest.VariantConfig{Name: fmt.Sprintf("v%d", j), Weight: ptr(0.0)})
			}
			e.Variants = e.Variants[:5]
		}, guarded(abtest.GuardrailConfig{Metric: "error_rate", MaxIncrease: ptr(5.0)}),
			guarded(abtest.GuardrailConfig{Metric: "p99_ms", MaxRatio: ptr(2.0)})).Experiments[0])
	}
	l := newLab(b, Options{}, cfg)
	other := cfg
	other.Experiments = other.Experiments[:len(other.Experiments)-1]
	plans := [2]*abtest.Plan{l.plan, compile(b, other)}
	for i := 0; b.Loop(); i++ {
		l.readout.SetPlan(plans[i%2])
	}
}

// BenchmarkMakeRoom is one halving of a full table.
func BenchmarkMakeRoom(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		l, _ := busy(b, DefaultUnits)
		b.StartTimer()
		l.readout.makeRoom()
	}
}

// BenchmarkGuardrails is a look at full windows.
func BenchmarkGuardrails(b *testing.B) {
	l, _ := busy(b, 100_000)
	for b.Loop() {
		l.readout.Guardrails(time.Unix(0, l.at))
	}
}
