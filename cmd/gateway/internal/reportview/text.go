package reportview

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"hotpath/abtest/readout"
)

// Text writes reports as tables.
func Text(w io.Writer, reports []*readout.Report) error {
	var b strings.Builder
	for i, r := range reports {
		if i > 0 {
			b.WriteString("\n\n")
		}
		writeReport(&b, r)
	}
	if len(reports) == 0 {
		b.WriteString("there is no experiment to report about\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeReport(b *strings.Builder, r *readout.Report) {
	fmt.Fprintf(b, "%s: model %s, %s", r.Experiment, r.Model, r.State)
	if r.Since.IsZero() {
		b.WriteString("; nothing has been seen yet\n")
	} else {
		fmt.Fprintf(b, "; %s to %s UTC (%s)\n", moment(r.Since), moment(r.At), lasted(r))
	}
	fmt.Fprintf(b, "%s exposures, %s requests; intervals of %s\n", count(r.Exposures), count(r.Requests), level(r))
	b.WriteByte('\n')
	writeVariants(b, r)
	fmt.Fprintf(b, "split %s", splitVerdict(r))
	if r.SRM.ChiSquareP != nil {
		fmt.Fprintf(b, " (looked at once, chi-square: p %s)", probability(*r.SRM.ChiSquareP))
	}
	b.WriteByte('\n')
	writeMetrics(b, r)
	writeGuardrails(b, r)
	if text := outcomes(&r.Feedback); text != "" {
		fmt.Fprintf(b, "\noutcomes: %s\n", text)
	}
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "note: %s\n", n)
	}
}

// table aligns the cells of rows, which tabs divide.
func table(b *strings.Builder, rows func(t io.Writer)) {
	var padded strings.Builder // takes everything
	t := tabwriter.NewWriter(&padded, 0, 0, 2, ' ', 0)
	rows(t)
	t.Flush()
	for line := range strings.Lines(padded.String()) {
		b.WriteString(strings.TrimRight(line, " \n"))
		b.WriteByte('\n')
	}
}

func writeVariants(b *strings.Builder, r *readout.Report) {
	table(b, func(t io.Writer) {
		fmt.Fprintf(t, "VARIANT\t%s\tSHARE\tEXPECTED\tREQUESTS\tERRORS\tDEGRADED\tNAN\tP50\tP90\tP99\tSCORE\t\n", strings.ToUpper(plural(r.Unit)))
		for i := range r.Variants {
			v := &r.Variants[i]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Name, count(v.Units),
				shown(v.Share, percent), shown(v.ExpectedShare, percent), count(v.Requests), shown(v.ErrorRate, percent), count(v.Degraded), count(v.NonFinite),
				shown(v.Latency.P50, milliseconds), shown(v.Latency.P90, milliseconds), shown(v.Latency.P99, milliseconds), score(&v.Score), marks(v))
		}
	})
}

// marks say what a variant is beside its numbers.
func marks(v *readout.VariantReport) string {
	var all []string
	for _, m := range []struct {
		is   bool
		name string
	}{{v.Control, "control"}, {v.Canary, "canary"}, {v.Held, "held back"}, {v.OtherServed > 0, count(v.OtherServed) + " by another variant"}} {
		if m.is {
			all = append(all, m.name)
		}
	}
	return strings.Join(all, ", ")
}

func score(s *readout.ScoreReport) string {
	if s.Mean == nil {
		return unknown
	}
	text := fmt.Sprintf("%.3g", *s.Mean)
	if s.StdDev != nil {
		text += fmt.Sprintf(" ± %.2g", *s.StdDev)
	}
	return text
}

func writeMetrics(b *strings.Builder, r *readout.Report) {
	if len(r.Metrics) == 0 {
		return
	}
	b.WriteByte('\n')
	table(b, func(t io.Writer) {
		fmt.Fprintf(t, "METRIC\tVARIANT\t%s\tMEAN\tDIFFERENCE\tLIFT\tP\tVERDICT\n", strings.ToUpper(plural(r.Unit)))
		for i := range r.Metrics {
			m := &r.Metrics[i]
			for j := range m.Variants {
				v := &m.Variants[j]
				name := ""
				if j == 0 {
					name = m.Name
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, v.Name, count(v.Units),
					withInterval(v.Mean, v.Low, v.High, meanFormat(m)), compared(v, v.Difference, v.DifferenceLow, v.DifferenceHigh, differenceFormat(m)),
					compared(v, v.Lift, v.LiftLow, v.LiftHigh, signedPercent), compared(v, v.PValue, nil, nil, probability), verdict(v.Verdict))
			}
		}
	})
}

// compared is a number that the control has not.
func compared(m *readout.MetricVariantReport, v, low, high *float64, format func(float64) string) string {
	if m.Verdict == "" {
		return ""
	}
	return withInterval(v, low, high, format)
}

func writeGuardrails(b *strings.Builder, r *readout.Report) {
	if len(r.Guardrails) == 0 {
		return
	}
	b.WriteByte('\n')
	table(b, func(t io.Writer) {
		fmt.Fprintln(t, "GUARDRAIL\tVARIANT\tBOUND\tVALUE\tCONTROL\tOF\tWINDOW\tACTION\tSTATE")
		for i := range r.Guardrails {
			g := &r.Guardrails[i]
			format := guardrailFormat(r, g)
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.Metric, g.Variant, g.Bound, shown(g.Value, format), shown(g.ControlValue, format),
				count(g.Requests), g.Window, g.Action, guardrailState(g))
		}
	})
	for i := range r.Guardrails {
		if g := &r.Guardrails[i]; g.Tripped {
			fmt.Fprintf(b, "tripped: %s\n", g.Text)
		}
	}
}
