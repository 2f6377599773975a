package bench

import (
	"context"
	"fmt"
	"os"
	"time"
)

// The limits beyond which a step says nothing about the server.
const (
	minSentShare    = 0.99
	maxGeneratorCPU = 0.70 // of one core
)

// Step is one measured load.
type Step struct {
	Label     string `json:"label"`
	Generator string `json:"generator"`
	// Loop is "open" (planned times) or "closed" (saturation and CPU only).
	Loop string `json:"loop"`
	// Rate is the planned rate a second; 0 in a closed loop.
	Rate       float64 `json:"rate"`
	Seconds    float64 `json:"seconds"`
	Planned    int64   `json:"planned"`
	Sent       int64   `json:"sent"` // before the planned end
	Late       int64   `json:"late"` // after it
	Answered   int64   `json:"answered"`
	Throughput float64 `json:"throughput"` // answers a second
	// Latency is from the planned send to the end of the answer (open loop).
	Latency Latency `json:"latency"`
	// Lag is from the planned to the actual send: the generator's and the
	// connections' part of Latency.
	Lag    Latency          `json:"lag"`
	Codes  map[string]int64 `json:"codes"`
	Failed int64            `json:"failed"`
	// The CPU times are microseconds per answer.
	ServerCPU    float64 `json:"server_cpu_us"`
	RedisCPU     float64 `json:"redis_cpu_us"`
	GeneratorCPU float64 `json:"generator_cpu_us"`
	// GeneratorShare is the generator's CPU as a part of one core.
	GeneratorShare float64  `json:"generator_share"`
	RSSMB          float64  `json:"rss_mb"`
	Batches        []Bucket `json:"batches,omitempty"`
	// Void says why the step must not be read as a figure of the server.
	Void string `json:"void,omitempty"`
}

// bed is a server under measurement with what surrounds it.
type bed struct {
	server *server
	redis  *child
	load   *load
	conns  int
}

// counters are the usages around a step.
type counters struct {
	server, redis, self usage
	batches             cumulative
}

func (b *bed) read(ctx context.Context) (c counters, err error) {
	if url := b.server.metricsURL(); url != "" {
		if c.batches, err = scrapeBuckets(ctx, url, batchMetric); err != nil {
			return c, err
		}
	}
	if c.server, err = readUsage(b.server.pid()); err != nil {
		return c, err
	}
	if c.redis, err = readUsage(b.redis.pid()); err != nil {
		return c, err
	}
	c.self, err = readUsage(os.Getpid())
	return c, err
}

// measure runs one load and reads the processes before and after it.
func (b *bed) measure(ctx context.Context, g generator, label string, rate float64, d time.Duration) (Step, error) {
	before, err := b.read(ctx)
	if err != nil {
		return Step{}, err
	}
	a := &attack{load: b.load, connections: b.conns, rate: rate, duration: d}
	began := time.Now()
	out, err := g.run(ctx, a)
	if err != nil {
		return Step{}, fmt.Errorf("%s: %w", label, err)
	}
	wall := time.Since(began)
	after, err := b.read(ctx)
	if err != nil {
		return Step{}, err
	}
	return newStep(label, g.name(), a, out, before, after, wall), nil
}

func newStep(label, generator string, a *attack, out *outcome, before, after counters, wall time.Duration) Step {
	s := Step{
		Label: label, Generator: generator, Loop: "open", Rate: a.rate, Seconds: out.took.Seconds(),
		Planned: a.planned(), Sent: out.sent, Late: out.late, Answered: out.answered,
		Latency: summarize(out.latency), Lag: summarize(out.lag),
		Codes: out.codes, Failed: out.failed(),
		RSSMB:   float64(after.server.rss) / (1 << 20),
		Batches: after.batches.since(before.batches),
	}
	s.Lag.Curve = nil
	if a.rate == 0 {
		s.Loop, s.Planned = "closed", out.sent
		// A closed loop slows down with the server: its latencies would mislead.
		s.Latency, s.Lag = Latency{Count: s.Latency.Count}, Latency{}
	}
	if out.took > 0 {
		s.Throughput = float64(out.answered) / out.took.Seconds()
	}
	perAnswer := func(after, before usage) float64 {
		return float64((after.cpu - before.cpu).Microseconds()) / float64(max(out.answered, 1))
	}
	s.ServerCPU = perAnswer(after.server, before.server)
	s.RedisCPU = perAnswer(after.redis, before.redis)
	s.GeneratorCPU = perAnswer(after.self, before.self)
	s.GeneratorShare = (after.self.cpu - before.self.cpu).Seconds() / wall.Seconds()
	s.Void = s.void()
	return s
}

// void names the first limit that the generator broke. A closed loop has no
// plan, and its generator may be as busy as it likes: it shows how busy.
func (s *Step) void() string {
	switch {
	case s.Loop == "closed":
		return ""
	case float64(s.Sent) < minSentShare*float64(s.Planned):
		return fmt.Sprintf("sent %.1f%% of the plan in time", 100*float64(s.Sent)/float64(s.Planned))
	case s.GeneratorShare > maxGeneratorCPU:
		return fmt.Sprintf("generator used %.0f%% of a core", 100*s.GeneratorShare)
	}
	return ""
}
