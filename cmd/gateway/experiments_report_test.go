package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
	"hotpath/abtest/readout"
)

const yamlMeasured = yamlBefore + `    metrics:
      - {name: purchase}
      - {name: revenue, kind: value}
    guardrails:
      - {metric: error_rate, max: 5}
`

// exposuresOf logs what many users got of a plan, and what they did then: those of
// the treatment buy more.
func exposuresOf(t *testing.T, plan *abtest.Plan, users int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "exposures")
	sink, err := jsonl.Open(jsonl.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	log, err := exposure.Open(exposure.Options{Queue: 1 << 16, Sinks: []exposure.Sink{sink}}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	chance := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for i := range users {
		user := fmt.Appendf(nil, "user-%d", i)
		at := begin.Add(time.Duration(i) * time.Second).UnixNano()
		a := plan.Assign("risk", &abtest.Request{User: user})
		e := exposure.Event{At: at, RequestID: fmt.Appendf(nil, "r-%d", i), Unit: user, UnitName: "user", Experiment: a.Experiment.Name(),
			Assigned: a.Variant.Name(), Served: a.Variant.Name(), Reason: a.Reason, Bucket: a.Bucket, Model: "risk", Version: a.Variant.Version(),
			Plan: plan.Digest(), Code: "ok", LatencyNS: int64(1e6 * (1 + chance.ExpFloat64())), Score: 0.3 + 0.1*chance.NormFloat64(), HasScore: true}
		buys := chance.Float64() < map[string]float64{"control": 0.1, "treatment": 0.2}[a.Variant.Name()]
		if !log.Record(&e) {
			t.Fatal("the log is full")
		}
		for _, outcome := range []string{"purchase", "revenue"} {
			f := exposure.Feedback{At: at + int64(time.Minute), RequestID: e.RequestID, Outcome: []byte(outcome), Value: 20 + chance.ExpFloat64()}
			if buys && !log.Feedback(&f) {
				t.Fatal("the log is full")
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := log.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReportOfLoggedExposures(t *testing.T) {
	const users = 4000
	file := writeFile(t, t.TempDir(), "experiments.yaml", yamlMeasured)
	dir := exposuresOf(t, compiled(t, yamlMeasured), users)
	page := filepath.Join(t.TempDir(), "report.html")
	report := func(args ...string) result {
		return cli(t, append([]string{"experiments", "report", "--from", dir, "--file", file}, args...)...)
	}
	got := report("--html", page)
	got.wants(t, 0, "risk-gbm: model risk, running; 2026-11-20 08:00 to ", "read 4000 records of exposures and ")
	got.wants(t, 0, "split ✓ as planned", "written to "+page)
	if r := row(got.out, "treatment"); !strings.Contains(got.out, "▲ better") || r == "" {
		t.Error(got.out)
	}
	html, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(html), `aria-label="Lift of each metric, risk-gbm"`) {
		t.Errorf("%v %s", err, html)
	}
	var one readout.Report
	if err := json.Unmarshal([]byte(report("risk-gbm", "-o", "json").out), &one); err != nil || one.Exposures != users || one.Metrics[0].Variants[1].Verdict != readout.Better {
		t.Errorf("%v %+v", err, one)
	}
	var all []readout.Report
	if err := json.Unmarshal([]byte(report("-o", "json").out), &all); err != nil || len(all) != 1 {
		t.Errorf("%v %+v", err, all)
	}

	report("nope").wants(t, 1, "", "no experiment nope is in "+file)
	cli(t, "experiments", "report", "--from", dir).wants(t, 2, "", "must all be set; missing [file]")
	cli(t, "experiments", "report", "--from", dir+".gone", "--file", file).wants(t, 2, "", "no such file")
	elsewhere := t.TempDir()
	writeFile(t, elsewhere, "exposures-1.jsonl", "")
	cli(t, "experiments", "report", "--from", elsewhere, "--file", file).wants(t, 2, "", "no log of exposures is in "+elsewhere)
	cli(t, "experiments", "report", "--watch", "--interval", "1ms").wants(t, 2, "", "less than a second")
	// Half a line at the end, as a crash leaves it, is left out and said.
	logs, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	f, err := os.OpenFile(logs[len(logs)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `{"half`)
	f.Close()
	report().wants(t, 0, "risk-gbm", "left out 1 record that cannot be read: 0 malformed, 1 torn")
}
