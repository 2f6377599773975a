package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// short are options for a Run against the stub gateway in this test binary.
func short(t *testing.T) Options {
	t.Helper()
	t.Setenv(stubVariable, "1")
	o := DefaultOptions()
	o.Gateway, o.Models = os.Args[0], "testdata/repository"
	o.Users, o.Connections, o.Pairs = 500, 4, 0
	o.Warmup, o.Probe, o.RampStep, o.Step = 50*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	o.Rates, o.Shares, o.Stall = []float64{200}, []float64{0.05}, 100*time.Millisecond
	return o
}

func TestRunMeasuresAStubGateway(t *testing.T) {
	o := short(t)
	var progress bytes.Buffer
	o.Progress = &progress
	o.Scenarios = []string{headline, "batch100"}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if len(r.Scenarios) != 2 || r.Pairs != nil || r.Machine.Cores == 0 || r.Machine.Kernel == "" || !strings.Contains(r.Machine.Redis, "v=") {
		t.Fatalf("report: %+v", r.Machine)
	}
	mid, batch := &r.Scenarios[0], &r.Scenarios[1]
	if mid.Closed.Throughput < 50 || mid.Closed.Failed != 0 || mid.Closed.ServerCPU <= 0 || mid.Closed.RSSMB <= 0 {
		t.Errorf("closed loop: %+v", mid.Closed)
	}
	if len(mid.Closed.Batches) != 1 || mid.Closed.Batches[0].Runs != float64(mid.Closed.Answered) {
		t.Errorf("batches %v of %d answers", mid.Closed.Batches, mid.Closed.Answered)
	}
	by := make(map[string]bool)
	for _, s := range mid.Fixed {
		if s.Label == "200/s" {
			by[s.Generator] = s.Failed == 0 && s.Latency.Count == s.Planned
		}
	}
	if mid.Saturation > 200 && (!by[GeneratorVegeta] || !by[GeneratorWire]) {
		t.Errorf("200/s by %v: %+v", by, mid.Fixed)
	}
	if mid.Stall == nil || mid.Stall.Step.Latency.Max < 90_000 {
		t.Errorf("stall check: %+v", mid.Stall)
	}
	if batch.RowsPerRequest != batchSize || batch.Stall != nil || batch.Closed.Failed != 0 {
		t.Errorf("batch100: %+v", batch)
	}
	if !strings.Contains(progress.String(), "features_mid: closed loop") {
		t.Errorf("progress: %s", progress.String())
	}
}

func TestABrokenScenarioIsGivenUpAndReported(t *testing.T) {
	o := short(t)
	t.Setenv(stubVariable, "refuse")
	o.Scenarios = []string{"tensor"}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	sc := r.Scenarios[0]
	if !strings.HasPrefix(sc.Broken, "most requests of the closed loop failed: 503: ") || sc.Ramp != nil || sc.Fixed != nil {
		t.Errorf("broken %q, %d ramp steps", sc.Broken, len(sc.Ramp))
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "GIVEN UP: most requests") {
		t.Errorf("%v: %s", err, text.String())
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	o := short(t)
	o.Scenarios, o.Step = []string{"tensor"}, 5*time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	began := time.Now()
	_, err := Run(ctx, o)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestRunNamesWhatIsMissing(t *testing.T) {
	f := func(want string, change func(*Options)) {
		t.Helper()
		o := short(t)
		o.Scenarios = []string{"tensor"}
		change(&o)
		if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	f("nowhere/gateway", func(o *Options) { o.Gateway = "nowhere/gateway" })
	f("start redis", func(o *Options) { o.RedisServer = "nowhere/redis" })
	f("model tensor: no <version>/model.onnx", func(o *Options) { o.Models = t.TempDir() })
	f("gateway ended before it was ready", func(o *Options) { o.Gateway = "/bin/false" })
}

func TestOptionsAreChecked(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	if err := DefaultOptions().Full().Validate(); err != nil {
		t.Errorf("full: %v", err)
	}
	o := DefaultOptions()
	o.Gateway, o.Users, o.Connections, o.Generator, o.Probe, o.Pairs = "", 0, 0, "wrk", 0, -1
	o.Shares, o.Rates, o.Scenarios = []float64{0}, []float64{0}, []string{"none"}
	err := o.Validate()
	for _, field := range []string{"Gateway", "Users", "Connections", "Generator", "Probe", "Pairs", "Shares", "Rates", "Scenarios"} {
		if !strings.Contains(err.Error(), "option "+field+" ") {
			t.Errorf("%s is not reported: %v", field, err)
		}
	}
}
