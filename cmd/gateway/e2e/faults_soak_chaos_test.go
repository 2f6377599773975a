//go:build chaos

package e2e

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/cmd/gateway/e2e/faultproxy"
)

var (
	soakFor  = flag.Duration("soak", 20*time.Second, "how long TestSoak mixes faults")
	soakSeed = flag.Uint64("soak-seed", 0, "which faults TestSoak mixes; 0: others each time")
)

// The bounds of the soak.
const (
	// soakEvery is from one fault to the next, shorter in a short soak.
	soakEvery = 5 * time.Second
	// soakSuccess is the part of the requests that must be answered right, for a model
	// that no fault is about (I4) and for the other one.
	soakSuccess = .999
	// staticAnswer is what the risk model's config.yaml has for when nothing else can
	// answer.
	staticAnswer = .373
)

// TestSoak mixes random faults at half load for as long as it is told, holding
// every answer against what is right, and then looks whether anything is left.
func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	random := rand.New(rand.NewPCG(seed, 0))
	s := startSoak(t)
	rate := s.halfLoad(t)
	t.Logf("seed %d, %.0f requests a second of each kind", seed, rate)
	s.v = keepVigil(t, s.g, s.o.body)
	var degradedOnes atomic.Int64
	touched := load{addr: s.g.Traffic, rate: rate, conns: 64, body: s.o.body, header: soakHeader(), judge: func(a *answer) error {
		if degraded(a) {
			degradedOnes.Add(1)
		}
		return s.o.judge(a)
	}}.begin(t)
	untouched := load{addr: s.g.Traffic, rate: rate, conns: 32, body: echoBody, header: soakHeader(), judge: judgeEcho}.begin(t)
	injected := s.inject(t, random)
	hit, quiet := touched.stop(t), untouched.stop(t)

	for _, r := range []report{hit, quiet} {
		// What is kept is what a judge did not let pass: none of it may be a 200.
		r.onlyCodes(t, "overloaded", "deadline")
		if r.success() < soakSuccess {
			t.Errorf("%.3f %% of %d requests were answered right, want %.1f %%; the others: %v", 100*r.success(), len(r.passed)+len(r.answers), 100*soakSuccess, r.codes())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(injected)) {
		verdict(t, "soak: "+name, "no wrong answer, none lost", "%d times", injected[name])
	}
	expected := fmt.Sprintf("at least %.1f %% right, none wrong", 100*soakSuccess)
	verdict(t, "soak: the untouched model", expected, "%.4f %% of %d, others %v, p99 %s", 100*quiet.success(), len(quiet.passed)+len(quiet.answers), quiet.codes(), quiet.quantile(.99).Round(10*time.Microsecond))
	verdict(t, "soak: the model whose features are in Redis", expected, "%.4f %% of %d, %d of them degraded, others %v, p99 %s", 100*hit.success(), len(hit.passed)+len(hit.answers),
		degradedOnes.Load(), hit.codes(), hit.quantile(.99).Round(10*time.Microsecond))
	all := report{answers: append(hit.answers, quiet.answers...), passed: append(hit.passed, quiet.passed...)}
	line := s.v.end(t, all, 5*time.Second, "ok", "overloaded", "deadline")
	verdict(t, fmt.Sprintf("soak: %s of random faults", *soakFor), "everything as before", "%s", line)
	s.g.Stop(t)
}

// soakHeader asks for more than the default deadline: what is slow in the soak is the
// test machine.
func soakHeader() []string { return []string{"X-Request-Timeout-Ms: 5000"} }

// success is the part of the answers that a judge let pass.
func (r report) success() float64 {
	return float64(len(r.passed)) / float64(len(r.passed)+len(r.answers))
}

// soak is a gateway with all that can be made to fail around it.
type soak struct {
	o       *oracle
	g       *gateway
	v       *vigil
	redis   *redisServer
	proxy   *faultproxy.Proxy
	version int // of the model that is swapped, the newest
}

func startSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{o: theOracle(t), version: 1}
	dir := demoFiles(t, "")
	for _, model := range []string{"echo", "slow_loop"} {
		copyFixture(t, model, dir+"/repository/"+model+"/1")
	}
	copyFixture(t, "echo", dir+"/repository/victim/1")
	write(t, dir+"/repository/slow_loop/config.yaml", "max_batch_size: 1\nrun_timeout: 250ms\n")
	s.redis = startRedis(t, child.FreePort(t))
	s.redis.fill(t, dir)
	s.proxy = faultproxy.Start(t, s.redis.addr)
	s.g = startGateway(t, dir, append(append(demoArgs(dir, s.proxy.Addr), overProxy()...), "--set", "models.poll_interval=200ms", "--set", "models.settle=200ms")...)
	s.g.waitModel(t, "slow_loop", 1)
	within(t, scaled(5*time.Second), "features are fresh", func() bool { return s.g.fresh(t) })
	return s
}

// halfLoad is half of what the gateway answers when each connection sends without
// a pause, for each of two loads together.
func (s *soak) halfLoad(t *testing.T) float64 {
	t.Helper()
	r := load{addr: s.g.Traffic, conns: 32, total: byRace(1500, 15000), body: s.o.body}.begin(t).wait(t)
	return min(float64(len(r.answers))/r.lasted.Seconds()/4, byRace(300.0, 2500.0))
}

// inject makes one fault after the other, each with a time to recover, and counts
// them by name. All have their turn before one comes again.
func (s *soak) inject(t *testing.T, random *rand.Rand) map[string]int {
	t.Helper()
	every := min(soakEvery, max(*soakFor/10, 2*time.Second))
	faults, injected := s.faults(t), map[string]int{}
	var order []int
	for start := time.Now(); time.Since(start) < *soakFor && !t.Failed(); {
		if len(order) == 0 {
			order = random.Perm(len(faults))
		}
		f := faults[order[0]]
		order = order[1:]
		injected[f.name]++
		began := time.Now()
		f.begin(t)
		within(t, every, "the fault lasts", func() bool { s.v.look(t); return time.Since(began) > every*6/10 })
		if f.end != nil {
			f.end(t)
		}
		time.Sleep(time.Until(began.Add(every)))
	}
	within(t, scaled(10*time.Second), "features are fresh after all", func() bool { return s.v.fresh(t) })
	return injected
}

// judge is nil for an answer with this user's prediction under the version that it
// names, or, where it says that it is degraded, with that of the defaults or the
// static answer.
func (o *oracle) judge(a *answer) error {
	got, version := a.parsed.Prediction, a.parsed.Version
	want, known := o.predictions[version][a.user]
	if known && near(got, want) || known && degraded(a) && near(got, o.defaults[version]) ||
		slices.Contains(a.parsed.Degraded, "static_answer") && near(got, staticAnswer) {
		return nil
	}
	return fmt.Errorf("got %v, want %v", got, want)
}

// judgeEcho is nil for the answer to this very request.
func judgeEcho(a *answer) error {
	id, isID := number(a.parsed.Outputs, "id_out")
	sum, isSum := number(a.parsed.Outputs, "sum")
	if isID && isSum && id == float64(a.seq) && sum == float64(a.seq%1000)+3.5 {
		return nil
	}
	return fmt.Errorf("got %s", a.reply.body)
}
