//go:build chaos

package e2e

import (
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/faultproxy"
)

// TestLongFaultsOfTheNetwork are those that take seconds each.
func TestLongFaultsOfTheNetwork(t *testing.T) {
	o := theOracle(t)
	g, p := startOverProxy(t)
	for _, f := range []networkFault{
		{name: "row 1: redis hears nothing, the connection stays open", expected: "degraded, then the breaker; good within 2 s", fault: faultproxy.Fault{Deaf: true},
			lasts: 4 * time.Second, healed: 2 * time.Second, trips: 5, degrades: true},
		{name: "row 3: redis answers just over the budget", expected: "as a stall, at most one change of the breaker a second",
			fault: faultproxy.Fault{Delay: faultBudget() * 5 / 4}, lasts: 4 * time.Second, healed: 2500 * time.Millisecond, trips: 5, degrades: true},
		{name: "row 4: redis refuses connections", expected: "degraded at once, dials paced, good within 2 s", fault: faultproxy.Fault{Refuse: true},
			lasts: 4 * time.Second, healed: 2500 * time.Millisecond, trips: 5, degrades: true},
		{name: "row 7: handshakes are not answered for 5 s", expected: "nobody waits for them", fault: faultproxy.Fault{SwallowNew: true}, drop: true,
			lasts: 5 * time.Second, healed: 2500 * time.Millisecond, trips: 6, degrades: true},
		{name: "row 13: redis answers long after the callers have left, at a high rate", expected: "nobody waits longer than the budget, drains within 1 s",
			fault: faultproxy.Fault{Delay: 3 * faultBudget()}, lasts: 10 * time.Second, healed: 2500 * time.Millisecond, trips: 11, degrades: true, rate: byRace(600.0, 5000.0)},
	} {
		t.Run(f.name, func(t *testing.T) { f.run(t, o, g, p) })
	}
	g.Stop(t)
}

// TestHalfOpenConnection is row 6: a connection is lost without a word, while new
// ones are good. It is found out after 2 x keep_alive + write_timeout.
func TestHalfOpenConnection(t *testing.T) {
	o := theOracle(t)
	g, p := startOverProxy(t)
	within(t, scaled(5*time.Second), "features are fresh", func() bool { return g.fresh(t) })
	v := keepVigil(t, g, o.body)
	l := load{addr: g.Traffic, rate: byRace(100.0, 800.0), conns: 64, body: o.body}.begin(t)
	within(t, scaled(5*time.Second), "some load ran", func() bool { return l.next.Load() > int64(l.rate)/4 })
	connections := p.Accepted()
	lost := time.Now()
	p.Set(faultproxy.Fault{Swallow: true})
	within(t, scaled(time.Second), "the connection lost something", func() bool { return !v.fresh(t) })
	p.Set(faultproxy.Fault{})
	within(t, scaled(1500*time.Millisecond), "another connection is made", func() bool { return p.Accepted() > connections })
	found := time.Since(lost)
	healed := within(t, scaled(2500*time.Millisecond), "answers are fresh again", func() bool { return v.fresh(t) })
	r := l.stop(t)
	o.check(t, r)
	line := v.end(t, r, faultDeadline, "ok")
	verdict(t, "row 6: a connection that is lost without a word", "found out within 1 s, degraded meanwhile", "found out after at most %s, fresh %s later; %s",
		found.Round(time.Millisecond), healed.Round(time.Millisecond), line)
	g.Stop(t)
}
