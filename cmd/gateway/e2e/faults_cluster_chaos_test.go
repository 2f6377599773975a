//go:build chaos

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// cluster is three primaries, each with a replica.
type cluster struct {
	primaries, replicas []*redisServer
	ids                 map[*redisServer]string
}

// startCluster starts six nodes and waits until every slot is served and copied.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{ids: map[*redisServer]string{}}
	var all []*redisServer
	for range 6 {
		all = append(all, startRedis(t, child.FreePort(t), "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"))
	}
	c.primaries, c.replicas = all[:3], all[3:]
	for _, n := range all {
		m, err := n.ask("CLUSTER", "MYID")
		if err == nil {
			c.ids[n], err = m.ToString()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range c.primaries {
		n.must(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*5462), strconv.Itoa(min(i*5462+5461, 16383)))
		n.must(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, n := range all[1:] {
		all[0].must(t, "CLUSTER", "MEET", "127.0.0.1", n.port)
	}
	for i, n := range c.replicas {
		within(t, 20*time.Second, "a replica knows its primary", func() bool { return n.try("CLUSTER", "REPLICATE", c.ids[c.primaries[i]]) == nil })
	}
	for _, n := range all {
		within(t, 30*time.Second, "the cluster is up", func() bool { return n.clusterUp() })
	}
	for _, n := range c.primaries {
		within(t, 20*time.Second, "a primary has its replica", func() bool {
			m, err := n.ask("INFO", "replication")
			text, _ := m.ToString()
			return err == nil && strings.Contains(text, "connected_slaves:1")
		})
	}
	return c
}

func (r *redisServer) clusterUp() bool {
	m, err := r.ask("CLUSTER", "INFO")
	if err != nil {
		return false
	}
	text, _ := m.ToString()
	return strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:6")
}

// addrs are those of all nodes.
func (c *cluster) addrs() string {
	var list []string
	for _, n := range append(append([]*redisServer(nil), c.primaries...), c.replicas...) {
		list = append(list, n.addr)
	}
	return strings.Join(list, ",")
}

// migrate moves the slot of a key to another primary, keys and all, as
// redis-cli --cluster reshard does.
func (c *cluster) migrate(t *testing.T, key string) (slot int) {
	t.Helper()
	m, err := c.primaries[0].ask("CLUSTER", "KEYSLOT", key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	slot = int(n)
	from := c.primaries[slot/5462]
	to := c.primaries[(slot/5462+1)%3]
	number := strconv.Itoa(slot)
	to.must(t, "CLUSTER", "SETSLOT", number, "IMPORTING", c.ids[from])
	from.must(t, "CLUSTER", "SETSLOT", number, "MIGRATING", c.ids[to])
	time.Sleep(500 * time.Millisecond) // readers meet a slot on its way
	from.must(t, "MIGRATE", "127.0.0.1", to.port, key, "0", "5000")
	time.Sleep(500 * time.Millisecond) // and one whose keys have gone ahead
	for _, p := range []*redisServer{to, from} {
		p.must(t, "CLUSTER", "SETSLOT", number, "NODE", c.ids[to])
	}
	return slot
}

// TestSixNodeCluster is row 42: a slot moves, then a primary dies.
func TestSixNodeCluster(t *testing.T) {
	o := theOracle(t)
	dir := demoFiles(t, "")
	c := startCluster(t)
	c.primaries[0].fill(t, dir, "--set", "features.redis.mode=cluster")
	g := startGateway(t, dir, append(append(demoArgs(dir, c.addrs()), overProxy()...), "--set", "features.redis.mode=cluster")...)
	allFresh := func(v *vigil) func() bool {
		return func() bool {
			for _, user := range o.users {
				if a := v.probe(t, fmt.Sprintf(`{"user_id":%q}`, user)); a.reply.status != 200 || len(a.parsed.Degraded) > 0 {
					return false
				}
			}
			return true
		}
	}
	within(t, scaled(10*time.Second), "features are fresh", allFresh(&vigil{g: g}))
	v := keepVigil(t, g, o.body)
	l := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 64, body: o.body}.begin(t)

	began := time.Now()
	slot := c.migrate(t, "features:user:user-1")
	moved := within(t, scaled(2*time.Second), "answers are fresh", allFresh(v))
	ended := time.Now()
	verdict(t, fmt.Sprintf("row 42: slot %d moves under load", slot), "nothing but the moved key may be degraded, and that briefly", "fresh %s after the move", moved.Round(time.Millisecond))

	seen := l.next.Load()
	within(t, scaled(5*time.Second), "load between", func() bool { return l.next.Load() > seen+int64(l.rate)/2 })
	c.primaries[1].Kill(t)
	killed := time.Now()
	within(t, scaled(20*time.Second), "the replica is primary", func() bool { return c.replicas[1].role() == "master" })
	promoted := time.Since(killed)
	healed := within(t, scaled(4*time.Second), "answers are fresh", allFresh(v))
	verdict(t, "row 42: kill -9 of a primary", "degraded for the failover at most, then normal without a restart", "promoted after %s, fresh %s later", promoted.Round(time.Millisecond), healed.Round(time.Millisecond))
	seen = l.next.Load()
	within(t, scaled(5*time.Second), "load on the new primary", func() bool { return l.next.Load() > seen+int64(l.rate)/2 })
	r := l.stop(t)
	o.check(t, r)
	between := r.where(func(a *answer) bool {
		return a.sent.After(ended.Add(scaled(500*time.Millisecond))) && a.sent.Before(killed)
	})
	after := r.after(killed.Add(promoted + healed + scaled(time.Second)))
	if n := len(between.where(degraded).answers) + len(after.where(degraded).answers); n > 0 {
		t.Errorf("%d answers are degraded while nothing is wrong", n)
	}
	during := r.where(func(a *answer) bool { return a.sent.After(began) && a.sent.Before(ended) })
	verdict(t, "row 42: as a whole", "every answer right", "%d of %d degraded while the slot moved; %s", len(during.where(degraded).answers), len(during.answers), v.end(t, r, faultDeadline, "ok"))
	g.Stop(t)
}
