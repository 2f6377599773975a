package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hotpath/bench"
)

func newBenchCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "bench",
		Short: "Measure latency and throughput",
		Long: "Measure a gateway as a black box: real processes, a real Redis, real sockets, an open loop.\n" +
			"What is measured how is written in the documentation of package bench.",
		Example: "  gateway bench run\n  gateway bench compare old.json new.json",
	}, newBenchRunCommand(a), newBenchCompareCommand(a), newBenchTargetsCommand(a))
}

func newBenchRunCommand(a *app) *cobra.Command {
	o := bench.DefaultOptions()
	var full bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the benchmark suite",
		Long: "Start a redis-server, a gateway and the bare floor, load users' features, find saturation, and measure at\n" +
			"fixed rates. The report goes to standard output, and as JSON and HTML into --out. --config is passed on to\n" +
			"the gateway that is measured. Needs Linux, and a machine with nothing else to do.",
		Example: "  gateway bench run\n  gateway bench run --scenarios features_mid --pairs 0\n  gateway bench run --full",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.GatewayConfig, o.Progress = a.configFile, a.stderr
			if full {
				takeFull(cmd.Flags(), &o)
			}
			if err := o.Validate(); err != nil {
				return wrongError{err}
			}
			report, err := bench.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			jsonPath, htmlPath, err := report.Write(o.Out)
			if err = errors.Join(err, report.WriteText(a.stdout)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "\nwritten to %s and %s\n", jsonPath, htmlPath)
			return err
		},
	}
	benchFlags(c.Flags(), &o, &full)
	return c
}

func benchFlags(f *pflag.FlagSet, o *bench.Options, full *bool) {
	f.StringVar(&o.Gateway, "gateway", o.Gateway, "gateway `binary` to measure")
	f.StringArrayVar(&o.GatewayArgs, "gateway-arg", nil, "further `argument` of the gateway; may be repeated")
	f.StringVar(&o.Models, "models", o.Models, "model repository `directory` with the bench models")
	f.StringVar(&o.Floor, "floor", o.Floor, "floor `binary`; empty leaves the floor out")
	f.StringVar(&o.ONNXRuntime, "onnxruntime", o.ONNXRuntime, "ONNX Runtime `library` of the floor (default $ONNXRUNTIME_LIB, then .onnxruntime/)")
	f.StringVar(&o.RedisServer, "redis-server", o.RedisServer, "redis-server `binary`")
	f.IntVar(&o.Users, "users", o.Users, "distinct users")
	f.StringSliceVar(&o.Scenarios, "scenarios", nil, "scenarios to run: "+strings.Join(bench.ScenarioNames(), ", ")+" (default all)")
	f.StringVar(&o.Generator, "generator", o.Generator, "load generator: auto, vegeta or wire")
	f.IntVar(&o.Connections, "connections", o.Connections, "keep-alive connections")
	f.DurationVar(&o.Warmup, "warmup", o.Warmup, "load before the measurements")
	f.DurationVar(&o.Probe, "probe", o.Probe, "length of a closed-loop measurement")
	f.DurationVar(&o.RampStep, "ramp-step", o.RampStep, "length of one rate of the ramp")
	f.DurationVar(&o.Step, "step", o.Step, "length of one fixed rate")
	f.Float64SliceVar(&o.Shares, "shares", o.Shares, "fixed rates as parts of saturation")
	f.Float64SliceVar(&o.Rates, "rates", o.Rates, "further fixed rates, in requests a second")
	f.IntVar(&o.Pairs, "pairs", o.Pairs, "floor/gateway pairs; 0 leaves them out")
	f.DurationVar(&o.PairStep, "pair-step", o.PairStep, "length of each measurement of a pair")
	f.DurationVar(&o.Stall, "stall", o.Stall, "how long the server is stopped to check the measurement; 0 leaves that out")
	f.BoolVar(&o.Pin, "pin", o.Pin, "pin the server to the first core, the rest to the last")
	f.StringVar(&o.Out, "out", o.Out, "`directory` of the JSON and HTML reports")
	f.BoolVar(full, "full", false, "the long protocol (about an hour); other flags still win")
}

// takeFull takes the long protocol's values for what no flag gave.
func takeFull(f *pflag.FlagSet, o *bench.Options) {
	long := o.Full()
	unless := func(name string, take func()) {
		if !f.Changed(name) {
			take()
		}
	}
	unless("warmup", func() { o.Warmup = long.Warmup })
	unless("probe", func() { o.Probe = long.Probe })
	unless("ramp-step", func() { o.RampStep = long.RampStep })
	unless("step", func() { o.Step = long.Step })
	unless("pair-step", func() { o.PairStep = long.PairStep })
	unless("pairs", func() { o.Pairs = long.Pairs })
}

func newBenchCompareCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "compare A.json B.json",
		Short: "Compare two reports",
		Long: "Line up the figures of two reports, B over A. Only reports of the same machine, made one after the other,\n" +
			"can be compared; what makes two hard to compare is noted.",
		Example: "  gateway bench compare bench/results/old.json bench/results/new.json",
		Args:    takes(2, 2),
		RunE: func(_ *cobra.Command, files []string) error {
			before, err := bench.ReadReport(files[0])
			if err != nil {
				return err
			}
			after, err := bench.ReadReport(files[1])
			if err != nil {
				return err
			}
			return bench.Compare(before, after).WriteText(a.stdout)
		},
	}
}

func newBenchTargetsCommand(a *app) *cobra.Command {
	o := bench.TargetOptions{URL: "http://127.0.0.1:8080", Scenario: bench.ScenarioNames()[0], Users: 1000}
	var output string
	c := &cobra.Command{
		Use:   "targets",
		Short: "Write requests for vegeta attack",
		Long: "Write the requests of a scenario in vegeta's JSON format, one a line, to be sent by\n" +
			"vegeta attack -format=json -targets=FILE -rate=1000 -duration=10s | vegeta report",
		Example: "  gateway bench targets --output targets.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.write(output, func(w io.Writer) error { return bench.WriteTargets(w, o) })
		},
	}
	f := c.Flags()
	f.StringVar(&o.URL, "url", o.URL, "base `address` of the gateway")
	f.StringVar(&o.Scenario, "scenario", o.Scenario, "scenario: "+strings.Join(bench.ScenarioNames(), ", "))
	f.StringVar(&o.Model, "model", "", "`model` to ask for instead of the scenario's")
	f.StringVar(&o.Input, "input", "", "`name` of the tensor scenario's input (default x)")
	f.IntVar(&o.Users, "users", o.Users, "distinct users")
	outputFlag(c, &output)
	return c
}
