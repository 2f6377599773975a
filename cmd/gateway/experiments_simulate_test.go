package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// simulate runs the command and reads its answer.
func simulate(t *testing.T, args ...string) (s simulation) {
	t.Helper()
	got := cli(t, append([]string{"experiments", "simulate", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(got.out), &s); err != nil || got.code != 0 || got.stderr != "" {
		t.Fatalf("exit %d, %v\n%s%s", got.code, err, got.out, got.stderr)
	}
	return s
}

func TestSimulateSaysHowLongAnEffectTakes(t *testing.T) {
	s := simulate(t, "--traffic", "350000/week", "--baseline", "10%", "--effect", "5%", "--days", "1,28")
	// The sample size is statsmodels': abtest/stats/testdata.
	if n := s.Needed[0]; *n.OneLookUnits != 115_526 || math.Abs(*n.OneLook-115_526.0/50_000) > 1e-4 || !(*n.AnyTime > 2**n.OneLook) {
		t.Errorf("%+v", n)
	}
	last := s.Days[1]
	v := last.Variants[0]
	if last.Control != 700_000 || v.Units != 700_000 || !(*v.OneLook > 0.01 && *v.OneLook < *v.AnyTime && *v.AnyTime < 0.03) {
		t.Errorf("day 28: %g and %+v, %g or %g", last.Control, v, *v.OneLook, *v.AnyTime)
	}
	cli(t, "experiments", "simulate", "--traffic", "50000/day", "--baseline", "0.1", "--effect", "5%").wants(t, 0, "variant 1         2.4 ", "")
}

func TestSimulateAMeanWithAnUnevenSplit(t *testing.T) {
	s := simulate(t, "--traffic", "1000/hour", "--split", "40,5,5", "--mean", "-20", "--stddev", "45", "--effect", "-10%")
	if s.Arriving != 24_000 || s.Enrolled != 12_000 || len(s.Variants) != 3 || s.Variants[0].Share != 80 || len(s.Days) != 5 || len(s.Needed) != 2 {
		t.Errorf("%+v", s)
	}
	if d := s.Days[0]; d.Control != 9600 || d.Variants[1].Units != 1200 || *d.Variants[1].OneLook <= 0 {
		t.Errorf("%+v", d)
	}
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "--alpha 0.025") {
		t.Errorf("notes %q", s.Notes)
	}
	// On the first day of little traffic nothing can be told at any time.
	few := simulate(t, "--traffic", "10/day", "--baseline", "0.5", "--days", "1")
	if few.Days[0].Variants[0].AnyTime != nil {
		t.Errorf("%+v", few.Days[0])
	}
	cli(t, "experiments", "simulate", "--traffic", "10/day", "--baseline", "0.5", "--days", "1").wants(t, 0, " none\n", "")
}

const simulatedFile = `
layers: [{name: scoring}]
experiments:
  - name: half
    model: risk
    layer: scoring
    range: [0, 5000]
    control: old
    ramp: [{share: 20}]
    variants: [{name: new, weight: 25}, {name: old, weight: 70}, {name: canary, weight: 5, canary: true}, {name: dark, shadow: true}, {name: asked, weight: 0}]
  - name: later
    model: risk
    ramp: [{at: 2200-01-01T00:00:00Z, share: 50}]
    variants: [{name: a, weight: 50}, {name: b, weight: 50}]
  - name: growing
    model: risk
    ramp: [{share: 10}, {at: 2200-01-01T00:00:00Z, share: 50}]
    variants: [{name: a, weight: 50}, {name: b, weight: 50}]
  - name: closed
    model: risk
    ramp: [{share: 0}]
    variants: [{name: a, weight: 50}, {name: b, weight: 50}]
  - name: alone
    model: risk
    variants: [{name: a, weight: 100}]
  - name: uncontrolled
    model: risk
    control: a
    variants: [{name: a, weight: 0}, {name: b, weight: 100}]
`

func TestSimulateAnExperimentOfTheFile(t *testing.T) {
	file := writeFile(t, t.TempDir(), "experiments.yaml", simulatedFile)
	of := func(name string) []string {
		return []string{"--traffic", "10000/day", "--baseline", "0.2", "--file", file, "--experiment", name}
	}
	s := simulate(t, of("half")...)
	if s.Enrolled != 1000 || len(s.Variants) != 3 || s.Variants[0] != (simulatedVariant{"old", 70}) || s.Variants[1] != (simulatedVariant{"new", 25}) {
		t.Errorf("%+v", s)
	}
	if s = simulate(t, of("later")...); s.Enrolled != 5000 || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "its last step, 50%") {
		t.Errorf("%+v", s)
	}
	if s = simulate(t, of("growing")...); s.Enrolled != 1000 || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "goes on to 50%") {
		t.Errorf("%+v", s)
	}
	// By the configuration, and from standard input.
	main := writeFile(t, t.TempDir(), "gateway.yaml", "experiments: {file: "+file+"}\n")
	cli(t, "experiments", "simulate", "--config", main, "--traffic", "10000/day", "--baseline", "0.2", "--experiment", "half").
		wants(t, 0, "experiment half: 10000 units arrive a day, 1000 of them are in the experiment", "")
	cliWith(t, nil, simulatedFile, "experiments", "simulate", "--file", "-", "--traffic", "10000/day", "--baseline", "0.2", "--experiment", "half").
		wants(t, 0, "UNITS OF OLD", "")
	for name, problem := range map[string]string{
		"closed":       "its ramp lets nobody in",
		"alone":        "no variant but the control",
		"uncontrolled": "the control, a, has weight 0",
		"missing":      "is not in " + file + ", which has half, later",
	} {
		cli(t, append([]string{"experiments", "simulate"}, of(name)...)...).wants(t, 2, "", problem)
	}
	broken := writeFile(t, t.TempDir(), "broken.yaml", "experiments: [{name: x}]\n")
	cli(t, "experiments", "simulate", "--traffic", "1/day", "--baseline", "0.2", "--experiment", "x", "--file", broken).wants(t, 2, "", broken+":1:")
}

func TestSimulateShowsWhatPeekingDoes(t *testing.T) {
	for _, metric := range [][]string{{"--baseline", "0.1"}, {"--mean", "3", "--stddev", "5"}} {
		args := append([]string{"--traffic", "200/day", "--split", "80,20", "--aa", "100", "--days", "40,10"}, metric...)
		s := simulate(t, args...)
		aa := s.AA
		if aa.Experiments != 100 || aa.Units != 8000 || aa.Looks != 40 {
			t.Errorf("%+v", aa)
		}
		if aa.Once > 0.12 || aa.Peeking < 0.2 || aa.AnyTime > 0.05 || aa.SRM > 0.02 {
			t.Errorf("%q: once %g, peeking %g, any time %g, sample ratio %g", metric, aa.Once, aa.Peeking, aa.AnyTime, aa.SRM)
		}
	}
	few := []string{"--traffic", "200/day", "--baseline", "0.1", "--aa", "10", "--days", "5"}
	if first, again := simulate(t, few...), simulate(t, few...); *again.AA != *first.AA {
		t.Errorf("%+v, then %+v", first.AA, again.AA)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := simulateFlags{traffic: "500/day", baseline: "0.1", alpha: 0.05, power: 0.8, days: []int{1}}
	s, err := f.simulation(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runAA(ctx, s, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSimulateRefusesWithTheFlagAndTheFix(t *testing.T) {
	const fine = "--traffic 50/day --baseline 0.5 "
	for args, problem := range map[string]string{
		"":                                               `required flag(s) "traffic" not set`,
		"--traffic 5":                                    `--traffic "5" is not a number of units per hour, day or week, as in 50000/day`,
		"--traffic 5/year":                               "as in 50000/day",
		"--traffic 0/day --baseline 0.1":                 `--traffic "0/day" must be above 0`,
		"--traffic NaN/day --baseline 0.1":               `must be above 0`,
		"--traffic 50/day":                               "give --baseline RATE",
		"--traffic 50/day --baseline 5":                  "--baseline 5 must be above 0 and below 1",
		"--traffic 50/day --baseline much":               `--baseline "much" is not a number or a percentage`,
		"--traffic 50/day --mean 0 --stddev 1":           `--mean "0" must be a number other than 0`,
		"--traffic 50/day --mean 1":                      `--stddev "" must be a number above 0`,
		"--traffic 50/day --stddev 1":                    `--mean "" must be a number`,
		fine + "--mean 1":                                "give one of them",
		fine + "--effect 0":                              "--effect 0 must be above -100% and not 0",
		fine + "--effect 150%":                           "leads above 1 (100%)",
		fine + "--alpha 0.7":                             "--alpha 0.7 must be from 1e-9 to 0.5",
		fine + "--power 0.01":                            "--power 0.01 must be above --alpha",
		fine + "--days 0":                                "--days 0 must be from 1 to 3650",
		fine + "--days x":                                `invalid argument "x" for "--days"`,
		fine + "--split 10":                              "--split 10 has 1 share",
		fine + "--split 60,60":                           "adds up to 120",
		fine + "--split 60,0":                            `share "0" is not a percentage above 0`,
		fine + "--split 50,50 --experiment risk":         "both say how units are split",
		fine + "--experiment risk":                       "--experiment risk is of no file: give --file",
		fine + "--file e.yaml":                           "--file e.yaml is given without --experiment",
		fine + "--file gone --experiment risk":           "gone: no such file",
		fine + "--aa -1":                                 "--aa -1 must be from 0 to 10000",
		"--traffic 1/day --baseline 0.5 --days 1 --aa 1": "--aa needs 2 units",
	} {
		got := cli(t, append([]string{"experiments", "simulate"}, strings.Fields(args)...)...)
		got.wants(t, 2, "", problem)
		if got.out != "" {
			t.Errorf("%s: stdout has %s", args, got.out)
		}
	}
}
