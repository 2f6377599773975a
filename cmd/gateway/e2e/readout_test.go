package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// exposure is a line of the log of exposures.
type exposure struct {
	Type, Experiment, Variant, Reason, ID, Unit, Code string
	Served                                            string `json:"served_variant"`
}

// exposures reads the log.
func exposures(t *testing.T, dir string) []exposure {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []exposure
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var e exposure
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("%s: %s: %v", name, lines.Text(), err)
			}
			all = append(all, e)
		}
		f.Close()
	}
	return all
}

// report is the part of a readout that is looked at here.
type experimentReport struct {
	Exposures int
	SRM       struct {
		PValue float64 `json:"p_value"`
		Alert  bool
	}
	Variants []struct {
		Name            string
		Units, Requests int
		Held            bool
	}
	Metrics []struct {
		Name     string
		Variants []struct {
			Name, Verdict    string
			Units, Converted int
		}
	}
	Guardrails []struct {
		Metric, Variant, Text string
		Tripped               bool
	}
}

func (g *gateway) experimentReport(t *testing.T, name string) experimentReport {
	t.Helper()
	var r experimentReport
	if status := g.get(t, "/admin/experiments/"+name+"/report", &r); status != 200 {
		t.Errorf("report: %d", status)
	}
	return r
}

// watched is split(50) with a metric and a guardrail on it.
func watched() string {
	return split(50) + `    metrics: [{name: purchase}]
    guardrails: [{metric: purchase, max_decrease: 5, min_requests: 50, action: rollback}]
`
}

// TestExposuresFeedbackAndReadout follows answers into the log of exposures, and
// outcomes into the readout; a restart forgets nothing.
func TestExposuresFeedbackAndReadout(t *testing.T) {
	dir := demoFiles(t, watched())
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	args := append(append(demoArgs(dir, redis.addr), calm...), "--set", "experiments.data_dir="+filepath.Join(dir, "data"))
	g := startGateway(t, dir, args...)
	assigned := g.variants(t)
	g.variants(t) // again: these are no new exposures
	buyers := 0
	for user := range assigned {
		if strings.HasSuffix(user, "1") {
			buyers++
			if status, text, _ := request(t, "POST", "http://"+g.Traffic+"/feedback", fmt.Sprintf(`{"user_id":%q,"outcome":"purchase"}`, user)); status != 202 {
				t.Fatalf("feedback: %d %s", status, text)
			}
		}
	}
	converted := func(r experimentReport) (units, n int) {
		for _, m := range r.Metrics {
			for _, v := range m.Variants {
				units, n = units+v.Units, n+v.Converted
			}
		}
		return units, n
	}
	var r experimentReport
	within(t, scaled(10*time.Second), "the readout has everybody", func() bool {
		r = g.experimentReport(t, "risk-gbm")
		units, n := converted(r)
		return units == len(assigned) && n == buyers
	})
	if r.SRM.Alert || r.SRM.PValue < 0.001 {
		t.Errorf("sample ratio: %+v", r.SRM)
	}
	g.Stop(t)

	logged, feedback := map[string]string{}, 0
	for _, e := range exposures(t, filepath.Join(dir, "data", "exposures")) {
		if e.Type == "feedback" {
			feedback++
			continue
		}
		if logged[e.ID] != "" {
			t.Errorf("%s is logged twice", e.ID)
		}
		if logged[e.ID] = e.Variant; e.Served != e.Variant || e.Reason != "split" || e.Experiment != "risk-gbm" {
			t.Errorf("%+v", e)
		}
	}
	if ways := moved(assigned, logged); len(ways) > 0 || len(logged) != len(assigned) || feedback != buyers {
		t.Errorf("%d of %d users logged, %d of %d outcomes, different: %v", len(logged), len(assigned), feedback, buyers, ways)
	}

	again := startGateway(t, dir, args...)
	within(t, scaled(10*time.Second), "the readout is what it was", func() bool {
		units, n := converted(again.experimentReport(t, "risk-gbm"))
		return units == len(assigned) && n == buyers
	})
	verdict(t, "exposures and feedback", "each user once, each outcome joined, also after a restart", "%d users, %d outcomes, SRM p %.3f", len(logged), buyers, r.SRM.PValue)
	again.Stop(t)
}

// TestGuardrailRollsBack hurts the treatment's users and no others. The guardrail
// gives them to the control by itself, says so, and an operator takes that back.
func TestGuardrailRollsBack(t *testing.T) {
	g, _ := startOverRedis(t, watched(), append(calm, "--set", "experiments.data_dir=data", "--set", "experiments.readout.guardrail_interval=200ms")...)
	before := g.variants(t)
	var outcomes []string
	for user, v := range before {
		if v == "control" {
			outcomes = append(outcomes, fmt.Sprintf(`{"user_id":%q,"outcome":"purchase"}`, user))
		}
	}
	start := time.Now()
	for len(outcomes) > 0 {
		n := min(200, len(outcomes))
		if status, text, _ := request(t, "POST", "http://"+g.Traffic+"/feedback", `{"outcomes":[`+strings.Join(outcomes[:n], ",")+`]}`); status != 202 {
			t.Fatalf("feedback: %d %s", status, text)
		}
		outcomes = outcomes[n:]
	}
	var list struct {
		Holds []struct{ Experiment, Variant, Who, Text string }
	}
	took := within(t, scaled(10*time.Second), "the treatment is rolled back", func() bool {
		g.get(t, "/admin/experiments", &list)
		return len(list.Holds) > 0
	})
	if h := list.Holds[0]; h.Experiment != "risk-gbm" || h.Variant != "treatment" || !strings.Contains(h.Text, "purchase") {
		t.Errorf("%+v", list.Holds)
	}
	if got := share(g.variants(t), "control"); got != 1 {
		t.Errorf("control has %.3f of the users, want all", got)
	}
	var history []struct{ Via, Message string }
	g.get(t, "/admin/experiments/history", &history)
	if !strings.Contains(fmt.Sprint(history), "guardrail") {
		t.Errorf("the history does not tell of it: %+v", history)
	}
	verdict(t, "guardrail trips", "the variant is rolled back and it is said why", "after %s (from %s): %s", took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), list.Holds[0].Text)
	if code, out, stderr := g.cli(t, "experiments", "resume", "risk-gbm", "-m", "it was the shop"); code != 0 {
		t.Errorf("resume: exit %d\n%s%s", code, out, stderr)
	}
	if ways := moved(before, g.variants(t)); len(ways) > 0 {
		t.Errorf("after the resume these are elsewhere: %v", ways)
	}
	g.Stop(t)
}

// TestStickyUnitsStay flips the weights: who has a variant keeps it, over a restart
// as well, and newcomers follow the weights.
func TestStickyUnitsStay(t *testing.T) {
	sticky := func(control int) string {
		return strings.Replace(split(control), "    variants:", "    sticky: true\n    variants:", 1)
	}
	dir := demoFiles(t, sticky(50))
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	args := append(append(demoArgs(dir, redis.addr), calm...), "--set", "experiments.sticky.budget=1s")
	g := startGateway(t, dir, args...)
	before := g.variants(t)
	was := g.digest(t)
	byRename(t, filepath.Join(dir, "experiments.yaml"), sticky(100))
	within(t, scaled(3*time.Second), "the new weights serve", func() bool { return g.digest(t) != was })
	// A weight of 0 lets nobody stay.
	if got := share(g.variants(t), "control"); got != 1 {
		t.Errorf("control has %.3f, want all: treatment's weight is 0", got)
	}
	was = g.digest(t)
	byRename(t, filepath.Join(dir, "experiments.yaml"), sticky(99))
	within(t, scaled(3*time.Second), "the last weights serve", func() bool { return g.digest(t) != was })
	if ways := moved(before, g.variants(t)); len(ways) > 0 {
		t.Errorf("users moved: %v", ways)
	}
	g.Stop(t)
	again := startGateway(t, dir, args...)
	if ways := moved(before, again.variants(t)); len(ways) > 0 {
		t.Errorf("users moved over the restart: %v", ways)
	}
	r := load{addr: again.Traffic, conns: 8, total: 1000, body: func(i int) (user, rest string) {
		user = fmt.Sprintf("newcomer-%d", i)
		return user, fmt.Sprintf(`"user_id":%q}`, user)
	}}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	newcomers := map[string]string{}
	for i := range r.answers {
		newcomers[r.answers[i].user] = r.answers[i].parsed.Variant
	}
	if got := share(newcomers, "control"); got < .97 {
		t.Errorf("control has %.3f of the newcomers, want 0.99", got)
	}
	verdict(t, "sticky", "who is in stays, newcomers follow the weights", "0 of %d moved at 50 to 99 %%, newcomers %.3f", len(before), share(newcomers, "control"))
	again.Stop(t)
}
