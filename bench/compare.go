package bench

import (
	"fmt"
	"io"
	"strings"
)

// Delta is one figure in two reports.
type Delta struct {
	Scenario string
	Load     string
	Figure   string
	Unit     string
	A, B     float64
	// Ratio is B over A; 0 when A is 0.
	Ratio float64
	// Void says that one of the two steps must not be read.
	Void bool
}

// Comparison is what two reports have in common.
type Comparison struct {
	A, B   *Report
	Deltas []Delta
	// Notes say what makes the two hard to compare.
	Notes []string
}

// Compare lines up the figures of two reports. Scenarios and loads that only
// one of them has are left out and noted.
func Compare(a, b *Report) *Comparison {
	c := &Comparison{A: a, B: b}
	if a.Machine.CPU != b.Machine.CPU || a.Machine.Cores != b.Machine.Cores {
		c.note("different machines: %s with %d cores, %s with %d cores", a.Machine.CPU, a.Machine.Cores, b.Machine.CPU, b.Machine.Cores)
	}
	if a.Machine.Pinned != b.Machine.Pinned {
		c.note("pinned differently: %s; %s", a.Machine.Pinned, b.Machine.Pinned)
	}
	other := make(map[string]*Scenario)
	for i := range b.Scenarios {
		other[b.Scenarios[i].Name] = &b.Scenarios[i]
	}
	for i := range a.Scenarios {
		sa := &a.Scenarios[i]
		sb, ok := other[sa.Name]
		if !ok {
			c.note("scenario %s is only in the first report", sa.Name)
			continue
		}
		delete(other, sa.Name)
		c.scenario(sa, sb)
	}
	for i := range b.Scenarios {
		if _, ok := other[b.Scenarios[i].Name]; ok {
			c.note("scenario %s is only in the second report", b.Scenarios[i].Name)
		}
	}
	if a.Pairs != nil && b.Pairs != nil {
		c.add(Delta{Scenario: a.Pairs.Scenario, Load: "pairs", Figure: "gateway/floor CPU", Unit: "x", A: a.Pairs.ClosedCPU.Median, B: b.Pairs.ClosedCPU.Median})
	}
	return c
}

func (c *Comparison) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

func (c *Comparison) add(d Delta) {
	d.Ratio = ratio(d.B, d.A)
	c.Deltas = append(c.Deltas, d)
}

func (c *Comparison) scenario(a, b *Scenario) {
	c.add(Delta{Scenario: a.Name, Load: "closed loop", Figure: "requests/s", A: a.Closed.Throughput, B: b.Closed.Throughput})
	c.add(Delta{Scenario: a.Name, Load: "closed loop", Figure: "gateway CPU", Unit: "µs", A: a.Closed.ServerCPU, B: b.Closed.ServerCPU})
	c.add(Delta{Scenario: a.Name, Load: "open loop", Figure: "saturation", A: a.Saturation, B: b.Saturation})
	for i := range a.Fixed {
		sa := &a.Fixed[i]
		for k := range b.Fixed {
			if sb := &b.Fixed[k]; sb.Label == sa.Label && sb.Generator == sa.Generator {
				c.step(a.Name, sa, sb)
			}
		}
	}
}

func (c *Comparison) step(scenario string, a, b *Step) {
	load := a.Label + " by " + a.Generator
	for _, f := range []struct {
		figure, unit string
		a, b         float64
	}{
		{"p50", "µs", a.Latency.P50, b.Latency.P50},
		{"p99", "µs", a.Latency.P99, b.Latency.P99},
		{"p99.9", "µs", a.Latency.P999, b.Latency.P999},
		{"gateway CPU", "µs", a.ServerCPU, b.ServerCPU},
		{"failed", "", float64(a.Failed), float64(b.Failed)},
	} {
		c.add(Delta{Scenario: scenario, Load: load, Figure: f.figure, Unit: f.unit, A: f.a, B: f.b, Void: a.Void != "" || b.Void != ""})
	}
}

// WriteText writes the comparison as a table.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "A: %s  git %s\nB: %s  git %s\n", c.A.Machine.Started.Format("2006-01-02 15:04"), c.A.Machine.Git,
		c.B.Machine.Started.Format("2006-01-02 15:04"), c.B.Machine.Git)
	for _, n := range c.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	t := table(&b)
	fmt.Fprintln(t, "scenario\tload\tfigure\tA\tB\tB/A\t\t")
	for _, d := range c.Deltas {
		mark := ""
		if d.Void {
			mark = "void"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", d.Scenario, d.Load, d.Figure, d.value(d.A), d.value(d.B), d.times(), mark)
	}
	t.Flush()
	_, err := io.WriteString(w, b.String())
	return err
}

func (d *Delta) times() string {
	if d.A == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", d.Ratio)
}

func (d *Delta) value(v float64) string {
	switch d.Unit {
	case "µs":
		return fmt.Sprintf("%.1f µs", v)
	case "x":
		return fmt.Sprintf("%.3f", v)
	default:
		return formatCount(v)
	}
}
