package abtest

import (
	"math"
	"math/bits"
	"slices"
	"sync"
)

// slotTable says which variant owns each bucket, as an index into the
// experiment's positive-weight variants in the order of their names. Tables
// depend on names and weights alone, so experiments of one shape share one.
type slotTable [Buckets]uint8

// share is one variant's claim on the slots.
type share struct {
	name string
	// slots is the weight in basis points, above 0; all add up to Buckets.
	slots int
}

// drawBits is how many upper bits of a slot's hash choose its cost.
const drawBits = 16

// costs maps the upper bits of a hash to the logarithm (base 2, 16 fractional
// bits) of an exponential variate: where variants compete for a slot by cost
// minus log of weight, each wins with a probability equal to its weight. It is
// integer arithmetic throughout, so that every platform and language agrees.
var costs = sync.OnceValue(func() *[1 << drawBits]int64 {
	t := new([1 << drawBits]int64)
	for i := range t {
		exponential := (drawBits+1)<<32 - log2(uint64(2*i+1), 32)
		t[i] = log2(exponential, 16)
	}
	return t
})

// log2 is the logarithm of x, at least 1, with frac fractional bits: squaring
// the mantissa yields one bit after the other.
func log2[T uint64 | int64](x T, frac int) int64 {
	e := bits.Len64(uint64(x)) - 1
	m, r := uint64(x)<<(63-e), int64(e)
	for range frac {
		hi, lo := bits.Mul64(m, m)
		m = hi<<1 | lo>>63
		r <<= 1
		if hi>>63 == 1 {
			m = hi
			r++
		}
	}
	return r
}

// noiseBits of a slot's hash break ties between equal costs.
const noiseBits = 20

// slotCost is what slot s costs the variant whose key this is; table is costs().
func slotCost(table *[1 << drawBits]int64, key uint64, s int) int64 {
	h := fmix64(key + uint64(s)*0x9e3779b97f4a7c15)
	return table[h>>(64-drawBits)]<<noiseBits + int64(h&(1<<noiseBits-1))
}

// dealer looks for the cheapest table in which every variant has exactly its
// slots. doc.go has the reasoning and the pseudo-code.
type dealer struct {
	owner  *slotTable
	shares []share
	// cost holds the costs of one slot to all variants side by side, since that
	// is how they are compared: slot s and variant v at s*len(shares)+v.
	cost    []int64
	surplus []int // slots owned beyond the quota; negative: wanted
	// edge[u][v] is the least that total cost rises when one slot goes from u
	// to v, and via[u][v] is that slot.
	edge [][]int64
	via  [][]int
}

// noEdge is the length of an edge that does not exist; sums of 64 stay in range.
const noEdge = math.MaxInt64 / 128

// balancingRounds only save time: each brings the counts closer to the quotas by
// one pass over the slots, where shift takes one pass for each slot. The table
// at the end is the same, since there is one that is cheapest.
const balancingRounds = 4

// newDealer arranges the costs.
func newDealer(shares []share, columns columns) *dealer {
	k := len(shares)
	d := &dealer{owner: new(slotTable), shares: shares, surplus: make([]int, k), cost: make([]int64, Buckets*k)}
	for v, sh := range shares {
		d.edge = append(d.edge, make([]int64, k))
		d.via = append(d.via, make([]int, k))
		for s, cost := range columns.of(sh.name) {
			d.cost[s*k+v] = cost
		}
	}
	return d
}

// deal computes the table of shares, which are sorted by name.
func deal(shares []share, columns columns) *slotTable {
	d, bias := newDealer(shares, columns), make([]int64, len(shares))
	for v, sh := range shares {
		bias[v] = log2(uint64(sh.slots), 16) << noiseBits
	}
	for range balancingRounds {
		d.claim(bias)
		for v, sh := range shares {
			bias[v] -= (log2(uint64(max(sh.slots+d.surplus[v], 1)), 16) - log2(uint64(sh.slots), 16)) << noiseBits
		}
	}
	d.claim(bias)
	for u := range shares {
		d.refresh(u)
	}
	for slices.ContainsFunc(d.surplus, func(n int) bool { return n > 0 }) {
		d.shift()
	}
	return d.owner
}

// claim gives each slot to the variant with the least cost minus bias. For any
// biases that is the cheapest table for the counts that come of it.
func (d *dealer) claim(bias []int64) {
	for v, sh := range d.shares {
		d.surplus[v] = -sh.slots
	}
	for s := range d.owner {
		best, least := 0, int64(math.MaxInt64)
		for v, c := range d.costsOf(s) {
			if c -= bias[v]; c < least {
				best, least = v, c
			}
		}
		d.owner[s] = uint8(best)
		d.surplus[best]++
	}
}

func (d *dealer) costsOf(s int) []int64 {
	k := len(d.shares)
	return d.cost[s*k : s*k+k]
}

// refresh recomputes the edges that leave u.
func (d *dealer) refresh(u int) {
	edge, via := d.edge[u], d.via[u]
	for v := range edge {
		edge[v] = noEdge
	}
	for s, o := range d.owner {
		if int(o) != u {
			continue
		}
		cost := d.costsOf(s)
		for v, c := range cost {
			if c -= cost[u]; v != u && c < edge[v] {
				edge[v], via[v] = c, s
			}
		}
	}
}

// shift takes one slot from a variant that has too many to one that has too
// few, over others where that is cheaper: the shortest path in the graph of
// edges (Bellman-Ford). The table stays the cheapest for its counts, so there
// is no negative cycle.
func (d *dealer) shift() {
	k := len(d.surplus)
	dist, from := make([]int64, k), make([]int, k)
	for v, n := range d.surplus {
		from[v] = -1
		if n <= 0 {
			dist[v] = noEdge
		}
	}
	for changed := true; changed; {
		changed = false
		for u := range k {
			for v := range k {
				if to := dist[u] + d.edge[u][v]; dist[u] < noEdge && d.edge[u][v] < noEdge && to < dist[v] {
					dist[v], from[v], changed = to, u, true
				}
			}
		}
	}
	end := -1
	for v, n := range d.surplus {
		if n < 0 && (end < 0 || dist[v] < dist[end]) {
			end = v
		}
	}
	d.surplus[end]++
	touched := []int{end}
	for v := end; from[v] >= 0; v = from[v] {
		d.owner[d.via[from[v]][v]] = uint8(v)
		touched = append(touched, from[v])
	}
	d.surplus[touched[len(touched)-1]]--
	for _, v := range touched {
		d.refresh(v)
	}
}
