//go:build chaos

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// downAfter is when a sentinel takes a silent master for dead.
const downAfter = time.Second

// startSentinels starts n sentinels of which a majority decides.
func startSentinels(t *testing.T, master *redisServer, n int) []*redisServer {
	t.Helper()
	var all []*redisServer
	for range n {
		dir, port := t.TempDir(), child.FreePort(t)
		conf := filepath.Join(dir, "sentinel.conf")
		write(t, conf, fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor hot 127.0.0.1 %s %d\n"+
			"sentinel down-after-milliseconds hot %d\nsentinel failover-timeout hot 3000\n", port, dir, master.port, n/2+1, downAfter.Milliseconds()))
		s := &redisServer{port: port, addr: "127.0.0.1:" + port, dir: dir}
		s.Process = child.Start(t, dir, []string{"PATH=" + os.Getenv("PATH")}, "redis-server", conf, "--sentinel")
		all = append(all, s)
	}
	for _, s := range all {
		within(t, 20*time.Second, "the sentinels know each other and the replica", func() bool {
			return s.size("SENTINEL", "REPLICAS", "hot") == 1 && s.size("SENTINEL", "SENTINELS", "hot") == n-1
		})
	}
	return all
}

// size is the number of elements of a reply that is an array.
func (r *redisServer) size(args ...string) int {
	m, err := r.ask(args...)
	if err != nil {
		return -1
	}
	list, _ := m.ToArray()
	return len(list)
}

// role is master or slave; empty without an answer.
func (r *redisServer) role() string {
	m, err := r.ask("ROLE")
	if err != nil {
		return ""
	}
	list, err := m.ToArray()
	if err != nil || len(list) == 0 {
		return ""
	}
	name, _ := list[0].ToString()
	return name
}

// used says whether the gateway's clients are connected.
func (r *redisServer) used(t *testing.T) bool {
	t.Helper()
	m, err := r.ask("CLIENT", "LIST")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := m.ToString()
	return strings.Contains(text, "name=hotpath")
}

// TestThreeSentinels is row 11.
func TestThreeSentinels(t *testing.T) {
	o := theOracle(t)
	dir := demoFiles(t, "")
	master := startRedis(t, child.FreePort(t), "--repl-diskless-sync-delay", "0")
	replica := startRedis(t, child.FreePort(t), "--replicaof", "127.0.0.1", master.port, "--repl-diskless-sync-delay", "0")
	master.fill(t, dir)
	within(t, 15*time.Second, "the replica has the data", func() bool {
		m, err := replica.ask("EXISTS", "features:user:user-1")
		n, _ := m.AsInt64()
		return err == nil && n == 1
	})
	sentinels := startSentinels(t, master, 3)
	var addrs []string
	for _, s := range sentinels {
		addrs = append(addrs, s.addr)
	}
	g := startGateway(t, dir, append(append(demoArgs(dir, strings.Join(addrs, ",")), overProxy()...), "--set", "features.redis.mode=sentinel", "--set", "features.redis.master_set=hot")...)
	within(t, scaled(5*time.Second), "features are fresh", func() bool { return g.fresh(t) })
	v := keepVigil(t, g, o.body)
	l := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 64, body: o.body}.begin(t)

	sentinels[0].must(t, "SENTINEL", "FAILOVER", "hot")
	within(t, scaled(15*time.Second), "the replica is master", func() bool { return replica.role() == "master" })
	healed := within(t, scaled(time.Second), "answers are fresh", func() bool { return v.fresh(t) })
	left := within(t, scaled(3*time.Second), "the old master is not read any more", func() bool { return !master.used(t) && replica.used(t) })
	verdict(t, "row 11: SENTINEL FAILOVER", "reads on the new master within 1 s, the old one is left within 2 s", "fresh after %s, left after %s", healed.Round(time.Millisecond), left.Round(time.Millisecond))

	within(t, scaled(20*time.Second), "the old master is a replica that the sentinels know", func() bool {
		return master.role() == "slave" && sentinels[0].size("SENTINEL", "REPLICAS", "hot") == 1 && replica.replicas() == 1
	})
	time.Sleep(scaled(time.Second)) // a sentinel looks at a master's replicas once a second, and votes once in a while
	replica.Kill(t)
	killed := time.Now()
	within(t, scaled(20*time.Second), "the other one is master again", func() bool { v.look(t); return master.role() == "master" })
	promoted := time.Since(killed)
	healed = within(t, scaled(3*time.Second), "answers are fresh", func() bool { return v.fresh(t) })
	verdict(t, "row 11: kill -9 of the master", "reads back within down-after + 3 s of the kill or 3 s of the promotion", "promoted after %s, fresh %s later", promoted.Round(time.Millisecond), healed.Round(time.Millisecond))

	r := l.stop(t)
	o.check(t, r)
	verdict(t, "row 11: as a whole", "every answer right, degraded at most meanwhile", "%s", v.end(t, r, faultDeadline, "ok"))
	for _, s := range append(sentinels, master) {
		s.Kill(t)
	}
	withoutAnything(t, o, g)
	g.Stop(t)
}

// withoutAnything is the end of row 11: no sentinel and no server is left. The
// client looks for them for ever, and must neither spin nor pile up.
func withoutAnything(t *testing.T, o *oracle, g *gateway) {
	t.Helper()
	var seen [2]int
	for i := range seen {
		r := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 32, total: byRace(200, 1000), body: o.body}.begin(t).wait(t)
		r.onlyCodes(t, "ok")
		o.check(t, r)
		if n := len(r.where(degraded).answers); i > 0 && n != len(r.answers) {
			t.Errorf("%d of %d answers are degraded without Redis", n, len(r.answers))
		}
		time.Sleep(scaled(2 * time.Second))
		seen[i] = g.goroutines(t)
	}
	busy := g.busy(t, 3*time.Second)
	if busy > byRace(.6, .3) || seen[1] > seen[0]+mayKeepGoroutines {
		t.Errorf("the gateway takes %.2f of a core without requests, and has %v goroutines", busy, seen)
	}
	verdict(t, "row 11: all sentinels and servers are dead", "degraded; the process does not spin and holds no more and more", "%.3f of a core, goroutines %v", busy, seen)
}

// replicas is how many follow this master.
func (r *redisServer) replicas() int {
	m, err := r.ask("ROLE")
	if err != nil {
		return -1
	}
	list, err := m.ToArray()
	if err != nil || len(list) < 3 {
		return -1
	}
	followers, _ := list[2].ToArray()
	return len(followers)
}

// busy is the part of a core that the gateway takes.
func (g *gateway) busy(t *testing.T, during time.Duration) float64 {
	t.Helper()
	before, start := g.metrics(t).sum("process_cpu_seconds_total"), time.Now()
	time.Sleep(during)
	return (g.metrics(t).sum("process_cpu_seconds_total") - before) / time.Since(start).Seconds()
}
