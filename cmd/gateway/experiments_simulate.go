package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hotpath/abtest/stats"
)

func newExperimentsSimulateCommand(a *app) *cobra.Command {
	var format outputFormat
	f := simulateFlags{}
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Show what an experiment can find, before it runs",
		Long: "Show how many units each variant gets at a level of traffic, the smallest effect that they show, and how many\n" +
			"days an effect of a given size takes. It asks no gateway.\n\n" +
			"--traffic is how many units (users, say) come for the first time: for an experiment of the file, those that its\n" +
			"targeting and the holdouts let in. The file gives the rest: the weights, the range in the layer and\n" +
			"the ramp's share. With --split the first share is the control's, and what is left of 100 is in no variant.\n\n" +
			"The metric is a rate (--baseline 0.10: a tenth of the units convert) or a mean (--mean 20 --stddev 45: the sum\n" +
			"that a unit spends, and how it scatters). Effects are relative: 5% of a rate of 0.10 is 0.105 instead.\n\n" +
			"Two kinds of tests are planned for. One look: a z test on a day that was fixed beforehand; looking earlier,\n" +
			"and stopping when it looks good, makes it wrong far more often than --alpha says. Any time: the intervals of\n" +
			"`gateway experiments report`, which may be looked at always; they need about twice the units for that.\n" +
			"--aa shows it: it runs experiments without an effect, looks at them daily, and counts how often each test\n" +
			"claims one.",
		Example: "  gateway experiments simulate --traffic 50000/day --baseline 0.10 --effect 5%\n" +
			"  gateway experiments simulate --traffic 2000/hour --split 90,5,5 --mean 20 --stddev 45 --days 7,14\n" +
			"  gateway experiments simulate --traffic 50000/day --experiment risk-gbm --file experiments.yaml --baseline 2%\n" +
			"  gateway experiments simulate --traffic 50000/day --baseline 0.10 --aa 500",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.simulation(a)
			if err != nil {
				return err
			}
			if f.aa > 0 {
				if s.AA, err = runAA(cmd.Context(), s, f.aa); err != nil {
					return err
				}
			}
			body, err := json.Marshal(s)
			if err != nil {
				return err
			}
			return answer(a, format, body, simulationTable)
		},
	}
	format.addTo(c)
	f.addTo(c)
	return c
}

// simulation is a planned experiment and what it can find. What no number of
// units finds is absent.
type simulation struct {
	Experiment string             `json:"experiment,omitempty"`
	Arriving   float64            `json:"arriving_per_day"`
	Enrolled   float64            `json:"enrolled_per_day"`
	Metric     simulatedMetric    `json:"metric"`
	Alpha      float64            `json:"alpha"`
	Power      float64            `json:"power"`
	Effect     float64            `json:"effect,omitempty"` // relative
	Variants   []simulatedVariant `json:"variants"`         // the control is the first
	Days       []simulatedDay     `json:"days"`
	Needed     []neededDays       `json:"needed,omitempty"`
	AA         *aaResult          `json:"aa,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
}

type simulatedMetric struct {
	Kind   string  `json:"kind"` // rate or mean
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"stddev,omitempty"`
}

type simulatedVariant struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // percent of those in the experiment
}

type simulatedDay struct {
	Day      int             `json:"day"`
	Control  float64         `json:"control_units"`
	Variants []detectableFor `json:"variants"`
}

// detectableFor is the smallest relative increase that a variant shows.
type detectableFor struct {
	Variant string   `json:"variant"`
	Units   float64  `json:"units"`
	OneLook *float64 `json:"detectable_one_look,omitempty"`
	AnyTime *float64 `json:"detectable_any_time,omitempty"`
}

// neededDays is how long the effect asked for takes to be seen.
type neededDays struct {
	Variant      string   `json:"variant"`
	OneLook      *float64 `json:"days_one_look,omitempty"`
	OneLookUnits *float64 `json:"units_one_look,omitempty"` // of the variant and the control
	AnyTime      *float64 `json:"days_any_time,omitempty"`
	AnyTimeUnits *float64 `json:"units_any_time,omitempty"`
}

// plan fills what the experiment can find on each of the days.
func (s *simulation) plan(days []int) {
	perDay := func(v simulatedVariant) float64 { return s.Enrolled * v.Share / 100 }
	control := s.Variants[0]
	for _, day := range days {
		row := simulatedDay{Day: day, Control: math.Floor(float64(day) * perDay(control))}
		for _, v := range s.Variants[1:] {
			n := float64(day) * (perDay(control) + perDay(v))
			detectable := func(sequential bool) *float64 {
				return finite(s.design(v, sequential).MinimumDetectableEffect(n) / math.Abs(s.Metric.Mean))
			}
			row.Variants = append(row.Variants, detectableFor{Variant: v.Name, Units: math.Floor(float64(day) * perDay(v)),
				OneLook: detectable(false), AnyTime: detectable(true)})
		}
		s.Days = append(s.Days, row)
	}
	if s.Effect == 0 {
		return
	}
	for _, v := range s.Variants[1:] {
		effect, rate := s.Effect*s.Metric.Mean, perDay(control)+perDay(v)
		once, always := s.design(v, false).SampleSize(effect), s.design(v, true).SampleSize(effect)
		s.Needed = append(s.Needed, neededDays{Variant: v.Name, OneLook: finite(once / rate), AnyTime: finite(always / rate),
			OneLookUnits: finite(math.Ceil(once)), AnyTimeUnits: finite(math.Ceil(always))})
	}
}

// design is the comparison of a variant with the control. It is tuned as the
// readout is, so that the plan is of what the report will show.
func (s *simulation) design(v simulatedVariant, sequential bool) stats.Design {
	return stats.Design{Mean: s.Metric.Mean, StdDev: s.Metric.StdDev, Proportion: s.Metric.Kind == kindRate,
		Ratio: v.Share / s.Variants[0].Share, Alpha: s.Alpha, Power: s.Power, Sequential: sequential, TuneN: stats.TuneUnits}
}

// finite is the number, or nil where there is none.
func finite(x float64) *float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return nil
	}
	return &x
}

func simulationTable(w io.Writer, s simulation) {
	if s.Experiment != "" {
		fmt.Fprintf(w, "experiment %s: ", s.Experiment)
	}
	fmt.Fprintf(w, "%s units arrive a day, %s of them are in the experiment\n", whole(s.Arriving), whole(s.Enrolled))
	fmt.Fprintf(w, "%s %s, level %g, power %g\n", s.Metric.Kind, strconv.FormatFloat(s.Metric.Mean, 'g', 6, 64), s.Alpha, s.Power)
	fmt.Fprintf(w, "\nDAYS\tVARIANT\tUNITS\tUNITS OF %s\tLIFT SEEN, ONE LOOK\tLIFT SEEN, ANY TIME\n", strings.ToUpper(s.Variants[0].Name))
	for _, d := range s.Days {
		for _, v := range d.Variants {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", d.Day, v.Variant, whole(v.Units), whole(d.Control), lift(v.OneLook), lift(v.AnyTime))
		}
	}
	if len(s.Needed) > 0 {
		fmt.Fprintf(w, "\nA LIFT OF %s IN\tDAYS, ONE LOOK\tDAYS, ANY TIME\tUNITS, ONE LOOK\tUNITS, ANY TIME\n", lift(&s.Effect))
		for _, n := range s.Needed {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.Variant, tenths(n.OneLook), tenths(n.AnyTime), orNever(n.OneLookUnits), orNever(n.AnyTimeUnits))
		}
	}
	if s.AA != nil {
		aaTable(w, s.AA)
	}
	for _, note := range s.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", note)
	}
}

func whole(x float64) string { return strconv.FormatFloat(math.Floor(x), 'f', 0, 64) }

func lift(x *float64) string {
	if x == nil {
		return "none"
	}
	return fmt.Sprintf("%+.3g%%", *x*100)
}

func orNever(x *float64) string {
	if x == nil {
		return "never"
	}
	return whole(*x)
}

// tenths is a number of days, rounded up.
func tenths(x *float64) string {
	if x == nil {
		return "never"
	}
	return strconv.FormatFloat(math.Ceil(*x*10)/10, 'f', 1, 64)
}
