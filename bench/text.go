package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// formatMicros writes a latency with three digits and its unit.
func formatMicros(us float64) string {
	switch {
	case us <= 0:
		return "-"
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	case us < 10_000:
		return fmt.Sprintf("%.2f ms", us/1000)
	case us < 100_000:
		return fmt.Sprintf("%.1f ms", us/1000)
	case us < 1_000_000:
		return fmt.Sprintf("%.0f ms", us/1000)
	default:
		return fmt.Sprintf("%.2f s", us/1e6)
	}
}

// formatCount writes a whole number with thousands separators.
func formatCount(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// formatCodes lists everything that is not a 200.
func formatCodes(codes map[string]int64) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(codes)) {
		if k != "200" {
			parts = append(parts, fmt.Sprintf("%s: %d", k, codes[k]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// WriteText writes the report as tables for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Hotpath bench  %s  git %s  %.0f s\n", m.Started.Format("2006-01-02 15:04 MST"), m.Git, r.Seconds)
	fmt.Fprintf(&b, "%s, %d cores, %d MB, Linux %s, %s\n", m.CPU, m.Cores, m.MemoryMB, m.Kernel, m.Go)
	fmt.Fprintf(&b, "load average before %s, steal %.1f%%, pinned: %s\n", m.LoadAvg, m.Steal, m.Pinned)
	for i := range r.Scenarios {
		r.Scenarios[i].writeText(&b)
	}
	if r.Pairs != nil {
		r.Pairs.writeText(&b)
	}
	if len(r.Figures) > 0 {
		writeFigures(&b, r.Figures)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table returns a writer of aligned columns, numbers to the right.
func table(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func (s *Scenario) writeText(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s: %s\n", s.Name, s.Shows)
	fmt.Fprintf(b, "  closed loop, %d connections: %s requests/s, CPU per request: gateway %.1f µs, redis %.1f µs, generator %.1f µs; failed: %s\n",
		s.Connections, formatCount(s.Closed.Throughput), s.Closed.ServerCPU, s.Closed.RedisCPU, s.Closed.GeneratorCPU, formatCodes(s.Closed.Codes))
	if s.Broken != "" {
		fmt.Fprintf(b, "  GIVEN UP: %s\n", s.Broken)
		return
	}
	fmt.Fprintf(b, "  open loop, saturation: %s requests/s", formatCount(s.Saturation))
	if s.RowsPerRequest > 1 {
		fmt.Fprintf(b, " (%s rows/s)", formatCount(s.Saturation*float64(s.RowsPerRequest)))
	}
	b.WriteString("\n")
	t := table(b)
	fmt.Fprintln(t, "load\tby\tanswers/s\tp50\tp90\tp99\tp99.9\tmax\tfailed\tgateway CPU\tredis CPU\tgen. core\tRSS\t")
	for i := range s.Fixed {
		s.Fixed[i].writeRow(t)
	}
	if s.Stall != nil {
		s.Stall.Step.writeRow(t)
	}
	t.Flush()
	for i := range s.Fixed {
		st := &s.Fixed[i]
		if st.Void != "" {
			fmt.Fprintf(b, "  void: %s by %s: %s\n", st.Label, st.Generator, st.Void)
		}
		if st.Failed > 0 {
			fmt.Fprintf(b, "  failed: %s by %s: %s\n", st.Label, st.Generator, formatCodes(st.Codes))
		}
	}
	if len(s.Closed.Batches) > 0 {
		fmt.Fprintf(b, "  rows per run, closed loop: %s\n", formatBatches(s.Closed.Batches))
	}
}

func (s *Step) writeRow(w io.Writer) {
	mark := s.Label
	if s.Void != "" {
		mark += " (void)"
	}
	l := s.Latency
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.1f µs\t%.1f µs\t%.0f%%\t%.0f MB\t\n", mark, s.Generator, formatCount(s.Throughput),
		formatMicros(l.P50), formatMicros(l.P90), formatMicros(l.P99), formatMicros(l.P999), formatMicros(l.Max),
		formatCount(float64(s.Failed)), s.ServerCPU, s.RedisCPU, 100*s.GeneratorShare, s.RSSMB)
}

// bucketLabel names a bucket by its range; last is the bucket before it.
func bucketLabel(last, upTo float64) string {
	switch {
	case upTo == 0:
		return fmt.Sprintf(">%.0f", last)
	case upTo <= last+1:
		return fmt.Sprintf("%.0f", upTo)
	default:
		return fmt.Sprintf("≤%.0f", upTo)
	}
}

func formatBatches(buckets []Bucket) string {
	total, last := 0.0, 0.0
	for _, b := range buckets {
		total += b.Runs
	}
	var parts []string
	for _, b := range buckets {
		parts = append(parts, fmt.Sprintf("%s: %.0f%%", bucketLabel(last, b.UpTo), 100*b.Runs/total))
		last = b.UpTo
	}
	return strings.Join(parts, "  ")
}

func (p *Pairs) writeText(b *strings.Builder) {
	fmt.Fprintf(b, "\nfloor and gateway in pairs, %s, fresh processes\n", p.Scenario)
	t := table(b)
	fmt.Fprintln(t, "pair\tfirst\tfloor req/s\tgateway req/s\tfloor CPU\tgateway CPU\tratio\tfloor CPU open\tgateway CPU open\tratio\t")
	for i, r := range p.Runs {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%.1f µs\t%.1f µs\t%.2f\t%.1f µs\t%.1f µs\t%.2f\t\n", i+1, r.First,
			formatCount(r.FloorClosed.Throughput), formatCount(r.GatewayClosed.Throughput),
			r.FloorClosed.ServerCPU, r.GatewayClosed.ServerCPU, ratio(r.GatewayClosed.ServerCPU, r.FloorClosed.ServerCPU),
			r.FloorOpen.ServerCPU, r.GatewayOpen.ServerCPU, ratio(r.GatewayOpen.ServerCPU, r.FloorOpen.ServerCPU))
	}
	t.Flush()
	for _, row := range []struct {
		name string
		i    Interval
	}{
		{"CPU per request, closed loop", p.ClosedCPU},
		{fmt.Sprintf("CPU per request at %s/s", formatCount(p.OpenRate)), p.OpenCPU},
		{"requests/s, closed loop", p.Throughput},
	} {
		fmt.Fprintf(b, "  gateway/floor, %s: %.3f (95%% interval %.3f to %.3f)\n", row.name, row.i.Median, row.i.Low, row.i.High)
	}
}

func writeFigures(b *strings.Builder, figures []Figure) {
	b.WriteString("\nfigures to reach\n")
	for _, f := range figures {
		verdict := "met   "
		if !f.Met {
			verdict = "MISSED"
		}
		bound := "at most"
		if f.AtLeast {
			bound = "at least"
		}
		fmt.Fprintf(b, "  %s  %s: %.3g %s (%s %.4g %s; %s)\n", verdict, f.Name, f.Measured, f.Unit, bound, f.Limit, f.Unit, f.Note)
	}
}
