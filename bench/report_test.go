package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sample is a report with everything in it, from fixed latencies.
func sample() *Report {
	step := func(label, by string, rate, scale float64) Step {
		h := newHistogram()
		for i := range 20_000 {
			record(h, time.Duration(float64(100+i%997)*scale)*time.Microsecond)
		}
		record(h, time.Duration(20_000*scale)*time.Microsecond)
		return Step{Label: label, Generator: by, Loop: "open", Rate: rate, Seconds: 4, Planned: 20_001, Sent: 20_001, Answered: 20_001,
			Throughput: rate, Latency: summarize(h), Lag: summarize(h), Codes: map[string]int64{"200": 20_001},
			ServerCPU: 30.25, RedisCPU: 6.5, GeneratorCPU: 10 * scale, GeneratorShare: 0.3, RSSMB: 80}
	}
	closed := step("closed loop", "wire", 0, 1)
	closed.Loop, closed.Throughput = "closed", 31_234
	closed.Batches = []Bucket{{1, 10}, {2, 30}, {4, 50}, {0, 10}}
	void := step("10000/s", "vegeta", 10_000, 3)
	void.Void = "generator used 76% of a core"
	failing := step("80% of saturation", "wire", 24_000, 5)
	failing.Failed, failing.Codes = 3, map[string]int64{"200": 19_998, "503": 2, "timeout": 1}
	stall := step("stall of 200ms", "wire", 5000, 10)
	r := &Report{
		Format: reportFormat, Seconds: 120,
		Machine: Machine{CPU: "Test <CPU>", Cores: 2, MemoryMB: 4096, OS: "linux/amd64", Kernel: "6.1", Go: "go1.26", Git: "0123456789ab", Redis: "7", Vegeta: "v12",
			LoadAvg: "0.10 0.20 0.30", Command: []string{"gateway", "bench"}, Pinned: "none", Started: time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)},
		Scenarios: []Scenario{{
			Name: headline, Shows: "the whole path", Model: "mid", Path: "/predict", RowsPerRequest: 1, Users: 1000, Connections: 64, Closed: closed, Saturation: 30_000,
			Ramp:  []Step{step("ramp", "wire", 15_000, 1), step("ramp", "wire", 30_000, 4), step("ramp", "wire", 60_000, 90)},
			Fixed: []Step{step("10% of saturation", "wire", 3000, 1), failing, void, step("10000/s", "wire", 10_000, 1.2)},
			Stall: &StallCheck{Micros: 200_000, Step: stall, Shown: true},
		}},
		Pairs: &Pairs{Scenario: headline, OpenRate: 10_000},
	}
	for i := range 4 {
		floor, gateway := closed, closed
		floor.ServerCPU, gateway.ServerCPU = 25, 30+float64(i)/2
		r.Pairs.Runs = append(r.Pairs.Runs, Pair{First: []string{"floor", "gateway"}[i%2], FloorClosed: floor, GatewayClosed: gateway, FloorOpen: floor, GatewayOpen: gateway})
	}
	r.Pairs.finish()
	r.Figures = r.judge()
	return r
}

func TestTextReport(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.String())
}

func TestFigures(t *testing.T) {
	figures := sample().Figures
	if len(figures) != 4 {
		t.Fatalf("%d figures", len(figures))
	}
	f := func(i int, met bool, measured float64) {
		t.Helper()
		if figures[i].Met != met {
			t.Errorf("%s: met = %v", figures[i].Name, !met)
		}
		within(t, figures[i].Name, figures[i].Measured, measured, 0.01)
	}
	f(0, true, 1.23)  // 30.75/25
	f(1, true, 1.304) // the void vegeta step is not the one that is read
	f(2, false, 5.43) // below 8 ms, but three requests failed
	f(3, true, 10.86) // Shown comes from the check itself
	if !strings.Contains(figures[1].Note, "wire") {
		t.Error(figures[1].Note)
	}
}

func TestReportSurvivesItsFile(t *testing.T) {
	r := sample()
	jsonPath, htmlPath, err := r.Write(t.TempDir() + "/new")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(jsonPath, "20261124-200000-0123456789ab.json") || !strings.HasSuffix(htmlPath, ".html") {
		t.Errorf("files %s, %s", jsonPath, htmlPath)
	}
	got, err := ReadReport(jsonPath)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Error("the report read differs from the one written")
	}
	if _, err := ReadReport(htmlPath); err == nil {
		t.Error("an HTML file is read as a report")
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	text, err := sample().HTML()
	if err != nil {
		t.Fatal(err)
	}
	if outside := regexp.MustCompile(`(?i)<script|<link|\ssrc=|url\(|@import|https?:`).FindString(string(text)); outside != "" {
		t.Errorf("the page reaches outside or runs a script: %q", outside)
	}
	for _, want := range []string{"Test &lt;CPU&gt;", "prefers-color-scheme: dark", "31,234 requests/s", "503: 2, timeout: 1", "generator used 76% of a core", "at most", "at least"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAll(text, -1)
	if len(pictures) != 4 {
		t.Errorf("%d pictures, want percentiles, load, batches and ratio", len(pictures))
	}
	for _, p := range pictures {
		for d := xml.NewDecoder(bytes.NewReader(p)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("picture is not XML: %v: %s", err, p)
			}
		}
		if bytes.Contains(p, []byte("NaN")) || bytes.Contains(p, []byte("Inf")) {
			t.Errorf("picture with a place that is no number: %s", p)
		}
	}
}

func TestAnEmptyReportRenders(t *testing.T) {
	r := &Report{Format: reportFormat, Scenarios: []Scenario{{Name: "tensor", Ramp: []Step{{}}, Fixed: []Step{{Label: "10/s"}}}}}
	text, err := r.HTML()
	if err != nil || bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Inf")) {
		t.Errorf("%v: %s", err, text)
	}
	if err := r.WriteText(io.Discard); err != nil {
		t.Error(err)
	}
}

func TestCompareReports(t *testing.T) {
	a, b := sample(), sample()
	b.Machine.Cores = 4
	b.Scenarios[0].Closed.ServerCPU = 15.125
	b.Scenarios[0].Fixed = b.Scenarios[0].Fixed[1:]
	b.Scenarios = append(b.Scenarios, Scenario{Name: "tensor"})
	c := Compare(a, b)
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.txt", text.String())
	for _, d := range c.Deltas {
		if d.Load == "closed loop" && d.Figure == "gateway CPU" && d.Ratio != 0.5 {
			t.Errorf("ratio %v of %v and %v", d.Ratio, d.B, d.A)
		}
		if strings.HasPrefix(d.Load, "10%") {
			t.Errorf("a load of one report only: %+v", d)
		}
	}
}

func TestNumbersAreReadable(t *testing.T) {
	for us, want := range map[float64]string{0: "-", 12.4: "12 µs", 1234: "1.23 ms", 12_345: "12.3 ms", 123_456: "123 ms", 1_234_567: "1.23 s"} {
		if got := formatMicros(us); got != want {
			t.Errorf("%v: %s, want %s", us, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := formatCount(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
