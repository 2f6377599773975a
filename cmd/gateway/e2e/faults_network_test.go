package e2e

import (
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/cmd/gateway/e2e/faultproxy"
)

// faultDeadline is that of requests while Redis is at fault: a busy test machine
// keeps it.
const faultDeadline = 2 * time.Second

// faultBudget is the time for Redis. The faults' own times are to it as those of
// real faults are to the default.
func faultBudget() time.Duration { return byRace(200*time.Millisecond, 80*time.Millisecond) }

// startOverProxy starts a gateway whose Redis is behind a proxy. It keeps no
// copies, so that each degraded answer has the defaults and each other one the
// user's own values.
func startOverProxy(t *testing.T, settings ...string) (*gateway, *faultproxy.Proxy) {
	t.Helper()
	dir := demoFiles(t, "")
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	p := faultproxy.Start(t, redis.addr)
	return startGateway(t, dir, append(append(demoArgs(dir, p.Addr), overProxy()...), settings...)...), p
}

func overProxy() []string {
	return []string{"--set", "deadline.default=" + faultDeadline.String(), "--set", "deadline.max=5s", "--set", "features.budget=" + faultBudget().String(),
		"--set", "server.lame_duck=100ms", "--set", "features.copies.entries=0"}
}

// networkFault is a fault of the network between the gateway and Redis.
type networkFault struct {
	name, expected string
	fault          faultproxy.Fault
	// drop resets the open connections when the fault begins.
	drop  bool
	lasts time.Duration
	// healed is how long after the fault answers may still be degraded.
	healed time.Duration
	// trips is how often the breaker may open.
	trips float64
	// degrades says that answers must be degraded meanwhile, share is the largest
	// part of all answers that may be; 0: any.
	degrades bool
	share    float64
	// rate of the load; 0: the usual one.
	rate float64
}

// networkFaults take a second or less each.
func networkFaults() []networkFault {
	return []networkFault{
		{name: "row 2: redis answers within the budget, 3/4 of it +- 1/4", expected: "200, the breaker stays closed",
			fault: faultproxy.Fault{Delay: faultBudget() * 3 / 4, Jitter: faultBudget() / 4}, lasts: time.Second, healed: time.Second,
			// The jitter alone takes a part over the budget.
			share: .35, rate: byRace(60.0, 150.0)},
		{name: "row 5: connections reset after 37 bytes of a reply", expected: "200 or degraded, nobody else's reply, again fresh at once",
			fault: faultproxy.Fault{ResetAfter: 37}, lasts: 800 * time.Millisecond, healed: 2 * time.Second, trips: 2, degrades: true},
		{name: "row 7: a new connection's handshake is never answered", expected: "nobody waits for it",
			fault: faultproxy.Fault{SwallowNew: true}, drop: true, lasts: 1200 * time.Millisecond, healed: 2 * time.Second, trips: 2, degrades: true},
		{name: "row 12: replies are noise", expected: "the connection goes, memory stays",
			fault: faultproxy.Fault{Garble: true}, lasts: 800 * time.Millisecond, healed: 2 * time.Second, trips: 2, degrades: true},
		{name: "row 14: all connections dropped under load", expected: "one reconnect, again fresh at once", drop: true, lasts: 300 * time.Millisecond,
			healed: time.Second, trips: 1},
	}
}

// TestFaultsOfTheNetwork puts faults between the gateway and a real Redis, one
// after the other.
func TestFaultsOfTheNetwork(t *testing.T) {
	o := theOracle(t)
	g, p := startOverProxy(t)
	for _, f := range networkFaults() {
		t.Run(f.name, func(t *testing.T) { f.run(t, o, g, p) })
	}
	g.Stop(t)
}

func (f networkFault) run(t *testing.T, o *oracle, g *gateway, p *faultproxy.Proxy) {
	within(t, scaled(5*time.Second), "features are fresh", func() bool { return g.fresh(t) })
	v := keepVigil(t, g, o.body)
	rate := f.rate
	if rate == 0 {
		rate = byRace(150.0, 800.0)
	}
	l := load{addr: g.Traffic, rate: rate, conns: 64, body: o.body}.begin(t)
	within(t, scaled(5*time.Second), "some load ran", func() bool { return l.next.Load() > int64(l.rate)/4 })
	connections := p.Accepted()
	began := time.Now()
	p.Set(f.fault)
	if f.drop {
		p.Drop()
	}
	within(t, scaled(10*time.Second), "the fault lasts", func() bool { v.look(t); return time.Since(began) > f.lasts })
	p.Set(faultproxy.Fault{})
	ended := time.Now()
	healed := within(t, scaled(f.healed), "answers are fresh again", func() bool { return v.fresh(t) })
	seen := l.next.Load()
	within(t, scaled(5*time.Second), "load after the fault", func() bool { return l.next.Load() > seen+int64(l.rate)/4 })
	r := l.stop(t)
	o.check(t, r)
	f.checkDuring(t, r.where(func(a *answer) bool { return a.sent.After(began) && a.sent.Before(ended) }))
	if n := len(r.after(ended.Add(healed + scaled(500*time.Millisecond))).where(degraded).answers); n > 0 {
		t.Errorf("%d answers are still degraded later", n)
	}
	trips := g.metrics(t).sum("hotpath_breaker_trips_total", `downstream="features"`) - v.before.sum("hotpath_breaker_trips_total", `downstream="features"`)
	if trips > f.trips {
		t.Errorf("the breaker opened %g times, want at most %g", trips, f.trips)
	}
	// The stores of features and of sticky assignments may each make two at once and
	// then two a second.
	connections = p.Accepted() - connections
	if most := 2 * int(3+2*time.Since(began).Seconds()); connections > most {
		t.Errorf("%d connections were made, want at most %d", connections, most)
	}
	line := v.end(t, r, faultDeadline, "ok")
	verdict(t, f.name, f.expected, "healed after %s, %g trips, %d connections; %s", healed.Round(time.Millisecond), trips, connections, line)
}

// checkDuring checks the answers to what was sent during the fault.
func (f networkFault) checkDuring(t *testing.T, r report) {
	t.Helper()
	n := len(r.where(degraded).answers)
	if f.degrades && n == 0 {
		t.Errorf("none of %d answers was degraded: was there a fault?", len(r.answers))
	}
	if f.share > 0 && float64(n) > f.share*float64(len(r.answers)) {
		t.Errorf("%d of %d answers were degraded, want at most %.0f %%", n, len(r.answers), 100*f.share)
	}
	if late := faultBudget() + scaled(150*time.Millisecond); r.quantile(.99) > late {
		t.Errorf("p99 during the fault is %s, want at most %s: %s", r.quantile(.99), late, r.slowest(late))
	}
}
