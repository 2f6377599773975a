package experiments

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/routertest"
)

// exchange is a request as the observer sees it, assigned by a plan.
func exchange(plan *abtest.Plan, user string, country string) *router.Exchange {
	x := &router.Exchange{Lane: &router.Lane{Model: "risk"}}
	x.Request.UserID = []byte(user)
	x.Request.Context = []models.Value{{Key: []byte("country"), Kind: models.KindString, Raw: []byte(country)}, {Key: []byte("age"), Kind: models.KindNumber, Raw: []byte("30")}}
	x.Request.Entities = []models.Value{{Key: []byte("session"), Kind: models.KindString, Raw: []byte("s-" + user)}}
	x.Assignment = plan.Assign("risk", &abtest.Request{User: x.Request.UserID, Units: x, Attributes: x, Now: time.Now().Unix()})
	return x
}

// letIn lets requests into a sample as its refill does.
func (s *TrafficSample) letIn(n int) { s.left.Store(int64(n)) }

func TestTheSampleKeepsTheLatest(t *testing.T) {
	r := newRig(t, twoArms)
	plan := r.world.State().Plan
	s := newTrafficSample(100)
	s.letIn(1000)
	for i := range 250 {
		s.Offer(exchange(plan, fmt.Sprintf("u-%d", i), "de"))
	}
	all := s.read()
	if len(all) != 100 || s.Len() != 100 || string(all[0].request.UserID) != "u-150" || string(all[99].request.UserID) != "u-249" {
		t.Fatalf("%d, from %s to %s", len(all), all[0].request.UserID, all[len(all)-1].request.UserID)
	}
	one := all[0].assignable(time.Now())
	country, _ := one.Attributes.Attribute("country")
	age, _ := one.Attributes.Attribute("age")
	if all[0].model != "risk" || string(country.Str) != "de" || age.Num != 30 || string(one.Units.Unit("session")) != "s-u-150" {
		t.Errorf("%+v %+v %+v", all[0], country, age)
	}
}

func TestTheSampleIsBounded(t *testing.T) {
	r := newRig(t, twoArms)
	plan := r.world.State().Plan
	s := newTrafficSample(10)
	s.Offer(exchange(plan, "early", "de"))
	if s.Len() != 0 {
		t.Error("a request came in before its turn")
	}
	s.letIn(2)
	for range 5 {
		s.Offer(exchange(plan, "u", "de"))
	}
	if s.Len() != 2 {
		t.Errorf("%d came in, in a turn of 2", s.Len())
	}
	s.letIn(2)
	s.Offer(exchange(plan, "u", strings.Repeat("x", maxSampleBytes)))
	if s.Len() != 2 || s.large.Load() != 1 {
		t.Error("a request of more than a KiB came in")
	}
	tensors := exchange(plan, "", "de")
	tensors.Tensors.Inputs = make([]models.Tensor, 1)
	s.Offer(tensors)
	tensors.Request.UserID, tensors.Tensors.Version = []byte("u"), []byte("2")
	s.Offer(tensors)
	if s.Len() != 2 {
		t.Error("a request came in that no experiment was asked about")
	}
}

// A flag of a model that is not loaded has no lane.
func TestTheSampleLeavesOutFlagsOfModelsThatAreNotLoaded(t *testing.T) {
	s := newTrafficSample(10)
	s.letIn(10)
	o := routertest.Options()
	o.Observer = &serving.Observer{Sample: s}
	r := routertest.NewRig(t, o)
	all := 100.0
	r.Serve(abtest.Config{Experiments: []abtest.ExperimentConfig{{Name: "old", Model: "gone", State: "stopped",
		Variants: []abtest.VariantConfig{{Name: "on", Weight: &all}}}}}, r.Version("risk", 1))
	x, refusal := r.Pipeline.Begin()
	if refusal != nil {
		t.Fatal(refusal)
	}
	defer r.Pipeline.Finish(x)
	x.Request.UserID, x.Via = []byte("u"), router.ViaFlag
	if d, refusal := r.Pipeline.Assign(x, []byte("old")); refusal != nil || d.Lane != nil || s.Len() != 0 {
		t.Errorf("%+v, %v, %d in the sample", d, refusal, s.Len())
	}
}

// A reader that copies a large sample keeps no request waiting.
func TestOfferDoesNotWaitForReaders(t *testing.T) {
	r := newRig(t, twoArms)
	s := newTrafficSample(10)
	s.letIn(10)
	s.mu.Lock()
	s.Offer(exchange(r.world.State().Plan, "u", "de"))
	s.mu.Unlock()
	if s.Len() != 0 {
		t.Error("the request is in the sample")
	}
}

func TestTheSampleIsFilledInTurns(t *testing.T) {
	r := newRig(t, twoArms)
	plan := r.world.State().Plan
	s := newTrafficSample(0)
	ctx, cancel := context.WithTimeout(t.Context(), 5*sampleTurn)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.refill(ctx) })
	for range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				s.Offer(exchange(plan, fmt.Sprint(i), "de"))
				if i%1000 == 0 {
					s.read()
				}
			}
		})
	}
	wg.Wait()
	// The last turn may be the sixth.
	if n := s.Len(); n < samplePerTurn || n > 7*samplePerTurn {
		t.Errorf("%d requests came in, in five turns of %d", n, samplePerTurn)
	}
	s.Offer(exchange(plan, "late", "de"))
	for _, one := range s.read() {
		if string(one.request.UserID) == "late" {
			t.Error("a request came in after the end")
		}
	}
}

func TestOfferAllocatesNothing(t *testing.T) {
	r := newRig(t, twoArms)
	x := exchange(r.world.State().Plan, "user-1", "de")
	s := newTrafficSample(10)
	s.letIn(1 << 30)
	for range 20 {
		s.Offer(x)
	}
	if n := testing.AllocsPerRun(1000, func() { s.Offer(x) }); n > 0 {
		t.Errorf("%v allocations for a request that is taken", n)
	}
}

func BenchmarkOffer(b *testing.B) {
	r := newRig(b, twoArms)
	x := exchange(r.world.State().Plan, "user-1", "de")
	for name, left := range map[string]int{"left out": 0, "taken": 1 << 40} {
		b.Run(name, func(b *testing.B) {
			s := newTrafficSample(10_000)
			s.letIn(left)
			b.ReportAllocs()
			for b.Loop() {
				s.Offer(x)
			}
		})
	}
}
