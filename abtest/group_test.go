package abtest

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What the tables of layers decide is what asking every experiment by itself, in
// file order, comes to.
func TestGroupsDecideAsAskingEach(t *testing.T) {
	g := newGenerator(11)
	seen := map[Reason]int{}
	for range scaled(200, 40) {
		p, err := Compile(g.plan())
		if err != nil {
			t.Fatal(err)
		}
		m := p.ModelExperiments("m")
		for range 100 {
			q := g.request().request()
			q.Forced = nil
			got, each := m.Assign(q), m.Explain(nil, q)
			seen[got.Reason]++
			var want *Assignment
			for _, reasons := range [][]Reason{{ReasonOverride}, {ReasonSticky}, {ReasonSplit, ReasonPaused}} {
				if i := slices.IndexFunc(each, func(a Assignment) bool { return slices.Contains(reasons, a.Reason) }); i >= 0 {
					want = &each[i]
					break
				}
			}
			switch {
			case want == nil:
				if got.Variant != nil || got.Reason.Assigns() {
					t.Fatalf("%+v: got %s %s, but no experiment gives a variant", q, armOf(got), got.Reason)
				}
			case got.Reason != want.Reason || got.Variant != want.Variant || got.Variant != nil && got.Experiment != want.Experiment:
				t.Fatalf("%+v: got %s %s, want %s %s", q, armOf(got), got.Reason, want.Experiment.Name(), want.Reason)
			}
		}
	}
	for _, reason := range Reasons()[ReasonNotStarted:] {
		if !raceEnabled && seen[reason] == 0 && reason != ReasonForced {
			t.Errorf("no request had the reason %s", reason)
		}
	}
}

// Every bucket of a layer leads to the experiment whose range holds it.
func TestOwners(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 50 {
		g := group{layer: &layer{}}
		owners := make([]*Experiment, Buckets)
		for at := 0; at < Buckets; {
			at += r.IntN(1 << (1 + r.IntN(12)))
			n := 1 + r.IntN(1<<(1+r.IntN(12)))
			if at+n > Buckets {
				break
			}
			e := &Experiment{}
			g.spans = append(g.spans, span{uint16(at), uint16(at + n), e})
			for range n {
				owners[at] = e
				at++
			}
		}
		r.Shuffle(len(g.spans), func(i, j int) { g.spans[i], g.spans[j] = g.spans[j], g.spans[i] })
		g.seal()
		for b, want := range owners {
			if got := g.owner(uint16(b)); got != want {
				t.Fatalf("bucket %d of %d spans: %p, want %p", b, len(g.spans), got, want)
			}
		}
	}
}
