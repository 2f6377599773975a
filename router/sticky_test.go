package router_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/abtest/sticky"
	"hotpath/resilience"
	"hotpath/resilience/redislink/redistest"
	"hotpath/router"
	"hotpath/router/routertest"
)

// notedSticky keeps in memory, and notes what it was asked.
type notedSticky struct {
	mu    sync.Mutex
	kept  map[string][]byte
	asked []string // of one Recall: experiment=unit, blank between
	told  []string
	until time.Time // of the latest Recall
}

func (n *notedSticky) Recall(until time.Time, experiments []*abtest.Experiment, ids, variants [][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for i, e := range experiments {
		all = append(all, e.Name()+"="+string(ids[i]))
		variants[i] = n.kept[e.StickyKey()+":"+string(ids[i])]
	}
	n.asked, n.until = append(n.asked, strings.Join(all, " ")), until
}

func (n *notedSticky) Remember(e *abtest.Experiment, unit []byte, variant string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, e.Name()+"="+string(unit)+":"+variant)
	n.kept[e.StickyKey()+":"+string(unit)] = []byte(variant)
}

// stickyRig is a rig whose pipeline has a store.
func stickyRig(t testing.TB, store router.Sticky) *routertest.Rig {
	t.Helper()
	o := routertest.Options()
	o.Sticky = store
	return routertest.NewRig(t, o)
}

// stickySplit is a sticky experiment of its own name and unit.
func stickySplit(name, unit string, control, treatment float64) abtest.ExperimentConfig {
	c := split("risk", control, treatment)
	c.Name, c.Unit, c.Sticky = name, unit, true
	return c
}

// TestStickyAsksOnce: one look-up for all of a model's sticky experiments, each with
// its own unit, and what chance chose is kept for the unit of the experiment that did.
func TestStickyAsksOnce(t *testing.T) {
	store := &notedSticky{kept: map[string][]byte{}}
	r := stickyRig(t, store)
	nobody := stickySplit("nobody", "session", 50, 50)
	plain := split("risk", 50, 50)
	plain.Name, plain.Targeting = "plain", &abtest.Condition{Attribute: "never", Eq: "so"}
	r.Serve(config(nobody, plain, stickySplit("of-merchant", "merchant", 0, 100), stickySplit("of-user", "", 50, 50)),
		r.Version("risk", 1), r.Version("risk", 2))
	long := strings.Repeat("m", 40)
	for range 2 {
		x := begin(t, r.Pipeline, ask{user: "u", model: "risk", entities: map[string]string{"merchant": long}})
		until := x.Until
		if err := r.Pipeline.Predict(x); err != nil || x.Variant.Name() != "treatment" || !store.until.Equal(until) {
			t.Fatalf("%v, %v, until %s", err, x.Variant, store.until)
		}
		r.Pipeline.Finish(x)
	}
	want := "nobody= of-merchant=" + long + " of-user=u"
	if !slices.Equal(store.asked, []string{want, want}) {
		t.Errorf("asked %q", store.asked)
	}
	if !slices.Equal(store.told, []string{"of-merchant=" + long + ":treatment"}) {
		t.Errorf("told %q", store.told)
	}
	// Without a merchant the other one decides, and again only once.
	var got answer
	for range 2 {
		got = predict(t, r.Pipeline, ask{user: "u", model: "risk"})
	}
	if got.reason != "sticky" || len(store.told) != 2 || store.told[1] != "of-user=u:"+got.variant {
		t.Errorf("%+v, told %q", got, store.told)
	}
}

// TestNoStickyExperimentAsksNothing: a model without one never meets the store.
func TestNoStickyExperimentAsksNothing(t *testing.T) {
	store := &notedSticky{kept: map[string][]byte{}}
	r := stickyRig(t, store)
	stopped := stickySplit("stopped", "", 50, 50)
	stopped.State = "stopped"
	r.Serve(config(split("risk", 50, 50), stopped), r.Version("risk", 1), r.Version("risk", 2), r.Version("other", 1))
	for i := range 50 {
		for _, model := range []string{"risk", "other"} {
			if got := predict(t, r.Pipeline, ask{user: fmt.Sprint(i), model: model}); got.err != nil {
				t.Fatal(got.err)
			}
		}
	}
	if len(store.asked)+len(store.told) != 0 {
		t.Errorf("asked %q, told %q", store.asked, store.told)
	}
}

// TestStickyForcedAndOverridden: neither is kept, and neither is what is kept taken.
func TestStickyForcedAndOverridden(t *testing.T) {
	store := &notedSticky{kept: map[string][]byte{}}
	r := stickyRig(t, store)
	e := stickySplit("e", "", 0, 100)
	e.Overrides = map[string][]string{"control": {"vip"}}
	r.Serve(config(e), r.Version("risk", 1), r.Version("risk", 2))
	for _, c := range []struct {
		a    ask
		want string
	}{
		{ask{user: "u", forced: "control"}, "control forced"},
		{ask{user: "vip"}, "control override"},
		{ask{user: "u"}, "treatment split"},
		{ask{user: "u"}, "treatment sticky"},
		{ask{user: "u", forced: "control"}, "control forced"},
	} {
		c.a.model = "risk"
		if got := predict(t, r.Pipeline, c.a); got.variant+" "+got.reason != c.want {
			t.Errorf("%+v: %s %s", c.a, got.variant, got.reason)
		}
	}
	if !slices.Equal(store.told, []string{"e=u:treatment"}) {
		t.Errorf("told %q", store.told)
	}
}

// TestStickyUnitsAreTheRequests: exchanges are pooled and their memory grows, but a
// request is only ever asked about with its own units.
func TestStickyUnitsAreTheRequests(t *testing.T) {
	store := &notedSticky{kept: map[string][]byte{}}
	r := stickyRig(t, store)
	r.Serve(config(stickySplit("a", "merchant", 50, 50), stickySplit("b", "", 50, 50), stickySplit("c", "session", 50, 50)),
		r.Version("risk", 1), r.Version("risk", 2))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 60 {
				a := ask{user: fmt.Sprintf("%d-%d-%s", g, i, strings.Repeat("u", i*i%7000)), model: "risk"}
				if i%3 > 0 {
					a.entities = map[string]string{"merchant": strings.Repeat("m", i*i*7) + a.user}
				}
				if i%5 > 0 {
					a.context = map[string]string{"session": "s" + a.user}
				}
				if got := predict(t, r.Pipeline, a); got.err != nil {
					t.Error(got.err)
					return
				}
				want := "a=" + a.entities["merchant"] + " b=" + a.user + " c=" + a.context["session"]
				store.mu.Lock()
				at := slices.Index(store.asked, want)
				if at >= 0 {
					store.asked = slices.Delete(store.asked, at, at+1)
				}
				store.mu.Unlock()
				if at < 0 {
					t.Errorf("nobody asked about %.80q", want)
				}
			}
		})
	}
	wg.Wait()
	if len(store.asked) > 0 {
		t.Errorf("asked beside that: %.200q", store.asked)
	}
}

// realSticky is a store on a Redis.
func realSticky(t testing.TB, redis *redistest.Server, budget time.Duration) (*sticky.Store, *resilience.Guard) {
	t.Helper()
	guard, err := resilience.New("sticky", sticky.GuardOptions())
	if err != nil {
		t.Fatal(err)
	}
	o := sticky.DefaultOptions()
	o.Redis.Addresses, o.Budget = []string{redis.Addr()}, budget
	s, err := sticky.New(o, guard, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	redistest.Eventually(t, far, "connected", func() bool { return s.State().Connected })
	return s, guard
}

// TestStickyOutlivesAFlipOfWeights: in the gateway that gave the variants, and in
// another one on the same Redis.
func TestStickyOutlivesAFlipOfWeights(t *testing.T) {
	redis := redistest.Start(t)
	store, _ := realSticky(t, redis, time.Second)
	r := stickyRig(t, store)
	serve := func(r *routertest.Rig, control, treatment float64) {
		r.Serve(config(stickySplit("e", "", control, treatment)), r.Version("risk", 1), r.Version("risk", 2))
	}
	serve(r, 90, 10)
	const users = 200
	was := map[string]string{}
	treated := 0
	for i := range users {
		user := fmt.Sprint("u", i)
		got := predict(t, r.Pipeline, ask{user: user, model: "risk"})
		if got.reason != "split" {
			t.Fatalf("%+v", got)
		}
		if was[user] = got.variant; got.variant == "treatment" {
			treated++
		}
	}
	redistest.Eventually(t, far, "stored", func() bool { return redis.Do("DBSIZE") == fmt.Sprint(users) })
	serve(r, 10, 90)
	elsewhere, _ := realSticky(t, redis, time.Second)
	other := stickyRig(t, elsewhere)
	serve(other, 10, 90)
	for user, variant := range was {
		for _, r := range []*routertest.Rig{r, other} {
			if got := predict(t, r.Pipeline, ask{user: user, model: "risk"}); got.reason != "sticky" || got.variant != variant {
				t.Fatalf("%s had %s: %+v", user, variant, got)
			}
		}
	}
	now := 0
	for i := range users {
		if predict(t, other.Pipeline, ask{user: fmt.Sprint("new", i), model: "risk"}).variant == "treatment" {
			now++
		}
	}
	if treated > users/4 || now < users/2 {
		t.Errorf("%d of %d were treated, of new users now %d: the weights did not flip", treated, users, now)
	}
}

// TestDeadStickyStoreFailsOpen: the hash decides, within the budget, and soon nobody waits.
func TestDeadStickyStoreFailsOpen(t *testing.T) {
	redis := redistest.Start(t)
	store, guard := realSticky(t, redis, 5*time.Millisecond)
	r := stickyRig(t, store)
	r.Serve(config(stickySplit("e", "", 50, 50)), r.Version("risk", 1), r.Version("risk", 2))
	redis.Signal(syscall.SIGSTOP)
	defer redis.Signal(syscall.SIGCONT)
	start, was := time.Now(), map[string]string{}
	for i := range 300 {
		user := fmt.Sprint("u", i)
		got := predict(t, r.Pipeline, ask{user: user, model: "risk", timeout: time.Second})
		if got.err != nil || got.reason != "split" {
			t.Fatalf("%+v", got)
		}
		was[user] = got.variant
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("300 requests took %s", took)
	}
	if !guard.Open() {
		t.Errorf("the breaker is %s", guard.State().Breaker)
	}
	// Even so a unit keeps what it was given here.
	r.Serve(config(stickySplit("e", "", 5, 95)), r.Version("risk", 1), r.Version("risk", 2))
	for user, variant := range was {
		if got := predict(t, r.Pipeline, ask{user: user, model: "risk"}); got.reason != "sticky" || got.variant != variant {
			t.Errorf("%s had %s: %+v", user, variant, got)
		}
	}
}

func TestStickyAllocates(t *testing.T) {
	if raceDetector {
		return // its pools drop what is put into them
	}
	store, _ := realSticky(t, redistest.Start(t), time.Second)
	r := stickyRig(t, store)
	r.Serve(config(stickySplit("a", "merchant", 50, 50), stickySplit("e", "", 50, 50)), r.Version("risk", 1), r.Version("risk", 2))
	run := func() { once(t, r.Pipeline) }
	for range 200 {
		run()
	}
	if n := testing.AllocsPerRun(500, run); n > maxAllocs {
		t.Errorf("%v allocations a request, at most %d are allowed", n, maxAllocs)
	}
}
