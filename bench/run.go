package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// session is the state of one Run.
type session struct {
	opts     Options
	dir      string
	redis    *child
	bindings map[string]binding
	loads    map[string][][]byte // bodies by scenario
}

// Run measures everything that the options name. It starts its own Redis,
// gateway and floor, and has stopped them when it returns, also when ctx ends
// early. Reports are written by Report.Write.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hotpath-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if o.Pin {
		if err := pinSelf(o.core(false)); err != nil {
			return nil, err
		}
	}
	s := &session{opts: o, dir: dir, bindings: make(map[string]binding), loads: make(map[string][][]byte)}
	chosen, err := s.prepare()
	if err != nil {
		return nil, err
	}
	began, steal := time.Now(), stolen()
	report := &Report{Format: reportFormat, Machine: describeMachine(o)}
	redis, addr, err := startRedis(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	s.redis = redis
	o.progress("redis on %s: loading %d users", addr, o.Users)
	if err := populate(ctx, addr, o.Users, s.fields()); err != nil {
		return nil, err
	}
	if err := s.measureAll(ctx, chosen, addr, report); err != nil {
		return nil, err
	}
	took := time.Since(began)
	report.Seconds = took.Seconds()
	report.Machine.Steal = 100 * (stolen() - steal).Seconds() / took.Seconds() / float64(runtime.NumCPU())
	report.Figures = report.judge()
	return report, nil
}

// measureAll runs the scenarios, then the pairs.
func (s *session) measureAll(ctx context.Context, chosen []scenario, redis string, report *Report) error {
	gateway := s.opts.gatewayLauncher(s.dir, redis)
	for _, sc := range chosen {
		r, err := s.runScenario(ctx, gateway, sc)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", sc.name, err)
		}
		report.Scenarios = append(report.Scenarios, *r)
	}
	if s.opts.Pairs == 0 || s.opts.Floor == "" {
		return nil
	}
	library, err := s.library()
	if err != nil {
		return err
	}
	floor := s.opts.floorLauncher(s.dir, redis, library, s.bindings["mid"])
	report.Pairs, err = s.runPairs(ctx, floor, gateway)
	return err
}

// library finds the ONNX Runtime library for the floor.
func (s *session) library() (string, error) {
	local := filepath.Join(".onnxruntime", runtime.GOOS+"-"+runtime.GOARCH, "libonnxruntime.so.1")
	path, err := firstExisting(s.opts.ONNXRuntime, local)
	if err != nil {
		return "", fmt.Errorf("ONNX Runtime library for the floor (run make onnxruntime, or set ONNXRUNTIME_LIB): %w", err)
	}
	return path, nil
}

// prepare reads the models and builds the requests.
func (s *session) prepare() ([]scenario, error) {
	var chosen []scenario
	for _, sc := range scenarios() {
		if len(s.opts.Scenarios) == 0 || slices.Contains(s.opts.Scenarios, sc.name) {
			chosen = append(chosen, sc)
		}
	}
	needed := slices.Clone(chosen)
	if sc, ok := scenarioByName(headline); ok && s.opts.Pairs > 0 {
		needed = append(needed, sc)
	}
	for _, sc := range needed {
		if _, ok := s.bindings[sc.model]; !ok {
			b, err := readBinding(s.opts.Models, sc.model)
			if err != nil {
				return nil, err
			}
			s.bindings[sc.model] = b
		}
		s.loads[sc.name] = sc.bodies(s.bindings[sc.model].input, s.opts.Users)
	}
	return chosen, nil
}

// fields are the stored features that any of the models reads.
func (s *session) fields() []string {
	var out []string
	for _, b := range s.bindings {
		out = append(out, b.fields...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// bed starts a server and readies the scenario's load for it.
func (s *session) bed(ctx context.Context, l launcher, name string) (*bed, error) {
	srv, err := l.start(ctx)
	if err != nil {
		return nil, err
	}
	sc, _ := scenarioByName(name)
	conns := s.opts.Connections
	if sc.connections > 0 {
		conns = min(conns, sc.connections)
	}
	return &bed{server: srv, redis: s.redis, load: newLoad(srv.addr, sc.path, s.loads[name]), conns: conns}, nil
}

// runScenario measures one scenario on a fresh gateway.
func (s *session) runScenario(ctx context.Context, l launcher, sc scenario) (*Scenario, error) {
	b, err := s.bed(ctx, l, sc.name)
	if err != nil {
		return nil, err
	}
	defer b.server.stop()
	r := &Scenario{Name: sc.name, Shows: sc.shows, Model: sc.model, Path: sc.path, RowsPerRequest: sc.rows, Users: s.opts.Users, Connections: b.conns}
	s.opts.progress("%s: warm-up %v", sc.name, s.opts.Warmup)
	if err := s.warm(ctx, b); err != nil {
		return nil, err
	}
	if r.Closed, err = b.measure(ctx, wireGenerator{}, "closed loop", 0, s.opts.Probe); err != nil {
		return nil, err
	}
	s.show(sc.name, &r.Closed)
	if r.Closed.Answered == 0 || r.Closed.Failed > r.Closed.Answered/2 {
		// There is nothing to find by a ramp; the other scenarios still say something.
		r.Broken = "most requests of the closed loop failed: " + formatCodes(r.Closed.Codes)
		s.opts.progress("%s: given up: %s: %s", sc.name, r.Broken, b.server.tail())
		return r, nil
	}
	r.Saturation, r.Ramp, err = findSaturation(max(r.Closed.Throughput/4, 1), func(rate float64) (Step, error) {
		step, err := b.measure(ctx, wireGenerator{}, "ramp", rate, s.opts.RampStep)
		step.Latency.Curve = nil
		s.show(sc.name, &step)
		return step, err
	})
	if err != nil {
		return nil, err
	}
	if err := s.fixedRates(ctx, b, sc, r); err != nil {
		return nil, err
	}
	if sc.name == headline && s.opts.Stall > 0 {
		return r, s.checkStall(ctx, b, r)
	}
	return r, nil
}

// fixedRates runs the shares of saturation and the absolute rates. Absolute
// rates belong to the single-user scenarios and to servers that can hold them.
func (s *session) fixedRates(ctx context.Context, b *bed, sc scenario, r *Scenario) error {
	type planned struct {
		label string
		rate  float64
	}
	var plan []planned
	for _, share := range s.opts.Shares {
		if rate := share * r.Saturation; rate >= 1 {
			plan = append(plan, planned{fmt.Sprintf("%.0f%% of saturation", 100*share), rate})
		}
	}
	for _, rate := range s.opts.Rates {
		if sc.rows == 1 {
			plan = append(plan, planned{fmt.Sprintf("%.0f/s", rate), rate})
		}
	}
	for _, p := range plan {
		for _, g := range s.generators(sc, r, p.rate) {
			step, err := b.measure(ctx, g, p.label, p.rate, s.opts.Step)
			if err != nil {
				return err
			}
			s.show(sc.name, &step)
			r.Fixed = append(r.Fixed, step)
		}
	}
	return nil
}

// generators chooses who sends a rate. In auto mode vegeta runs every rate of
// the headline scenario, and the wire generator repeats it, because vegeta's own
// CPU disturbs a small machine; the other scenarios use the wire generator
// alone, to keep the suite short.
func (s *session) generators(sc scenario, r *Scenario, rate float64) []generator {
	switch {
	case s.opts.Generator == GeneratorVegeta:
		return []generator{vegetaGenerator{}}
	case s.opts.Generator == GeneratorWire || sc.name != headline || rate > r.Saturation:
		return []generator{wireGenerator{}}
	default:
		return []generator{vegetaGenerator{}, wireGenerator{}}
	}
}

func (s *session) checkStall(ctx context.Context, b *bed, r *Scenario) (err error) {
	rate := max(min(r.Saturation/4, 5000), 100)
	r.Stall, err = b.stallCheck(ctx, wireGenerator{}, rate, s.opts.Stall, max(3*time.Second, 10*s.opts.Stall))
	if err == nil {
		s.show(r.Name, &r.Stall.Step)
	}
	return err
}

// show writes a step's progress line.
func (s *session) show(name string, st *Step) {
	var notes []string
	if st.Failed > 0 {
		notes = append(notes, "failed "+formatCodes(st.Codes))
	}
	if st.Void != "" {
		notes = append(notes, "VOID: "+st.Void)
	}
	s.opts.progress("%s: %-20s %-6s %8.0f/s  p50 %-8s p99 %-8s p99.9 %-8s cpu %5.1f us  %s", name, st.Label, st.Generator,
		st.Throughput, formatMicros(st.Latency.P50), formatMicros(st.Latency.P99), formatMicros(st.Latency.P999), st.ServerCPU, strings.Join(notes, "; "))
}

// Write writes the report as JSON and HTML into dir, named by time and commit,
// and returns both paths.
func (r *Report) Write(dir string) (jsonPath, htmlPath string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	commit, _, _ := strings.Cut(r.Machine.Git, " ")
	base := filepath.Join(dir, r.Machine.Started.Format("20060102-150405")+"-"+commit)
	text, err := r.JSON()
	if err != nil {
		return "", "", err
	}
	page, err := r.HTML()
	if err != nil {
		return "", "", err
	}
	return base + ".json", base + ".html", errors.Join(
		os.WriteFile(base+".json", text, 0o644), os.WriteFile(base+".html", page, 0o644))
}
