package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/cmd/gateway/e2e/resppeer"
)

// badReply is what a Redis answers instead of features.
type badReply struct {
	name   string
	script resppeer.Script
	// kind is what the counter of errors calls it.
	kind string
	// ready is in the detail that /readyz gives while it lasts.
	ready string
}

// worstReplies are those that a test of every run plays.
func worstReplies() []badReply {
	return []badReply{
		{"-LOADING to everything", resppeer.Always("-LOADING Redis is loading the dataset in memory\r\n"), "loading", "loading"},
		{"-NOAUTH to everything", resppeer.Always("-NOAUTH Authentication required.\r\n"), "auth", "auth"},
		{"a string of 2 GiB", resppeer.Answering("HMGET", "$2147483647\r\n"), "transport", ""},
	}
}

// TestBadReplies is rows 10 and 12.
func TestBadReplies(t *testing.T) { playReplies(t, worstReplies()) }

// playReplies plays one bad reply after the other to one gateway.
func playReplies(t *testing.T, replies []badReply) {
	o := theOracle(t)
	peer := resppeer.Start(t)
	dir := demoFiles(t, "")
	g := startGateway(t, dir, append(demoArgs(dir, peer.Addr), overProxy()...)...)
	for _, b := range replies {
		t.Run(b.name, func(t *testing.T) { b.play(t, o, g, peer) })
	}
	g.Stop(t)
}

func (b badReply) play(t *testing.T, o *oracle, g *gateway, peer *resppeer.Peer) {
	within(t, scaled(5*time.Second), "the store answers", func() bool { return g.fresh(t) })
	v := keepVigil(t, g, o.body)
	logged := len(g.Stderr.String())
	peer.Play(b.script)
	l := load{addr: g.Traffic, rate: byRace(100.0, 400.0), conns: 32, body: o.body}.begin(t)
	opened := within(t, scaled(4*time.Second), "the breaker opens", func() bool { v.look(t); return g.breaker(t, "features") == 2 })
	status, ready := g.ready(t)
	if d := ready.Dependencies["features"]; status != 200 || b.ready != "" && (d.Status != "degraded" || !strings.Contains(d.Detail, b.ready)) {
		t.Errorf("/readyz: %d %+v, want it to say %s", status, d, b.ready)
	}
	seen := l.next.Load()
	within(t, scaled(5*time.Second), "load on an open breaker", func() bool { return l.next.Load() > seen+int64(l.rate)/2 })
	if n := strings.Count(g.Stderr.String()[logged:], "feature store does not answer"); n > 3 {
		t.Errorf("%d lines in the log about one fault", n)
	}
	peer.Play(resppeer.Usual)
	healed := within(t, scaled(2500*time.Millisecond), "the store answers again", func() bool { return v.fresh(t) })
	r := l.stop(t)
	for i := range r.answers {
		if a := &r.answers[i]; a.code() == "ok" && !near(a.parsed.Prediction, o.defaults[a.parsed.Version]) {
			t.Fatalf("request %d: %v of version %d, want the defaults' %v", a.seq, a.parsed.Prediction, a.parsed.Version, o.defaults[a.parsed.Version])
		}
	}
	counted := g.metrics(t).sum("hotpath_feature_errors_total", fmt.Sprintf("kind=%q", b.kind)) - v.before.sum("hotpath_feature_errors_total", fmt.Sprintf("kind=%q", b.kind))
	if counted == 0 {
		t.Errorf("hotpath_feature_errors_total counts nothing as %s", b.kind)
	}
	if grown, most := v.back(t).rss-v.held.rss, byRace(64<<20, 8<<20); grown > most {
		t.Errorf("memory grew by %.1f MiB", mib(grown))
	}
	line := v.end(t, r, faultDeadline, "ok")
	verdict(t, "redis answers "+b.name, "degraded, the breaker opens, heals within 2 s", "open after %s, healed after %s, %g counted as %s; %s", opened.Round(time.Millisecond),
		healed.Round(time.Millisecond), counted, b.kind, line)
}

// TestMovedLoop is the rest of row 10: a cluster node that sends everybody to itself.
func TestMovedLoop(t *testing.T) {
	peer := resppeer.Start(t)
	host, port, err := net.SplitHostPort(peer.Addr)
	if err != nil {
		t.Fatal(err)
	}
	slots := fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$%d\r\n%s\r\n:%s\r\n$1\r\na\r\n", len(host), host, port)
	cluster := func(args []string) string {
		if args[0] == "CLUSTER" {
			return slots
		}
		return resppeer.Usual(args)
	}
	peer.Play(cluster)
	dir := demoFiles(t, "")
	g := startGateway(t, dir, append(append(demoArgs(dir, peer.Addr), overProxy()...), "--set", "features.redis.mode=cluster")...)
	within(t, scaled(5*time.Second), "the store answers", func() bool { return g.fresh(t) })
	before, refreshes := peer.Asked("HMGET"), peer.Asked("CLUSTER")
	peer.Play(func(args []string) string {
		if args[0] == "HMGET" {
			return fmt.Sprintf("-MOVED 3999 %s\r\n", peer.Addr)
		}
		return cluster(args)
	})
	const requests = 15
	for range requests {
		if status, p := g.predict(t, `{"user_id":"user-1"}`); status != 200 || fmt.Sprint(p.Degraded) != "[features]" {
			t.Errorf("answered %d %+v", status, p)
		}
	}
	asked := peer.Asked("HMGET") - before
	if asked > 3*requests {
		t.Errorf("%d reads for %d requests: more than two redirections each", asked, requests)
	}
	peer.Play(cluster)
	healed := within(t, scaled(3*time.Second), "the store answers again", func() bool { return g.fresh(t) })
	verdict(t, "row 10: a cluster that moves every key in a circle", "at most 2 redirections a read, degraded, heals", "%d reads for %d requests, %d looks at the topology, healed after %s",
		asked, requests, peer.Asked("CLUSTER")-refreshes, healed.Round(time.Millisecond))
	g.Stop(t)
}

// TestStrangeStoredValues is row 9: what stands in Redis is not what the schema
// says.
func TestStrangeStoredValues(t *testing.T) {
	dir := demoFiles(t, "")
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	g := startGateway(t, dir, append(append(demoArgs(dir, redis.addr), calm...), "--set", "features.copies.entries=0")...)
	within(t, scaled(5*time.Second), "features are fresh", func() bool { return g.fresh(t) })
	const key, field = "features:user:user-42", "worst_concave_points"
	ask := func() float64 {
		t.Helper()
		status, p := g.predict(t, `{"user_id":"user-42"}`)
		if status != 200 || len(p.Degraded) > 0 {
			t.Errorf("answered %d %+v", status, p)
		}
		return p.Prediction
	}
	redis.must(t, "HDEL", key, field)
	byDefault := ask()
	for _, c := range []struct{ name, value, kind string }{
		{"an empty string", "", "unparsable"}, {"a word", "abc", "unparsable"}, {"NaN", "NaN", "unparsable"}, {"an infinity", "-Inf", "unparsable"},
		{"40 digits", strings.Repeat("9", 40), "unparsable"}, {"1e400", "1e400", "unparsable"}, {"1 MiB", strings.Repeat("1", 1<<20), "oversize"},
	} {
		before := g.metrics(t)
		redis.must(t, "HSET", key, field, c.value)
		got := ask()
		counted := g.metrics(t).sum("hotpath_feature_errors_total", fmt.Sprintf("kind=%q", c.kind)) - before.sum("hotpath_feature_errors_total", fmt.Sprintf("kind=%q", c.kind))
		if !near(got, byDefault) || counted != 1 {
			t.Errorf("%s: %v, counted %g times as %s; want the default's %v, counted once", c.name, got, counted, c.kind, byDefault)
		}
		verdict(t, "row 9: a stored value is "+c.name, "the default, counted", "%v, %g counted as %s", got, counted, c.kind)
	}
	redis.must(t, "HSET", key, field, "0.25")
	if got := ask(); near(got, byDefault) {
		t.Error("a good value makes no difference: what was compared?")
	}
	if trips := g.metrics(t).sum("hotpath_breaker_trips_total"); trips != 0 {
		t.Errorf("%g trips", trips)
	}
	g.Stop(t)
}
