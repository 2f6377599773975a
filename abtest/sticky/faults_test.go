package sticky

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotpath/resilience/redislink/redistest"
)

// TestStalledRedis: callers leave within the budget, the breaker opens and then
// nobody waits; nothing piles up; it heals, and what was given meanwhile is stored.
func TestStalledRedis(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	redis.Do("SET", key(e, "known"), "a")
	o := options(redis.Addr())
	o.Budget = 5 * time.Millisecond
	s := connected(t, o)
	redistest.Eventually(t, 2*time.Second, "in memory", func() bool { return s.recall(e, "known") == "a" })
	before := runtime.NumGoroutine()
	redis.Signal(syscall.SIGSTOP)
	var wg sync.WaitGroup
	var slow [20]int
	for c := range slow {
		wg.Go(func() {
			for i := range 50 {
				at := time.Now()
				unit := fmt.Sprint("u", c, "-", i)
				if got := s.recall(e, unit); got != "" {
					t.Errorf("recalled %q", got)
				}
				s.Remember(e, []byte(unit), "b")
				if took := time.Since(at); took > 20*time.Millisecond {
					slow[c]++
				}
				if got := s.recall(e, "known"); got != "a" {
					t.Errorf("memory has %q", got)
				}
			}
		})
	}
	wg.Wait()
	if n := runtime.NumGoroutine(); n > before+8 {
		t.Errorf("%d goroutines during the stall, %d before", n, before)
	}
	total := 0
	for _, n := range slow {
		total += n
	}
	if total > 50 {
		t.Errorf("%d of 1000 waited over 20ms with a budget of 5ms", total)
	}
	if !s.guard.Open() || s.recalls("refused") < 500 || s.recalls("timeout") == 0 {
		t.Errorf("guard %+v, %v refused, %v timed out", s.guard.State(), s.recalls("refused"), s.recalls("timeout"))
	}
	at := time.Now()
	for i := range 1000 {
		s.recall(e, fmt.Sprint("more", i))
	}
	if took := time.Since(at); took > 500*time.Millisecond {
		t.Errorf("1000 look-ups with an open breaker took %s", took)
	}
	redis.Signal(syscall.SIGCONT)
	took := redistest.Eventually(t, 6*time.Second, "healed", func() bool {
		s.recall(e, fmt.Sprint("heal", time.Now()))
		return s.recall(e, "u3-3") == "b" && redis.Do("GET", key(e, "u3-3")) == "b"
	})
	t.Logf("healed in %s", took)
}

// TestKilledRedis: refusals are quick, and a restarted server is used again.
func TestKilledRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	s := connected(t, options(redis.Addr()))
	redis.Kill()
	redistest.Eventually(t, 2*time.Second, "outage shows", func() bool { return !s.State().Connected })
	dials := s.sample("hotpath_sticky_dials_total", "")
	start := time.Now()
	for n := 0; time.Since(start) < time.Second; n++ {
		at := time.Now()
		if got := s.recall(e, fmt.Sprint("u", n)); got != "" {
			t.Fatalf("recalled %q", got)
		}
		if took := time.Since(at); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
	}
	if n := s.sample("hotpath_sticky_dials_total", "") - dials; n > 3 {
		t.Errorf("%v dials in a second", n)
	}
	s.Remember(e, []byte("meanwhile"), "a")
	redis.Restart()
	took := redistest.Eventually(t, 5*time.Second, "healed", func() bool {
		s.recall(e, fmt.Sprint("heal", time.Now()))
		return s.recall(e, "meanwhile") == "a" && redis.Do("GET", key(e, "meanwhile")) == "a"
	})
	t.Logf("healed in %s", took)
}

func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Kill()
	e := experiments(t, 1, "s")[0]
	s := open(t, options(redis.Addr()))
	at := time.Now()
	if got := s.recall(e, "u"); got != "" || time.Since(at) > 100*time.Millisecond {
		t.Fatalf("%q after %s", got, time.Since(at))
	}
	s.Remember(e, []byte("u"), "b")
	if got := s.recall(e, "u"); got != "b" {
		t.Fatalf("memory has %q", got)
	}
	redis.Restart()
	redistest.Eventually(t, 5*time.Second, "stored", func() bool {
		s.recall(e, "u")
		return redis.Do("GET", key(e, "u")) == "b"
	})
}

// TestReadonlyReplica: reads go on where nothing can be written.
func TestReadonlyReplica(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	redis.Do("SET", key(e, "u"), "a", "EX", fmt.Sprint(int(DefaultOptions().TTL.Seconds())))
	redis.Do("REPLICAOF", "127.0.0.1", "1")
	s := connected(t, options(redis.Addr()))
	if got := s.recall(e, "u"); got != "a" {
		t.Fatalf("recalled %q", got)
	}
	s.Remember(e, []byte("v"), "a")
	s.flushed("error", 1)
	if n := s.sample("hotpath_sticky_errors_total", "readonly"); n != 1 || !s.State().Connected || s.guard.State().Failures > 0 {
		t.Errorf("counted %v times, %+v, %+v", n, s.State(), s.guard.State())
	}
	if got := s.recall(e, "v"); got != "a" {
		t.Errorf("memory has %q", got)
	}
}

// TestFullQueues: what finds no room is refused or dropped, at once.
func TestFullQueues(t *testing.T) {
	redis := redistest.Start(t)
	es := experiments(t, 4, "s")
	o := options(redis.Addr())
	o.Queue, o.Writes, o.MaxBatch = 2, 2, 1
	s := connected(t, o)
	redis.Signal(syscall.SIGSTOP)
	defer redis.Signal(syscall.SIGCONT)
	ids, variants := make([][]byte, 4), make([][]byte, 4)
	for i := range ids {
		ids[i] = []byte("u")
	}
	at := time.Now()
	s.Recall(at.Add(time.Second), es, ids, variants)
	if took := time.Since(at); took > 100*time.Millisecond || s.recalls("refused") != 4 {
		t.Errorf("%v refused after %s", s.recalls("refused"), took)
	}
	at = time.Now()
	for i := range 100 {
		s.Remember(es[0], fmt.Append(nil, "w", i), "a")
	}
	if took := time.Since(at); took > 100*time.Millisecond || s.writes("dropped") < 90 {
		t.Errorf("%v dropped after %s", s.writes("dropped"), took)
	}
}

// TestCloseStoresWhatIsQueued: and says how much it could not store.
func TestCloseStoresWhatIsQueued(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	s := connected(t, options(redis.Addr()))
	const n = 3000
	redis.Signal(syscall.SIGSTOP)
	for i := range n {
		s.Remember(e, fmt.Append(nil, "u", i), "a")
	}
	redis.Signal(syscall.SIGCONT)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := redis.Do("DBSIZE"); got != fmt.Sprint(n) {
		t.Errorf("%s of %d are stored", got, n)
	}
	s.Remember(e, []byte("late"), "a")
	if got := s.recall(e, "nobody"); got != "" || s.recalls("refused") != 1 || s.writes("dropped") != 1 {
		t.Errorf("%q; %v refused, %v dropped after the end", got, s.recalls("refused"), s.writes("dropped"))
	}

	s = connected(t, options(redis.Addr()))
	redis.Signal(syscall.SIGSTOP)
	defer redis.Signal(syscall.SIGCONT)
	for i := range n {
		s.Remember(e, fmt.Append(nil, "v", i), "a")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	at := time.Now()
	err := s.Close(ctx)
	if err == nil || !strings.HasPrefix(err.Error(), "3000 sticky assignments") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(at); took > 20*time.Second {
		t.Errorf("closing took %s", took)
	}
}

// TestOneRoundTrip: however many experiments, Redis is asked once.
func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	const delay = 100 * time.Millisecond
	o := options(distant(t, redis.Addr(), delay))
	o.Redis.HealInterval, o.Redis.KeepAlive = time.Minute, time.Minute // nothing else is on its way
	s := connected(t, o)
	es := experiments(t, 100, "s")
	ids, variants := make([][]byte, len(es)), make([][]byte, len(es))
	for i := range ids {
		ids[i] = []byte("u")
	}
	at := time.Now()
	s.Recall(at.Add(5*time.Second), es, ids, variants)
	if took := time.Since(at); took < delay || took > 5*delay || s.recalls("none") != 100 {
		t.Errorf("%v answers in %s, one trip takes %s", s.recalls("none"), took, delay)
	}
}

// distant is a way to a server that takes a while.
func distant(t *testing.T, addr string, delay time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			wg.Go(func() { defer in.Close(); _, _ = io.Copy(in, out) })
			wg.Go(func() {
				defer out.Close()
				buffer := make([]byte, 64<<10)
				for {
					n, err := in.Read(buffer)
					if err != nil {
						return
					}
					time.Sleep(delay)
					_, _ = out.Write(buffer[:n])
				}
			})
		}
	})
	return l.Addr().String()
}
