package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// TestSentinelFailover is a part of row 11: the store moves to the replica when
// the sentinel is told to, and when the master is killed.
func TestSentinelFailover(t *testing.T) {
	o := theOracle(t)
	dir := demoFiles(t, "")
	master := startRedis(t, child.FreePort(t))
	replica := startRedis(t, child.FreePort(t), "--replicaof", "127.0.0.1", master.port, "--repl-diskless-sync-delay", "0")
	master.must(t, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
	master.fill(t, dir)
	sentinel := startSentinel(t, master)
	within(t, 15*time.Second, "the replica has the data", func() bool {
		m, err := replica.ask("EXISTS", "features:user:user-1")
		n, _ := m.AsInt64()
		return err == nil && n == 1
	})
	within(t, 20*time.Second, "the sentinel knows the replica", func() bool {
		m, err := sentinel.ask("SENTINEL", "REPLICAS", "hot")
		list, _ := m.ToArray()
		return err == nil && len(list) == 1
	})
	args := append(demoArgs(dir, sentinel.addr), append(faulty, "--set", "features.redis.mode=sentinel", "--set", "features.redis.master_set=hot")...)
	g := startGateway(t, dir, args...)
	l := faultLoad(t, o, g)

	sentinel.must(t, "SENTINEL", "FAILOVER", "hot")
	began := time.Now()
	took := within(t, scaled(15*time.Second), "the replica is master and answers are fresh", func() bool {
		role, err := replica.ask("ROLE")
		list, _ := role.ToArray()
		if err != nil || len(list) == 0 {
			return false
		}
		name, _ := list[0].ToString()
		return name == "master"
	})
	master.Kill(t)
	killed := time.Now()
	healed := within(t, scaled(4*time.Second), "answers come from the new master alone", func() bool { return g.fresh(t) })
	seen := l.next.Load()
	within(t, scaled(5*time.Second), "load on the new master", func() bool { return l.next.Load() > seen+int64(l.rate)/2 })
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	n := len(r.where(func(a *answer) bool { return a.sent.After(began) && degraded(a) }).answers)
	late := r.after(killed.Add(healed + scaled(time.Second)))
	if d := late.where(degraded); len(d.answers) > 0 {
		t.Errorf("%d answers are still degraded later", len(d.answers))
	}
	verdict(t, "SENTINEL FAILOVER, then the old master is killed", "no error, fresh again", "promoted after %s, fresh %s after the kill, %d of %d answers degraded",
		took.Round(time.Millisecond), healed.Round(time.Millisecond), n, len(r.answers))
	g.Stop(t)
}

// startSentinel starts a sentinel that decides alone.
func startSentinel(t *testing.T, master *redisServer) *redisServer {
	t.Helper()
	dir, port := t.TempDir(), child.FreePort(t)
	conf := filepath.Join(dir, "sentinel.conf")
	write(t, conf, fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor hot 127.0.0.1 %s 1\n"+
		"sentinel down-after-milliseconds hot 1000\nsentinel failover-timeout hot 5000\n", port, dir, master.port))
	s := &redisServer{port: port, addr: "127.0.0.1:" + port, dir: dir}
	s.Process = child.Start(t, dir, []string{"PATH=" + os.Getenv("PATH")}, "redis-server", conf, "--sentinel")
	within(t, 10*time.Second, "the sentinel answers", func() bool { return s.try("PING") == nil })
	return s
}

// TestClusterMode reads the features from a cluster of one node.
func TestClusterMode(t *testing.T) {
	o := theOracle(t)
	dir := demoFiles(t, "")
	node := startRedis(t, child.FreePort(t), "--cluster-enabled", "yes")
	node.must(t, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	within(t, 10*time.Second, "the cluster is up", func() bool { return node.try("SET", "probe", "1") == nil })
	node.fill(t, dir, "--set", "features.redis.mode=cluster")
	g := startGateway(t, dir, append(demoArgs(dir, node.addr), append(calm, "--set", "features.redis.mode=cluster")...)...)
	within(t, scaled(5*time.Second), "answers are fresh", func() bool { return g.fresh(t) })
	r := load{addr: g.Traffic, conns: 8, total: byRace(500, 3000), body: o.body}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	if d := r.where(degraded); len(d.answers) > 0 {
		t.Errorf("%d answers are degraded", len(d.answers))
	}
	verdict(t, "redis cluster of one node", "fresh, right answers", "%d answers, codes %v", len(r.answers), r.codes())
	g.Stop(t)
}
