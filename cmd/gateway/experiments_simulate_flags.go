package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/abtest"
)

// The kinds of metric that are simulated.
const (
	kindRate = "rate"
	kindMean = "mean"
)

// The limits of a simulation.
const (
	maxTraffic  = 1e12 // a day
	maxDays     = 3650
	maxDayRows  = 100
	maxAA       = 10_000
	maxVariants = abtest.MaxVariants
)

// simulateFlags are the flags as they were given.
type simulateFlags struct {
	traffic, split, experiment, file string
	baseline, mean, stddev, effect   string
	power, alpha                     float64
	days                             []int
	aa                               int
}

func (f *simulateFlags) addTo(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.traffic, "traffic", "", "new `units/time`, as in 50000/day, 2000/hour or 300000/week (needed)")
	flags.StringVar(&f.split, "split", "", "`shares` of the control and the variants in percent, as in 90,5,5 (default 50,50)")
	flags.StringVar(&f.experiment, "experiment", "", "`name` of an experiment of the file, instead of --split")
	flags.StringVar(&f.file, "file", "", "experiments `file` (default experiments.file of the configuration; - is standard input)")
	flags.StringVar(&f.baseline, "baseline", "", "the control's `rate`, as in 0.10 or 10%")
	flags.StringVar(&f.mean, "mean", "", "the control's `mean`, instead of --baseline")
	flags.StringVar(&f.stddev, "stddev", "", "standard deviation of a unit's `value`, with --mean")
	flags.StringVar(&f.effect, "effect", "", "relative `lift` to be found, as in 5% or -2%; shows how many days it takes")
	flags.Float64Var(&f.power, "power", 0.8, "`chance` to find an effect that is there")
	flags.Float64Var(&f.alpha, "alpha", 0.05, "`chance` to claim an effect that is not there")
	flags.IntSliceVar(&f.days, "days", []int{1, 3, 7, 14, 28}, "`days` to show, as in 7,14")
	flags.IntVar(&f.aa, "aa", 0, "`number` of experiments without an effect to run, to count the false alarms; at most 10000")
	if err := c.MarkFlagRequired("traffic"); err != nil {
		panic(err) // the flag is above
	}
}

// simulation checks the flags and plans what they ask for.
func (f *simulateFlags) simulation(a *app) (*simulation, error) {
	s := &simulation{Alpha: f.alpha, Power: f.power}
	arriving, err := parseTraffic(f.traffic)
	if err != nil {
		return nil, err
	}
	s.Arriving, s.Enrolled = arriving, arriving
	for _, check := range []func(*simulation) error{f.checkLevels, f.readMetric, func(s *simulation) error { return f.readVariants(a, s) }} {
		if err := check(s); err != nil {
			return nil, err
		}
	}
	s.plan(f.days)
	if n := len(s.Variants) - 1; n > 1 {
		s.Notes = append(s.Notes, fmt.Sprintf("each of %d variants is compared at the level %g; as the report corrects for their number, plan for the least favourable case with --alpha %.3g",
			n, s.Alpha, s.Alpha/float64(n)))
	}
	return s, nil
}

// parseTraffic is the number of units a day.
func parseTraffic(text string) (float64, error) {
	number, per, _ := strings.Cut(text, "/")
	perDay, known := map[string]float64{"hour": 24, "day": 1, "week": 1.0 / 7}[per]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known {
		return 0, wrongf("--traffic %q is not a number of units per hour, day or week, as in 50000/day", text)
	}
	if n *= perDay; !(n > 0 && n <= maxTraffic) {
		return 0, wrongf("--traffic %q must be above 0 and at most %g a day", text, float64(maxTraffic))
	}
	return n, nil
}

// parseShare is a number that may be in percent.
func parseShare(flag, text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0, wrongf("%s %q is not a number or a percentage, as in 0.05 or 5%%", flag, text)
	}
	if percent {
		x /= 100
	}
	return x, nil
}

func (f *simulateFlags) checkLevels(s *simulation) error {
	if !(f.alpha >= 1e-9 && f.alpha <= 0.5) {
		return wrongf("--alpha %g must be from 1e-9 to 0.5, as in 0.05", f.alpha)
	}
	if !(f.power > f.alpha && f.power <= 0.9999) {
		return wrongf("--power %g must be above --alpha and at most 0.9999, as in 0.8", f.power)
	}
	if len(f.days) == 0 || len(f.days) > maxDayRows {
		return wrongf("--days lists %d days: list 1 to %d", len(f.days), maxDayRows)
	}
	for _, d := range f.days {
		if d < 1 || d > maxDays {
			return wrongf("--days %d must be from 1 to %d", d, maxDays)
		}
	}
	if f.aa < 0 || f.aa > maxAA {
		return wrongf("--aa %d must be from 0 to %d experiments", f.aa, maxAA)
	}
	if f.effect == "" {
		return nil
	}
	var err error
	if s.Effect, err = parseShare("--effect", f.effect); err != nil {
		return err
	}
	if s.Effect == 0 || math.Abs(s.Effect) > 1000 || s.Effect <= -1 {
		return wrongf("--effect %s must be above -100%% and not 0, as in 5%%", f.effect)
	}
	return nil
}

func (f *simulateFlags) readMetric(s *simulation) error {
	var err error
	switch {
	case f.baseline != "" && (f.mean != "" || f.stddev != ""):
		return wrongf("--baseline is of a rate, --mean and --stddev are of a mean: give one of them")
	case f.baseline != "":
		s.Metric.Kind = kindRate
		if s.Metric.Mean, err = parseShare("--baseline", f.baseline); err != nil {
			return err
		}
		if !(s.Metric.Mean > 0 && s.Metric.Mean < 1) {
			return wrongf("--baseline %s must be above 0 and below 1 (100%%), as in 0.10", f.baseline)
		}
		if s.Metric.Mean*(1+s.Effect) > 1 {
			return wrongf("--effect %s on a rate of %s leads above 1 (100%%): give a smaller one", f.effect, f.baseline)
		}
		return nil
	case f.mean == "" && f.stddev == "":
		return wrongf("what the metric is now is missing: give --baseline RATE, as in 0.10, or --mean and --stddev")
	}
	s.Metric.Kind = kindMean
	if s.Metric.Mean, err = strconv.ParseFloat(f.mean, 64); err != nil || s.Metric.Mean == 0 || math.IsInf(s.Metric.Mean, 0) || math.IsNaN(s.Metric.Mean) {
		return wrongf("--mean %q must be a number other than 0, as effects are relative to it", f.mean)
	}
	if s.Metric.StdDev, err = strconv.ParseFloat(f.stddev, 64); err != nil || !(s.Metric.StdDev > 0) || math.IsInf(s.Metric.StdDev, 0) {
		return wrongf("--stddev %q must be a number above 0, the standard deviation of a unit's value", f.stddev)
	}
	return nil
}

func (f *simulateFlags) readVariants(a *app, s *simulation) error {
	switch {
	case f.experiment != "" && f.split != "":
		return wrongf("--split %s and --experiment %s both say how units are split: give one of them", f.split, f.experiment)
	case f.experiment != "":
		return f.fromFile(a, s)
	case f.file != "":
		return wrongf("--file %s is given without --experiment: name one of its experiments", f.file)
	case f.split == "":
		f.split = "50,50"
	}
	sum := 0.0
	for i, text := range strings.Split(f.split, ",") {
		share, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || !(share > 0 && share <= 100) {
			return wrongf("--split %s: share %q is not a percentage above 0, as in 50,50 or 90,5,5", f.split, text)
		}
		name := "control"
		if i > 0 {
			name = "variant " + strconv.Itoa(i)
		}
		s.Variants = append(s.Variants, simulatedVariant{Name: name, Share: share})
		sum += share
	}
	if sum > 100+1e-9 {
		return wrongf("--split %s adds up to %g: the shares must be at most 100 together", f.split, sum)
	}
	if n := len(s.Variants); n < 2 || n > maxVariants {
		return wrongf("--split %s has %s: give that of the control and 1 to %d more", f.split, count(n, "share"), maxVariants-1)
	}
	s.Enrolled = s.Arriving * sum / 100
	for i := range s.Variants {
		s.Variants[i].Share *= 100 / sum
	}
	return nil
}

// fromFile takes the split from an experiments file.
func (f *simulateFlags) fromFile(a *app, s *simulation) error {
	name := f.file
	if name == "" {
		c, _, err := a.load()
		if err != nil {
			return err
		}
		if name = c.Experiments.File; name == "" {
			return wrongf("--experiment %s is of no file: give --file, or configure experiments.file", f.experiment)
		}
	}
	text, err := a.readExperiments(name)
	if err != nil {
		return err
	}
	plan, err := text.compile()
	if err != nil {
		return wrongError{err}
	}
	e := plan.Experiment(f.experiment)
	if e == nil {
		var names []string
		for _, e := range plan.Experiments() {
			names = append(names, e.Name())
		}
		return wrongf("--experiment %s is not in %s, which has %s", f.experiment, name, orNone(names))
	}
	return s.take(e, time.Now().Unix())
}

func orNone(names []string) string {
	const most = 20
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return strings.Join(names[:most], ", ") + " and more"
	}
	return strings.Join(names, ", ")
}

// take fills in what an experiment says of its units.
func (s *simulation) take(e *abtest.Experiment, now int64) error {
	s.Experiment = e.Name()
	control := e.Control()
	if control.Weight() == 0 {
		return wrongf("--experiment %s: the control, %s, has weight 0, so that nothing can be compared with it", e.Name(), control.Name())
	}
	s.Variants = []simulatedVariant{{Name: control.Name(), Share: float64(control.Weight()) / 100}}
	for _, v := range e.Variants() {
		if v != control && v.Weight() > 0 {
			s.Variants = append(s.Variants, simulatedVariant{Name: v.Name(), Share: float64(v.Weight()) / 100})
		}
	}
	if len(s.Variants) < 2 {
		return wrongf("--experiment %s: no variant but the control has a weight above 0", e.Name())
	}
	low, high := e.Range()
	share, last := e.RampShare(now), e.RampShare(math.MaxInt64)
	switch {
	case last == 0:
		return wrongf("--experiment %s: its ramp lets nobody in: give its last step a share above 0", e.Name())
	case share == 0:
		share = last
		s.Notes = append(s.Notes, fmt.Sprintf("the ramp lets nobody in yet; the plan is of its last step, %g%%", float64(last)/100))
	case share < last:
		s.Notes = append(s.Notes, fmt.Sprintf("the ramp is at %g%% now and goes on to %g%%, with more units each day then", float64(share)/100, float64(last)/100))
	}
	s.Enrolled = s.Arriving * float64(high-low) / abtest.Buckets * float64(share) / abtest.Buckets
	return nil
}
