package abtest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

const wrongReadout = `
experiments:
  - name: e
    model: m
    control: dark
    metrics:
      - {name: purchase, kind: sum, goal: left, within: soon}
      - {name: purchase, within: 0s}
      - {name: error_rate, within: 8785h}
      - {name: "a b"}
      - {kind: value}
      - {name: revenue, kind: value, goal: down, within: 168h}
    guardrails:
      - {metric: eror_rate, max: 5}
      - {max: 5}
      - {metric: error_rate}
      - {metric: error_rate, max: 100, min: 1, max_decrease: 1, window: 9s, min_requests: -1, action: explode}
      - {metric: degraded_rate, max: -1, max_increase: -1, max_ratio: 1, window: 601s, min_requests: 1000001}
      - {metric: p99_ms, max: 0, min: 0, window: 1x}
      - {metric: p50_ms, min: 5, max: 5}
      - {metric: mean_score, max_ratio: 2, max: .inf}
      - {metric: purchase, min: 101, max_increase: 100, window: 1m}
      - {metric: revenue, max: .nan, variants: [a, b, b, nobody, dark]}
    variants: [{name: a, weight: 50}, {name: b, weight: 50}, {name: dark, shadow: true}]
  - name: canaries
    model: m
    variants: [{name: c, weight: 50, canary: true}, {name: d, weight: 50, canary: true}, {name: "off", weight: 0}]
  - name: named
    model: m
    control: c
    variants: [{name: a, weight: 95}, {name: c, weight: 5, canary: true}]
  - name: control-watched
    model: m
    control: nobody
    guardrails: [{metric: error_rate, max: 5, variants: [a]}]
    variants: [{name: a, weight: 100}]
  - name: watched
    model: m
    guardrails: [{metric: error_rate, max: 5, variants: [b, a]}]
    variants: [{name: a, weight: 0}, {name: b, weight: 100}]
`

func TestCompileReportsWrongReadouts(t *testing.T) {
	const all = "error_rate, degraded_rate, nonfinite_rate, p50_ms, p90_ms, p95_ms, p99_ms, mean_score"
	want := []string{
		`experiments[0].control: "dark" is a shadow, which never answers`,
		`experiments[0].metrics[0].kind: "sum" is no kind: give one of conversion, value`,
		`experiments[0].metrics[0].goal: "left" is no goal: give one of up, down`,
		`experiments[0].metrics[0].within: "soon" is not a duration such as 30s, 5m or 168h`,
		`experiments[0].metrics[1].name: "purchase" is the name of an earlier metric`,
		`experiments[0].metrics[1].within: 0s is not above 0 and at most 8784h`,
		`experiments[0].metrics[2].name: "error_rate" is measured of the answers already: name an outcome that POST /feedback reports, or leave the metric out`,
		`experiments[0].metrics[2].within: 8785h is not above 0 and at most 8784h`,
		`experiments[0].metrics[3].name: "a b": a name starts with`,
		`experiments[0].metrics[4].name: is missing`,
		`experiments[0].guardrails[0].metric: "eror_rate" is not a metric: give one of ` + all + `, purchase, `,
		`experiments[0].guardrails[1].metric: is missing: give one of ` + all,
		`experiments[0].guardrails[2]: has no bound: give max, min, max_increase, max_decrease or max_ratio`,
		`experiments[0].guardrails[3].max: 100: error_rate is in percent, so a max is at least 0 and below 100`,
		`experiments[0].guardrails[3].min: error_rate is better the lower it is: give max, max_increase or max_ratio`,
		`experiments[0].guardrails[3].max_decrease: error_rate is better the lower it is`,
		`experiments[0].guardrails[3].window: 9s is not between 10s and 10m`,
		`experiments[0].guardrails[3].min_requests: -1 is not between 1 and 1000000`,
		`experiments[0].guardrails[3].action: "explode" is no action: give one of rollback, pause, alert`,
		`experiments[0].guardrails[4].max: -1: degraded_rate is in percent`,
		`experiments[0].guardrails[4].max_increase: -1 is negative: give how far degraded_rate may be from the control's, at least 0`,
		`experiments[0].guardrails[4].max_ratio: 1 is not above 1: give how many times the control's degraded_rate may be`,
		`experiments[0].guardrails[4].window: 601s is not between 10s and 10m`,
		`experiments[0].guardrails[4].min_requests: 1000001 is not between 1 and 1000000`,
		`experiments[0].guardrails[5].max: 0: p99_ms is in milliseconds, so a max is above 0`,
		`experiments[0].guardrails[5].min: 0: p99_ms is in milliseconds, so a min is above 0`,
		`experiments[0].guardrails[5].window: "1x" is not a duration`,
		`experiments[0].guardrails[6].min: 5 is not below max, 5: one of the two would always trip`,
		`experiments[0].guardrails[7].max: +Inf is not a finite number`,
		`experiments[0].guardrails[7].max_ratio: mean_score may be 0 or negative, of which no multiple is a bound`,
		`experiments[0].guardrails[8].min: 101: purchase is in percent, so a min is above 0 and at most 100`,
		`experiments[0].guardrails[8].max_increase: 100: purchase is in percent, so two variants differ by less than 100 points`,
		`experiments[0].guardrails[8].window: 1m is for metrics of the answers: purchase is feedback`,
		`experiments[0].guardrails[9].variants[2]: "b" is named already`,
		`experiments[0].guardrails[9].variants[3]: "nobody" is not a variant of experiment "e"`,
		`experiments[0].guardrails[9].variants[4]: "dark" is a shadow`,
		`experiments[0].guardrails[9].max: NaN is not a finite number`,
		`experiments[1].variants: every variant with a weight is a canary: give a variant that is proven`,
		`experiments[2].control: "c" is a canary, which guardrails compare with the control: name a variant that is proven`,
		`experiments[3].control: "nobody" is not a variant of experiment "control-watched"`,
		`experiments[4].guardrails[0].variants[0]: "b" is the control, whose units have nowhere to go`,
	}
	_, err := Compile(decodeYAML(t, wrongReadout))
	var got Problems
	errors.As(err, &got)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i].String(), want[i]) {
			t.Fatalf("problem %d of %d is not as wanted (%d):\n%v", i, len(got), len(want), err)
		}
	}
	checkPaths(t, wrongReadout, got)
}

func TestReadoutLimits(t *testing.T) {
	metrics := func(n int) Config {
		return with(func(e *ExperimentConfig) {
			for i := range n {
				e.Metrics = append(e.Metrics, MetricConfig{Name: fmt.Sprint("m", i)})
			}
		})
	}
	guardrails := func(n int) Config {
		return with(func(e *ExperimentConfig) {
			for range n {
				e.Guardrails = append(e.Guardrails, GuardrailConfig{Metric: "error_rate", Max: ptr(1.0)})
			}
		})
	}
	checkLimit(t, "metrics at the limit", metrics(MaxMetrics), "")
	checkLimit(t, "metrics", metrics(MaxMetrics+1), "experiments[0].metrics")
	checkLimit(t, "guardrails at the limit", guardrails(MaxGuardrails), "")
	checkLimit(t, "guardrails", guardrails(MaxGuardrails+1), "experiments[0].guardrails")
}

const guarded = `
experiments:
  - name: e
    model: m
    metrics:
      - {name: purchase}
      - {name: latency_felt, kind: value, goal: down, within: 1h30m}
    guardrails:
      - {metric: error_rate, max: 2, max_increase: 0.5}
      - {metric: p99_ms, max_ratio: 1.5, window: 10s, min_requests: 1, action: alert, variants: [c]}
      - {metric: purchase, max_decrease: 3, action: pause}
      - {metric: latency_felt, max: 1000}
    variants: [{name: a, weight: 60}, {name: b, weight: 40}, {name: c, weight: 0}, {name: s, shadow: true}]
`

func TestReadoutOfAnExperiment(t *testing.T) {
	e := compileYAML(t, guarded).Experiment("e")
	if got, want := fmt.Sprint(e.Metrics()), "[{purchase false false 0} {latency_felt true true 5400000000000}]"; got != want {
		t.Errorf("metrics %s, want %s", got, want)
	}
	want := []struct {
		g        Guardrail
		variants string
		percent  bool
	}{
		{Guardrail{Metric: "error_rate", Max: ptr(2.0), MaxIncrease: ptr(0.5), Window: minute, MinRequests: 100}, "b c", true},
		{Guardrail{Metric: "p99_ms", MaxRatio: ptr(1.5), Window: 10 * second, MinRequests: 1, Action: Alert}, "c", false},
		{Guardrail{Metric: "purchase", Feedback: &e.Metrics()[0], MaxDecrease: ptr(3.0), MinRequests: 100, Action: Pause}, "b c", true},
		{Guardrail{Metric: "latency_felt", Feedback: &e.Metrics()[1], Max: ptr(1000.0), MinRequests: 100}, "b c", false},
	}
	if len(e.Guardrails()) != len(want) {
		t.Fatalf("guardrails %+v", e.Guardrails())
	}
	for i, w := range want {
		g := e.Guardrails()[i]
		if describe(&g) != describe(&w.g)+w.variants || g.Feedback != w.g.Feedback || g.Percent() != w.percent {
			t.Errorf("guardrail %d is %s, want %s%s", i, describe(&g), describe(&w.g), w.variants)
		}
	}
}

// describe is all of a guardrail as text.
func describe(g *Guardrail) string {
	text := fmt.Sprint(g.Metric, " ", g.Action, " ", g.Window, " ", g.MinRequests, " ", g.Default)
	for _, b := range []*float64{g.Max, g.Min, g.MaxIncrease, g.MaxDecrease, g.MaxRatio} {
		if b == nil {
			b = ptr(math.NaN())
		}
		text += fmt.Sprint(" ", *b)
	}
	var names []string
	for _, v := range g.Variants {
		names = append(names, v.Name())
	}
	return text + " " + strings.Join(names, " ")
}

func TestControl(t *testing.T) {
	for _, c := range []struct{ keys, variants, want string }{
		{"", "{name: a, weight: 50}, {name: b, weight: 50}", "a"},
		{"", "{name: s, shadow: true}, {name: a, weight: 0}, {name: b, weight: 100}", "b"},
		{"", "{name: c, weight: 5, canary: true}, {name: b, weight: 95}", "b"},
		{"", "{name: a, weight: 50}, {name: control, weight: 50}", "control"},
		{"", "{name: a, weight: 100}, {name: control, weight: 0}", "control"},
		{"", "{name: a, weight: 95}, {name: control, weight: 5, canary: true}", "a"},
		{"", "{name: a, weight: 100}, {name: control, shadow: true}", "a"},
		{"fallback: b, ", "{name: control, weight: 50}, {name: b, weight: 50}", "b"},
		{"fallback: b, control: a, ", "{name: a, weight: 50}, {name: b, weight: 50}", "a"},
	} {
		e := compileYAML(t, "experiments: [{name: e, model: m, "+c.keys+"variants: ["+c.variants+"]}]").Experiment("e")
		if e.Control() == nil || e.Control().Name() != c.want {
			t.Errorf("%s%s: the control is %+v, want %s", c.keys, c.variants, e.Control(), c.want)
		}
	}
}

// A canary that no guardrail of the file watches has default ones.
func TestCanariesAreGuarded(t *testing.T) {
	const file = `experiments: [{name: e, model: m, guardrails: [%s], variants: [{name: a, weight: 80}, {name: b, weight: 5, canary: true}, {name: c, weight: 5, canary: true}, {name: d, weight: 10}]}]`
	for given, want := range map[string]string{
		"": "b c", "{metric: error_rate, max: 5, variants: [b]}": "c", "{metric: error_rate, max: 5, variants: [d]}": "b c", "{metric: error_rate, max: 5}": "",
	} {
		e := compileYAML(t, fmt.Sprintf(file, given)).Experiment("e")
		var got []string
		for _, g := range e.Guardrails() {
			if g.Default {
				got = append(got, describe(&g))
			}
		}
		var all []string
		for _, text := range []string{"error_rate rollback 60000000000 200 true NaN NaN 5 NaN NaN ", "degraded_rate rollback 60000000000 200 true NaN NaN 5 NaN NaN ",
			"nonfinite_rate rollback 60000000000 200 true NaN NaN 1 NaN NaN ", "p99_ms rollback 60000000000 200 true NaN NaN NaN NaN 3 "} {
			if want != "" {
				all = append(all, text+want)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(all) {
			t.Errorf("%q: default guardrails\n%q, want\n%q", given, got, all)
		}
	}
}

// What the readout goes by decides nothing.
func TestReadoutIsNotInTheDigest(t *testing.T) {
	const file = `experiments: [{name: e, model: m, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}]`
	with := strings.Replace(file, "model: m,", "model: m, control: b, metrics: [{name: x}], guardrails: [{metric: x, min: 1}],", 1)
	if compileYAML(t, file).Digest() != compileYAML(t, with).Digest() {
		t.Error("control, metrics and guardrails change the digest")
	}
}
