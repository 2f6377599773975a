package features

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"hotpath/resilience/redislink/redistest"
)

func TestSentinel(t *testing.T) {
	redis := startRedis(t)
	redis.Do("HSET", "features:user:u", "f0", "1.5")
	sentinel := redistest.StartSentinel(t, redis)
	o := testOptions(sentinel.Addr())
	o.Mode, o.MasterSet = Sentinel, "main"
	s, _ := openStore(t, o, testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	if x := newVector(v); x.fetch(time.Second, "u") != nil || x.float(0) != 1.5 {
		t.Fatalf("no answer through the sentinel: %s", x.shown())
	}

	// Everything away: the client must neither spin nor give up.
	redis.Kill()
	sentinel.Signal(syscall.SIGKILL)
	eventually(t, 3*time.Second, "outage shows", func() bool { return !s.State().Connected })
	before := cpuTime(t)
	time.Sleep(time.Second)
	if used := cpuTime(t) - before; used > 400*time.Millisecond {
		t.Errorf("used %s of CPU in one second without any sentinel", used)
	}
}

// cpuTime is what this process used so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestCluster(t *testing.T) {
	redis := startRedis(t, "--cluster-enabled", "yes")
	if got := redis.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); got != "OK" {
		t.Fatal(got)
	}
	eventually(t, 5*time.Second, "cluster is up", func() bool {
		return strings.Contains(redis.Do("CLUSTER", "INFO"), "cluster_state:ok")
	})
	redis.Do("HSET", "features:user:u", "f0", "1.5")
	redis.Do("HSET", "m:x:v1", "risk", "0.75")
	o := testOptions(redis.Addr())
	o.Mode = Cluster
	s, _ := openStore(t, o, testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0", "merchant.risk")
	x := newVector(v)
	if err := x.fetch(time.Second, "u", "x"); err != nil || x.float(0) != 1.5 || x.float(1) != 0.75 {
		t.Fatalf("%v %s", err, x.shown())
	}
	redis.Kill()
	eventually(t, 3*time.Second, "outage shows", func() bool { return !s.State().Connected })
	if err := newVector(v).fetch(100*time.Millisecond, "u", "x"); err == nil {
		t.Fatal("no error without the cluster")
	}
}
