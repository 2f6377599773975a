//go:build chaos

package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/faultproxy"
)

// soakFault is one of the faults that the soak mixes. end, if any, takes it back.
type soakFault struct {
	name       string
	begin, end func(t *testing.T)
}

// faults are all of them.
func (s *soak) faults(t *testing.T) []soakFault {
	t.Helper()
	return append(append(s.networkFaults(), s.redisFaults()...), append(s.modelFaults(), s.otherFaults(t)...)...)
}

// network is a fault of the proxy.
func (s *soak) network(name string, f faultproxy.Fault, drop bool) soakFault {
	return soakFault{name, func(*testing.T) {
		s.proxy.Set(f)
		if drop {
			s.proxy.Drop()
		}
	}, func(*testing.T) { s.proxy.Set(faultproxy.Fault{}) }}
}

func (s *soak) networkFaults() []soakFault {
	return []soakFault{
		s.network("redis answers late, within the budget", faultproxy.Fault{Delay: faultBudget() / 2, Jitter: faultBudget() / 4}, false),
		s.network("redis answers over the budget", faultproxy.Fault{Delay: faultBudget() * 5 / 4}, false),
		s.network("redis hears nothing", faultproxy.Fault{Deaf: true}, false),
		s.network("connections are lost without a word", faultproxy.Fault{Swallow: true}, false),
		s.network("handshakes are not answered", faultproxy.Fault{SwallowNew: true}, true),
		s.network("connections reset after 37 bytes", faultproxy.Fault{ResetAfter: 37}, false),
		s.network("replies are noise", faultproxy.Fault{Garble: true}, false),
		s.network("redis refuses connections", faultproxy.Fault{Refuse: true}, false),
		s.network("all connections dropped", faultproxy.Fault{}, true),
	}
}

func (s *soak) redisFaults() []soakFault {
	return []soakFault{
		{"redis SIGSTOP", func(t *testing.T) { s.redis.Signal(t, syscall.SIGSTOP) }, func(t *testing.T) { s.redis.Signal(t, syscall.SIGCONT) }},
		{"redis kill -9, another one on its port", func(t *testing.T) {
			s.redis.Kill(t)
		}, func(t *testing.T) {
			// Nobody reads it before it is filled: users would be unknown.
			s.proxy.Set(faultproxy.Fault{Refuse: true})
			s.redis = startRedis(t, s.redis.port)
			s.redis.fill(t, s.g.Dir)
			s.proxy.Set(faultproxy.Fault{})
		}},
		{"WRONGTYPE on a key that nobody asks for, beside the others", func(t *testing.T) {
			s.redis.must(t, "SET", "features:user:user-499", "text")
		}, nil},
	}
}

func (s *soak) modelFaults() []soakFault {
	publish := func(t *testing.T, fixture string) {
		s.version++
		copyFixture(t, fixture, filepath.Join(s.g.Dir, "repository/victim", strconv.Itoa(s.version)))
	}
	return []soakFault{
		{"a new version of a model", func(t *testing.T) {
			publish(t, "echo")
			if err := os.RemoveAll(filepath.Join(s.g.Dir, "repository/victim", strconv.Itoa(s.version-3))); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"a version that is no model", func(t *testing.T) { publish(t, "garbage") }, nil},
		{"a model that is stuck", func(t *testing.T) {
			for range 3 {
				a := s.v.probe(t, `{"user_id":"u","model":"slow_loop","features":{"x":1}}`, "X-Request-Timeout-Ms", "300")
				if a.code() == "ok" || a.code() == "internal" {
					t.Errorf("a stuck model answered %s", a.code())
				}
			}
		}, nil},
	}
}

func (s *soak) otherFaults(t *testing.T) []soakFault {
	t.Helper()
	experiments := filepath.Join(s.g.Dir, "experiments.yaml")
	good, err := os.ReadFile(experiments)
	if err != nil {
		t.Fatal(err)
	}
	return []soakFault{
		{"a broken experiments file, and SIGHUP", func(t *testing.T) {
			write(t, experiments, "experiments:\n  - name: x\n    modle: risk\n")
			s.g.Signal(t, sighup)
		}, func(t *testing.T) {
			write(t, experiments, string(good))
			s.g.Signal(t, sighup)
		}},
		{"SIGSTOP of the gateway for 300 ms", func(t *testing.T) {
			s.g.Signal(t, syscall.SIGSTOP)
			time.Sleep(300 * time.Millisecond)
			s.g.Signal(t, syscall.SIGCONT)
		}, nil},
		{"clients that leave after sending", func(t *testing.T) {
			for i := range 20 {
				if err := sendAndLeave(s.g.Traffic, i); err != nil {
					t.Errorf("leaving: %v", err)
				}
			}
			s.v.strays += 20
		}, nil},
		{"clients that send half a request", s.halfRequests, nil},
		{"a flood of another model", func(t *testing.T) {
			r := load{addr: s.g.Traffic, conns: 64, total: byRace(300, 2000), body: func(i int) (string, string) {
				user, _ := echoBody(i)
				return user, `"user_id":"u","model":"victim","features":{"id":1,"x":[1,1,2,0.5]}}`
			}}.begin(t).wait(t)
			r.onlyCodes(t, "ok", "overloaded", "deadline", "model_unavailable")
			s.v.probes = append(s.v.probes, r.answers...)
		}, nil},
	}
}

// halfRequests sends the beginning of requests and waits for the gateway to end
// each.
func (s *soak) halfRequests(t *testing.T) {
	_, rest := echoBody(1)
	whole := post("/predict", "{"+rest)
	var open []*wire
	for i := range 20 {
		w, err := dialWire(s.g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.conn.Write(whole[:10+i*5]); err != nil {
			t.Fatal(err)
		}
		open = append(open, w)
	}
	for _, w := range open {
		if err := w.conn.SetReadDeadline(time.Now().Add(scaled(5 * time.Second))); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, w.conn); err != nil {
			t.Errorf("half a request is borne: %v", err)
		}
	}
	s.v.strays += len(open)
}
