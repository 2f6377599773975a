package abtest

import (
	"slices"
	"strconv"
	"strings"
)

// columns are what each slot costs a variant, by the variant's name: experiments
// tend to name their variants alike.
type columns map[string][]int64

// maxColumns bounds the memory of a compile: a column is 80 KB.
const maxColumns = 256

func (c columns) of(name string) []int64 {
	if column := c[name]; column != nil {
		return column
	}
	column := make([]int64, Buckets)
	table, key := costs(), hashKey(domainSlot, name)
	for s := range column {
		column[s] = slotCost(table, key, s)
	}
	if len(c) < maxColumns {
		c[name] = column
	}
	return column
}

// slotCache deals each distinct set of shares once in a Compile.
type slotCache struct {
	tables  map[string]*slotTable
	columns columns
	// orders have the slots of two variants, those that the first is cheaper at
	// in front: its share is as many from there, whatever the weights.
	orders map[[2]string][]uint16
}

func newSlotCache() *slotCache {
	return &slotCache{tables: map[string]*slotTable{}, columns: columns{}, orders: map[[2]string][]uint16{}}
}

// deal computes the table of shares, which are sorted by name.
func (c *slotCache) deal(shares []share) *slotTable {
	var text [128]byte
	key := text[:0]
	for _, s := range shares {
		key = append(strconv.AppendInt(append(append(key, s.name...), '='), int64(s.slots), 10), '\n')
	}
	if t := c.tables[string(key)]; t != nil {
		return t
	}
	var t *slotTable
	if len(shares) == 2 {
		t = c.dealTwo(shares[0], shares[1])
	} else {
		t = deal(shares, c.columns)
	}
	c.tables[string(key)] = t
	return t
}

// dealTwo is deal for two variants, which most experiments have: the cheapest
// table gives the first one the slots where it is cheaper by most.
func (c *slotCache) dealTwo(a, b share) *slotTable {
	names := [2]string{a.name, b.name}
	order := c.orders[names]
	if order == nil {
		order = orderTwo(c.columns.of(a.name), c.columns.of(b.name))
		c.orders[names] = order
	}
	t := new(slotTable)
	for _, s := range order[a.slots:] {
		t[s] = 1
	}
	return t
}

// orderTwo sorts the slots by what a costs more than b, and by number. Both
// stand in one integer, which sorts twice as fast: costs are below 2^48.
func orderTwo(a, b []int64) []uint16 {
	const numberBits = 14
	keys := make([]uint64, Buckets)
	for s := range keys {
		keys[s] = uint64(a[s]-b[s]+1<<48)<<numberBits | uint64(s)
	}
	slices.Sort(keys)
	order := make([]uint16, Buckets)
	for i, k := range keys {
		order[i] = uint16(k & (1<<numberBits - 1))
	}
	return order
}

// dealSlots gives every bucket of the experiment to a variant.
func (e *Experiment) dealSlots(cache *slotCache) {
	for _, v := range e.variants {
		if v.dealt > 0 {
			e.dealt = append(e.dealt, v)
		}
	}
	slices.SortFunc(e.dealt, func(a, b *Variant) int { return strings.Compare(a.name, b.name) })
	shares := make([]share, len(e.dealt))
	for i, v := range e.dealt {
		shares[i] = share{v.name, v.dealt}
		if v.held {
			e.dealt[i] = e.control
		}
	}
	e.slots = cache.deal(shares)
}
