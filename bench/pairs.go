package bench

import (
	"context"
	"fmt"
	"time"
)

// Pairs compares the gateway with the floor on the headline scenario.
type Pairs struct {
	Scenario string `json:"scenario"`
	Runs     []Pair `json:"runs"`
	// The ratios are gateway over floor, medians of the pairs.
	ClosedCPU  Interval `json:"closed_cpu_ratio"`
	OpenCPU    Interval `json:"open_cpu_ratio"`
	Throughput Interval `json:"closed_throughput_ratio"`
	OpenRate   float64  `json:"open_rate"`
}

// Pair is one run of each program, fresh processes, next to each other in time.
type Pair struct {
	First         string `json:"first"` // which program ran first
	FloorClosed   Step   `json:"floor_closed"`
	GatewayClosed Step   `json:"gateway_closed"`
	FloorOpen     Step   `json:"floor_open"`
	GatewayOpen   Step   `json:"gateway_open"`
}

// pairRate is the open-loop rate of the pairs, a second.
const pairRate = 10000

// runPairs alternates A B B A, A being the floor.
func (s *session) runPairs(ctx context.Context, floor, gateway launcher) (*Pairs, error) {
	p := &Pairs{Scenario: headline, OpenRate: pairRate}
	for n := range s.opts.Pairs {
		var pair Pair
		sequence := []launcher{floor, gateway}
		if n%2 == 1 {
			sequence = []launcher{gateway, floor}
		}
		pair.First = sequence[0].name
		for _, l := range sequence {
			closed, open, err := s.pairSide(ctx, l, n)
			if err != nil {
				return nil, fmt.Errorf("pair %d: %w", n+1, err)
			}
			if l.name == floor.name {
				pair.FloorClosed, pair.FloorOpen = closed, open
			} else {
				pair.GatewayClosed, pair.GatewayOpen = closed, open
			}
		}
		p.Runs = append(p.Runs, pair)
	}
	p.finish()
	return p, nil
}

// pairSide measures a fresh process: closed loop, then the open rate.
func (s *session) pairSide(ctx context.Context, l launcher, n int) (closed, open Step, err error) {
	b, err := s.bed(ctx, l, headline)
	if err != nil {
		return closed, open, err
	}
	defer b.server.stop()
	if err = s.warm(ctx, b); err != nil {
		return closed, open, err
	}
	d := s.opts.PairStep
	if closed, err = b.measure(ctx, wireGenerator{}, l.name+" closed loop", 0, d); err != nil {
		return closed, open, err
	}
	if open, err = b.measure(ctx, wireGenerator{}, l.name+" open loop", pairRate, d); err != nil {
		return closed, open, err
	}
	s.opts.progress("pair %d %-8s %7.0f req/s closed loop, %5.1f us CPU/request; %5.1f us at %d/s, p99 %s",
		n+1, l.name, closed.Throughput, closed.ServerCPU, open.ServerCPU, pairRate, formatMicros(open.Latency.P99))
	return closed, open, nil
}

// finish computes the ratios.
func (p *Pairs) finish() {
	var closed, open, throughput []float64
	for _, r := range p.Runs {
		closed = append(closed, ratio(r.GatewayClosed.ServerCPU, r.FloorClosed.ServerCPU))
		open = append(open, ratio(r.GatewayOpen.ServerCPU, r.FloorOpen.ServerCPU))
		throughput = append(throughput, ratio(r.GatewayClosed.Throughput, r.FloorClosed.Throughput))
	}
	p.ClosedCPU, p.OpenCPU, p.Throughput = bootstrap(closed), bootstrap(open), bootstrap(throughput)
}

// ratio is a/b; 0 when there is no b.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// warm sends a closed loop and throws its figures away.
func (s *session) warm(ctx context.Context, b *bed) error {
	_, err := wireGenerator{}.run(ctx, &attack{load: b.load, connections: b.conns, duration: max(s.opts.Warmup, time.Millisecond)})
	return err
}
