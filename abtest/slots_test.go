package abtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// shares makes sorted shares of name, slots, name, slots, ...
func shares(pairs ...any) (out []share) {
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i+1].(int); n > 0 {
			out = append(out, share{pairs[i].(string), n})
		}
	}
	slices.SortFunc(out, func(a, b share) int { return strings.Compare(a.name, b.name) })
	return out
}

// randomShares divides the slots among k variants at random, unevenly.
func randomShares(r *rand.Rand, k int) (out []share) {
	cuts := []int{0, Buckets}
	for len(cuts) < k+1 {
		if c := 1 + r.IntN(Buckets-1); !slices.Contains(cuts, c) {
			cuts = append(cuts, c)
		}
	}
	slices.Sort(cuts)
	for i := range k {
		out = append(out, share{fmt.Sprintf("variant-%02d", i), cuts[i+1] - cuts[i]})
	}
	return out
}

// move is how many slots change hands from one deal to another: in all, the
// least that the counts allow, and by giver and taker.
func move(a, b []share) (moved, least int, flow map[[2]string]int) {
	from, to := deal(a, columns{}), deal(b, columns{})
	flow = map[[2]string]int{}
	for s := range from {
		if x, y := a[from[s]].name, b[to[s]].name; x != y {
			moved++
			flow[[2]string{x, y}]++
		}
	}
	gain := map[string]int{}
	for _, v := range a {
		gain[v.name] -= v.slots
	}
	for _, v := range b {
		gain[v.name] += v.slots
	}
	for _, n := range gain {
		least += max(n, 0)
	}
	return moved, least, flow
}

func TestSharesAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{1, 2, 3, 4, 5, 8, 20, 64} {
		sh := randomShares(r, k)
		counts := make([]int, k)
		for _, v := range deal(sh, columns{}) {
			counts[v]++
		}
		for v, n := range counts {
			if n != sh[v].slots {
				t.Errorf("%d variants: %s owns %d slots, want %d", k, sh[v].name, n, sh[v].slots)
			}
		}
	}
}

// The table is the cheapest there is for its counts exactly if no cycle of
// single-slot moves lowers the cost (Floyd-Warshall finds none).
func TestTableIsOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, k := range []int{2, 3, 5, 9} {
		sh := randomShares(r, k)
		d := newDealer(sh, columns{})
		d.owner = deal(sh, columns{})
		for u := range k {
			d.refresh(u)
			d.edge[u][u] = 0
		}
		for w := range k {
			for u := range k {
				for v := range k {
					d.edge[u][v] = min(d.edge[u][v], d.edge[u][w]+d.edge[w][v])
				}
			}
		}
		for v := range k {
			if d.edge[v][v] < 0 {
				t.Errorf("%d variants: a cycle over %s lowers the cost by %d", k, sh[v].name, -d.edge[v][v])
			}
		}
	}
}

// A ramp between two variants moves exactly what it says, and who once has the
// growing variant keeps it.
func TestTwoVariantsMoveTheLeast(t *testing.T) {
	was := shares("control", 10000)
	for _, n := range []int{1, 100, 500, 1000, 2500, 5000, 9000, 9999, 10000} {
		now := shares("control", 10000-n, "treatment", n)
		moved, least, flow := move(was, now)
		if moved != least || flow[[2]string{"treatment", "control"}] != 0 {
			t.Errorf("to %d: moved %d, the least is %d: %v", n, moved, least, flow)
		}
		was = now
	}
}

// One variant grows or is added, the others shrink in proportion: it takes from
// each in proportion, and next to nothing moves otherwise.
func TestProportionalGrowthMovesLittleMore(t *testing.T) {
	for _, c := range []struct{ was, now []share }{
		{shares("a", 5000, "b", 5000), shares("a", 4000, "b", 4000, "c", 2000)},
		{shares("a", 3000, "b", 3000, "c", 4000), shares("a", 2700, "b", 2700, "c", 3600, "d", 1000)},
		{shares("a", 3000, "b", 3000, "c", 4000), shares("a", 2970, "b", 2970, "c", 3960, "new", 100)},
		{shares("a", 4000, "b", 4000, "c", 2000), shares("a", 3000, "b", 3000, "c", 4000)},
		{shares("control", 9800, "x", 100, "y", 100), shares("control", 8000, "x", 1000, "y", 1000)},
		{shares("control", 8000, "x", 1000, "y", 1000), shares("control", 5000, "x", 2500, "y", 2500)},
		{shares("a", 2500, "b", 2500, "c", 2500, "d", 2500), shares("a", 2000, "b", 2000, "c", 2000, "d", 2000, "e", 2000)},
	} {
		moved, least, flow := move(c.was, c.now)
		if extra := moved - least; extra > 60 {
			t.Errorf("%v to %v moved %d, the least is %d", c.was, c.now, moved, least)
		}
		for _, giver := range c.was {
			given := 0
			for pair, n := range flow {
				if pair[0] == giver.name {
					given += n
				}
			}
			lost := giver.slots
			for _, v := range c.now {
				if v.name == giver.name {
					lost -= v.slots
				}
			}
			if given-max(lost, 0) > 40 {
				t.Errorf("%v to %v: %s gave %d slots, it shrank by %d", c.was, c.now, giver.name, given, lost)
			}
		}
	}
}

// Any change at all stays below twice the least, the bound of the documentation,
// with room for keeping the counts exact.
func TestAnyChangeMovesBelowTwiceTheLeast(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 25 {
		k := 3 + r.IntN(4)
		was, now := randomShares(r, k), randomShares(r, k)
		if moved, least, _ := move(was, now); float64(moved) > 2*float64(least)+60 {
			t.Errorf("%v to %v moved %d, the least is %d", was, now, moved, least)
		}
	}
	for k := 3; k <= 6; k++ {
		was := make([]share, k)
		for i := range was {
			was[i] = share{fmt.Sprint("v", i), Buckets / k}
		}
		was[0].slots += Buckets % k
		now := slices.Clone(was)
		now[0].slots += 500
		now[1].slots -= 500
		moved, least, _ := move(was, now)
		bound := float64(2*k-2) / float64(k) * float64(least)
		if float64(moved) > bound*1.05+20 {
			t.Errorf("%d equal variants, 500 from one to another: moved %d, documented %.0f", k, moved, bound)
		}
	}
}

func TestOrderInTheFileDoesNotMatter(t *testing.T) {
	e := split("e", 20, 30, 49.99, 0.01, 0)
	other := split("e", 20, 30, 49.99, 0.01, 0)
	slices.Reverse(other.Variants)
	p, q := compile(t, nil, e), compile(t, nil, other)
	for b := range uint16(Buckets) {
		if x, y := p.Experiments()[0].VariantAt(b).Name(), q.Experiments()[0].VariantAt(b).Name(); x != y {
			t.Fatalf("bucket %d: %s, in the other order %s", b, x, y)
		}
	}
}

// Costs are what the documentation says: logarithms of exponential variates.
func TestCostsAreLogsOfExponentials(t *testing.T) {
	for _, i := range []int{0, 1, 77, 1 << 8, 1 << 15, 1<<16 - 1} {
		u := (float64(i) + 0.5) / (1 << drawBits)
		want := math.Log2(-math.Log2(u)) + 32
		if got := float64(costs()[i]) / (1 << 16); math.Abs(got-want) > 1e-4 {
			t.Errorf("cost of draw %d is %g, want %g", i, got, want)
		}
	}
	for _, x := range []uint64{1, 2, 3, 10000, 1<<63 + 12345} {
		if got, want := float64(log2(x, 32))/(1<<32), math.Log2(float64(x)); math.Abs(got-want) > 1e-8 {
			t.Errorf("log2(%d) = %g, want %g", x, got, want)
		}
	}
}

// Two variants are dealt by a shorter way that comes to the same table.
func TestTwoVariantsAreDealtAlike(t *testing.T) {
	cache := newSlotCache()
	for _, names := range [][2]string{{"a", "b"}, {"control", "treatment"}, {"off", "on"}} {
		for _, n := range []int{1, 2, 17, 1000, 3333, 5000, 9998, 9999} {
			sh := shares(names[0], n, names[1], Buckets-n)
			if *cache.deal(sh) != *deal(sh, columns{}) {
				t.Errorf("%v: two tables", sh)
			}
		}
	}
}

// Ten kilobytes for each of a thousand experiments would be most of what a plan takes.
func TestExperimentsOfOneShapeShareATable(t *testing.T) {
	p := compile(t, nil, split("two", 90, 10), split("again", 90, 10), split("other", 80, 20), split("three", 50, 30, 20), split("thrice", 50, 30, 20))
	tables := map[*slotTable]bool{}
	for _, e := range p.Experiments() {
		tables[e.slots] = true
	}
	if len(tables) != 3 {
		t.Errorf("%d tables, want 3", len(tables))
	}
}
