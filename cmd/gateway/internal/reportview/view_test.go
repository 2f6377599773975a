package reportview

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotpath/abtest/readout"
)

var (
	update = flag.Bool("update", false, "rewrite the expected files in testdata")
	write  = flag.String("page", "", "write the page of the fixtures to this file, to look at it")
)

func fixtures() []*readout.Report { return []*readout.Report{healthy(), broken(), unseen()} }

func TestText(t *testing.T) {
	var got bytes.Buffer
	if err := Text(&got, fixtures()); err != nil {
		t.Fatal(err)
	}
	const name = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(name, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(want, got.Bytes()) {
		t.Errorf("%s is out of date (go test -update): %v\n%s", name, err, got.Bytes())
	}
	got.Reset()
	if err := Text(&got, nil); err != nil || !strings.Contains(got.String(), "no experiment") {
		t.Errorf("%v %s", err, got.String())
	}
}

func TestPage(t *testing.T) {
	page, err := HTML(fixtures(), time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if *write != "" {
		if err := os.WriteFile(*write, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := string(page)
	for _, want := range []string{
		"prefers-color-scheme: dark", `aria-label="Lift of each metric, risk-gbm"`, `aria-label="Share of each variant, risk-gbm"`,
		`aria-label="Latency of each variant, risk-gbm"`, `aria-label="Predictions of each variant, risk-gbm"`,
		"▲ better", "▼ worse", "+10.7% [+4.6%, +16.8%]", "✓ as planned", "✕ not as planned", "✕ tripped", "held back", "rank&lt;new&gt;",
		"no lift can be told yet", "<li>one unit in 4 is kept", "Nothing has been seen yet.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// Nothing is loaded, run, or drawn at a place that is no number.
	for _, bad := range []string{`<script`, `src=`, `href=`, `url\(`, `@import`, `rank<new>`, `="[^">]*(NaN|Inf)[^">]*"`, `ZgotmplZ`} {
		if m := regexp.MustCompile(bad).FindString(text); m != "" {
			t.Errorf("the page has %q", m)
		}
	}
}

func TestAPageWithoutExperiments(t *testing.T) {
	page, err := HTML(nil, time.Now())
	if err != nil || !bytes.Contains(page, []byte("There is no experiment to report about.")) {
		t.Errorf("%v %s", err, page)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1234567), "1,234,567"}, {count(-1000), "-1,000"},
		{percent(0), "0%"}, {percent(1), "100%"}, {percent(0.1234), "12.3%"}, {percent(0.00012), "0.012%"}, {percent(1e-9), "<0.001%"},
		{points(0.0125), "+1.25 pp"}, {signedPercent(-0.05), "-5.0%"}, {milliseconds(0.1234), "0.123 ms"}, {milliseconds(250), "250 ms"},
		{probability(1e-9), "<0.0001"}, {probability(0.0312), "0.031"}, {plural("user"), "users"}, {plural("country"), "countries"},
		{interval(nil, num(1), value), ""}, {withInterval(nil, nil, nil, value), unknown},
		{tickLabel(0.25, 0.05), "0.25"}, {tickLabel(10, 5), "10"}, {liftTick(0.05, 0.05), "+5%"}, {liftTick(0, 0.05), "0%"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestHistogramsAreJoinedAndCut(t *testing.T) {
	bins, bounds := joined(healthy())
	if len(bins) != 3 || len(bounds) != len(bins[0])-1 || len(bins[0]) > maxBins {
		t.Fatalf("%d variants, %d bins, %d bounds", len(bins), len(bins[0]), len(bounds))
	}
	for i, shares := range bins {
		sum := 0.0
		for _, s := range shares {
			sum += s
		}
		if sum < 0.999 || sum > 1.001 {
			t.Errorf("variant %d: the bins hold %v of the whole", i, sum)
		}
	}
	// One bin with everything, as of a model that always says the same.
	r := &readout.Report{Variants: []readout.VariantReport{{Name: "a", Score: readout.ScoreReport{N: 5, Histogram: readout.HistogramReport{Bounds: []float64{0, 1}, Counts: []int64{0, 5, 0}}}}}}
	if bins, bounds := joined(r); len(bins) != 1 || len(bins[0]) != 1 || bins[0][0] != 1 || len(bounds) != 0 {
		t.Errorf("%v %v", bins, bounds)
	}
	if bins, _ := joined(unseen()); bins != nil {
		t.Errorf("%v", bins)
	}
}
