package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// The generators of open-loop load.
const (
	// GeneratorAuto runs the headline scenario's rates with vegeta and again with
	// the wire generator, the other scenarios with the wire generator alone.
	GeneratorAuto = "auto"
	// GeneratorVegeta is the vegeta library alone.
	GeneratorVegeta = "vegeta"
	// GeneratorWire is the bench's own event loop over raw sockets alone.
	GeneratorWire = "wire"
)

// Options says what to measure and how long. DefaultOptions fills everything
// but the paths that only the caller knows.
type Options struct {
	// Gateway is the path of the gateway binary.
	Gateway string
	// GatewayConfig is passed as --config; empty leaves the flag out.
	GatewayConfig string
	// GatewayArgs are added to the gateway's command line.
	GatewayArgs []string
	// Models is the model repository with the models mid, mlp10 and tensor.
	Models string
	// Schema is the features.yaml of those models, passed as
	// --set features.schema=...; empty leaves it to GatewayConfig.
	Schema string
	// Floor is the path of the floor binary; empty leaves the floor out.
	Floor string
	// ONNXRuntime is the library that the floor loads; the gateway finds its own.
	ONNXRuntime string
	// RedisServer is the redis-server binary.
	RedisServer string
	// Users is the number of distinct users loaded and asked for.
	Users int
	// Scenarios are the names to run, in order; empty means all.
	Scenarios []string
	// Generator is one of the Generator constants.
	Generator string
	// Connections is the number of keep-alive connections of every generator.
	Connections int
	// Warmup is the load before the measurements of a process, discarded.
	Warmup time.Duration
	// Probe is the length of one closed-loop measurement.
	Probe time.Duration
	// RampStep is the length of one rate of the ramp.
	RampStep time.Duration
	// Step is the length of one fixed rate.
	Step time.Duration
	// Shares are the fixed rates as parts of saturation.
	Shares []float64
	// Rates are further fixed rates, in requests (batch100: batches) a second.
	Rates []float64
	// Pairs is the number of floor/gateway pairs; 0 leaves them out.
	Pairs int
	// PairStep is the length of each measurement of a pair.
	PairStep time.Duration
	// Stall is how long the server is stopped in the coordinated-omission check; 0 leaves it out.
	Stall time.Duration
	// Pin puts the server on core 0 and the generator and Redis on the last core.
	Pin bool
	// Out is the folder for the JSON and HTML reports.
	Out string
	// Progress receives a line per step; nil discards them.
	Progress io.Writer
}

// DefaultOptions is the short protocol: all scenarios in less than five minutes.
func DefaultOptions() Options {
	return Options{
		Gateway:     "bin/gateway",
		Models:      "bench/testdata/repository",
		Schema:      "bench/testdata/features.yaml",
		Floor:       "bin/floor",
		ONNXRuntime: os.Getenv("ONNXRUNTIME_LIB"),
		RedisServer: "redis-server",
		Users:       20000,
		Generator:   GeneratorAuto,
		Connections: 64,
		Warmup:      2 * time.Second,
		Probe:       3 * time.Second,
		RampStep:    1200 * time.Millisecond,
		Step:        4 * time.Second,
		Shares:      []float64{0.1, 0.5, 0.8},
		Rates:       []float64{10000},
		Pairs:       2,
		PairStep:    4 * time.Second,
		Stall:       200 * time.Millisecond,
		Out:         "bench/results",
	}
}

// Full returns the long protocol: ten pairs of 15 s and a million samples at
// 10,000 requests a second, which p99.9 needs.
func (o Options) Full() Options {
	o.Warmup, o.Probe, o.RampStep = 3*time.Second, 15*time.Second, 5*time.Second
	o.Step, o.PairStep, o.Pairs = 100*time.Second, 15*time.Second, 10
	return o
}

// Validate reports every option that cannot be used.
func (o Options) Validate() error {
	var errs []error
	bad := func(name string, value any, fix string) {
		errs = append(errs, fmt.Errorf("bench option %s = %v: %s", name, value, fix))
	}
	if o.Gateway == "" {
		bad("Gateway", `""`, "give the path of the gateway binary (make build)")
	}
	if o.Users < 1 || o.Users > 10_000_000 {
		bad("Users", o.Users, "must be between 1 and 10,000,000")
	}
	if o.Connections < 1 || o.Connections > 4096 {
		bad("Connections", o.Connections, "must be between 1 and 4,096")
	}
	if !slices.Contains([]string{GeneratorAuto, GeneratorVegeta, GeneratorWire}, o.Generator) {
		bad("Generator", o.Generator, "must be auto, vegeta or wire")
	}
	for name, d := range map[string]time.Duration{"Probe": o.Probe, "RampStep": o.RampStep, "Step": o.Step} {
		if d < 100*time.Millisecond {
			bad(name, d, "must be at least 100ms")
		}
	}
	if o.Pairs < 0 || o.Pairs > 0 && o.PairStep < 100*time.Millisecond {
		bad("Pairs", o.Pairs, "must be 0 or more, with a PairStep of at least 100ms")
	}
	for _, s := range o.Shares {
		if s <= 0 || s > 2 {
			bad("Shares", s, "must be above 0 and at most 2")
		}
	}
	for _, r := range o.Rates {
		if r < 1 || r > 1e6 {
			bad("Rates", r, "must be between 1 and 1,000,000 a second")
		}
	}
	for _, name := range o.Scenarios {
		if _, ok := scenarioByName(name); !ok {
			bad("Scenarios", name, "must be one of "+strings.Join(ScenarioNames(), ", "))
		}
	}
	return errors.Join(errs...)
}

// progress writes one line.
func (o Options) progress(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, format+"\n", args...)
	}
}
