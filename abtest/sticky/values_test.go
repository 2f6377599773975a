package sticky

import (
	"strings"
	"testing"
	"time"

	"hotpath/resilience/redislink/redistest"
)

// TestGarbage: a value that is no variant is as if there were none, and is replaced.
func TestGarbage(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	s := connected(t, options(redis.Addr()))
	for name, value := range map[string]string{"empty": "", "word": "nonsense", "bytes": "\x00\xff\r\n", "long": strings.Repeat("a", 8<<20), "case": "A"} {
		redis.Do("SET", key(e, name), value, "PX", "100000")
		if got := s.recall(e, name); got != "" {
			t.Errorf("%s: recalled %q", name, got)
		}
		before := s.writes("stored")
		s.Remember(e, []byte(name), "b")
		s.flushed("stored", before+1)
		if got := redis.Do("GET", key(e, name)); got != "b" {
			t.Errorf("%s: stored %.20q", name, got)
		}
		if got := s.recall(e, name); got != "b" {
			t.Errorf("%s: recalled %q after", name, got)
		}
	}
	if s.writes("renewed") != 0 || s.recalls("none") != 5 {
		t.Errorf("%v renewed, %v none", s.writes("renewed"), s.recalls("none"))
	}
	// A gateway that assigns without having asked is told by its write.
	redis.Do("SET", key(e, "blind"), "nonsense")
	s.Remember(e, []byte("blind"), "b")
	s.flushed("taken", 1)
	if s.recall(e, "blind") != "" {
		t.Error("recalled what is not stored")
	}
	s.Remember(e, []byte("blind"), "b")
	s.flushed("stored", 6)
	if got := redis.Do("GET", key(e, "blind")); got != "b" {
		t.Errorf("stored %.20q", got)
	}
}

// TestWrongType: a key of another type is left alone, and is no outage.
func TestWrongType(t *testing.T) {
	redis := redistest.Start(t)
	es := experiments(t, 2, "s")
	redis.Do("RPUSH", key(es[0], "u"), "x")
	redis.Do("SET", key(es[1], "u"), "b")
	s := connected(t, options(redis.Addr()))
	variants := make([][]byte, 2)
	s.Recall(time.Now().Add(time.Second), es, [][]byte{[]byte("u"), []byte("u")}, variants)
	if variants[0] != nil || string(variants[1]) != "b" {
		t.Fatalf("recalled %q", variants)
	}
	s.Remember(es[0], []byte("u"), "a")
	s.Remember(es[0], []byte("blind"), "a")
	s.flushed("stored", 1)
	if got := redis.Do("TYPE", key(es[0], "u")); got != "list" {
		t.Errorf("it is a %s now", got)
	}
	redis.Do("RPUSH", key(es[0], "unasked"), "x")
	s.Remember(es[0], []byte("unasked"), "a")
	s.flushed("error", 1)
	if got := redis.Do("TYPE", key(es[0], "unasked")); got != "list" {
		t.Errorf("it is a %s now", got)
	}
	if s.recalls("error") != 1 || s.guard.State().Failures != 0 || !s.State().Connected {
		t.Errorf("%v errors, guard %+v", s.recalls("error"), s.guard.State())
	}
}

// TestWithdrawnVariantKeepsItsUnits: what is stored is a variant, though of weight 0.
func TestWithdrawnVariantKeepsItsUnits(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	redis.Do("SET", key(e, "u"), "c")
	s := connected(t, options(redis.Addr()))
	if got := s.recall(e, "u"); got != "c" {
		t.Fatalf("recalled %q", got)
	}
	s.Remember(e, []byte("u"), "a") // since the router cannot use it
	if got := s.recall(e, "u"); got != "c" || s.writes("stored")+s.writes("taken") != 0 {
		t.Errorf("recalled %q after", got)
	}
}
