package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"

	"hotpath/abtest/stats"
)

// aaUnits is the most units that one simulated experiment has. How often looking
// again and again misleads depends on the number of looks rather than the units.
const aaUnits = 50_000

// srmLevel is the p-value below which a sample ratio mismatch is alarmed of.
const srmLevel = 0.001

// aaResult is how often tests claimed an effect in experiments that had none, as
// shares of the experiments.
type aaResult struct {
	Experiments int     `json:"experiments"`
	Units       int     `json:"units"` // of each
	Looks       int     `json:"looks"` // at each
	Once        float64 `json:"one_look_test_once"`
	Peeking     float64 `json:"one_look_test_peeking"`
	AnyTime     float64 `json:"any_time_peeking"`
	SRM         float64 `json:"srm_peeking"`
	Alpha       float64 `json:"alpha"`
	SRMLevel    float64 `json:"srm_level"`
}

// runAA runs experiments of the control and the first variant, both with the
// control's metric, and looks at each once a day. It gives the same numbers each
// time it is asked the same.
func runAA(ctx context.Context, s *simulation, experiments int) (*aaResult, error) {
	r := rand.New(rand.NewPCG(1, 2))
	perDay := s.Enrolled * (s.Variants[0].Share + s.Variants[1].Share) / 100
	days := 0
	for _, d := range s.Days {
		days = max(days, d.Day)
	}
	units := int(min(aaUnits, perDay*float64(days)))
	out := &aaResult{Experiments: experiments, Units: units, Looks: min(days, units), Alpha: s.Alpha, SRMLevel: srmLevel}
	if units < 2 {
		return nil, wrongf("--aa needs 2 units, and on day %d the control and %s have %d: give more --traffic or --days", days, s.Variants[1].Name, units)
	}
	var once, peeking, anyTime, srm int
	for range experiments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e := newAAExperiment(s)
		for look := 1; look <= out.Looks; look++ {
			for e.units < units*look/out.Looks {
				e.arrive(r)
			}
			e.look(look == out.Looks)
		}
		tally(&once, e.once)
		tally(&peeking, e.peeking)
		tally(&anyTime, e.anyTime)
		tally(&srm, e.srm.P() <= srmLevel)
	}
	share := func(n int) float64 { return float64(n) / float64(experiments) }
	out.Once, out.Peeking, out.AnyTime, out.SRM = share(once), share(peeking), share(anyTime), share(srm)
	return out, nil
}

func tally(n *int, yes bool) {
	if yes {
		*n++
	}
}

// aaExperiment is one experiment without an effect, and what its tests claimed.
type aaExperiment struct {
	metric  simulatedMetric
	alpha   float64
	shares  []float64
	variant float64 // share
	units   int
	arms    [2]stats.Moments
	srm     *stats.SRM
	once    bool // the test for one look, at the end
	peeking bool // the same, ever
	anyTime bool // the sequence, ever
}

func newAAExperiment(s *simulation) *aaExperiment {
	shares := []float64{s.Variants[0].Share, s.Variants[1].Share}
	return &aaExperiment{metric: s.Metric, alpha: s.Alpha, shares: shares, variant: shares[1] / (shares[0] + shares[1]), srm: stats.NewSRM(2)}
}

func (e *aaExperiment) arrive(r *rand.Rand) {
	arm := 0
	if r.Float64() < e.variant {
		arm = 1
	}
	value := 0.0
	switch {
	case e.metric.Kind == kindMean:
		value = e.metric.Mean + e.metric.StdDev*r.NormFloat64()
	case r.Float64() < e.metric.Mean:
		value = 1
	}
	e.arms[arm].Add(value)
	e.srm.Add(arm, e.shares)
	e.units++
}

func (e *aaExperiment) look(last bool) {
	_, _, _, p := stats.Welch(e.arms[0], e.arms[1], e.alpha)
	e.peeking = e.peeking || p <= e.alpha
	e.once = last && p <= e.alpha
	_, _, _, p = stats.DifferenceSequence(e.arms[0], e.arms[1], e.alpha, stats.TuneUnits)
	e.anyTime = e.anyTime || p <= e.alpha
}

func aaTable(w io.Writer, r *aaResult) {
	fmt.Fprintf(w, "\nFALSE ALARMS OF %d EXPERIMENTS WITHOUT AN EFFECT, %d UNITS AND %d LOOKS EACH\tPROMISED\tFOUND\n", r.Experiments, r.Units, r.Looks)
	for _, row := range []struct {
		name            string
		promised, found float64
	}{
		{"test for one look, looked at once, at the end", r.Alpha, r.Once},
		{"test for one look, stopped when it looks good", r.Alpha, r.Peeking},
		{"any time, stopped when it looks good", r.Alpha, r.AnyTime},
		{"sample ratio mismatch, any time", r.SRMLevel, r.SRM},
	} {
		fmt.Fprintf(w, "%s\t%.3g%%\t%.3g%%\n", row.name, row.promised*100, row.found*100)
	}
}
