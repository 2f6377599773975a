package abtest

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
)

// fewStrings are looked through one by one.
const fewStrings = 8

// set is what in and its like compare with: the values of a condition, or a
// named list, which all conditions share.
type set struct {
	// Each value once. A few strings are looked through, which is faster; index
	// holds them when there are more.
	strings []string
	index   map[string]struct{}
	numbers []float64
	bools   [2]bool // false, true
	// list has the strings of a named list, in place of the above.
	list *List
	// at is where a named list is declared, and used whether something refers to it.
	at   place
	used bool
}

func (s *set) holds(v *Value) (ok bool) {
	switch v.Kind {
	case String:
		if s.list != nil {
			return s.list.Contains(v.Str)
		}
		if s.index != nil {
			_, ok = s.index[string(v.Str)]
			return ok
		}
		for _, x := range s.strings {
			if x == string(v.Str) {
				return true
			}
		}
	case Number:
		_, ok = slices.BinarySearch(s.numbers, v.Num)
	case Bool:
		ok = v.Bool && s.bools[1] || !v.Bool && s.bools[0]
	}
	return ok
}

// add puts a value of the file into the set; it says what is wrong with it.
func (s *set) add(v any) error {
	switch v := v.(type) {
	case string:
		if len(v) > MaxTextBytes {
			return fmt.Errorf("string of %d bytes is over the limit of %d", len(v), MaxTextBytes)
		}
		s.strings = append(s.strings, v)
		return nil
	case bool:
		if v {
			s.bools[1] = true
		} else {
			s.bools[0] = true
		}
		return nil
	}
	n, ok := number(v)
	switch {
	case !ok:
		return fmt.Errorf("%v: want a string, a number or a boolean", v)
	case math.IsNaN(n) || math.IsInf(n, 0):
		return fmt.Errorf("%v is not a finite number", v)
	case math.Trunc(n) == n && math.Abs(n) >= 1<<53:
		return fmt.Errorf("%v is too large to be compared exactly: send and list it as a string", v)
	}
	s.numbers = append(s.numbers, n)
	return nil
}

// seal prepares a set for look-ups, once all values are added.
func (s *set) seal() {
	slices.Sort(s.strings)
	s.strings = slices.Compact(s.strings)
	slices.Sort(s.numbers)
	s.numbers = slices.Compact(s.numbers)
	if len(s.strings) <= fewStrings {
		return
	}
	s.index = make(map[string]struct{}, len(s.strings))
	for _, x := range s.strings {
		s.index[x] = struct{}{}
	}
}

// number reads the numeric types that YAML and JSON decoders put into any.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// inline compiles the values of in or not_in.
func (c *compiler) inline(at place, values []any) *set {
	s := &set{}
	if len(values) == 0 || len(values) > MaxValues {
		c.addf(at, "lists %d values, want 1 to %d (a longer list goes under lists)", len(values), MaxValues)
		return s
	}
	for i, v := range values {
		if err := s.add(v); err != nil {
			c.addf(at.index(i), "%v", err)
		}
	}
	s.seal()
	return c.shared(s)
}

// shared is a set that is equal to s: the same for all conditions of the file,
// since those who target a country tend to target the same ones.
func (c *compiler) shared(s *set) *set {
	d := digester{sha256.New()}
	d.set(s)
	key := string(d.h.Sum(nil))
	if c.sets[key] == nil {
		c.sets[key] = s
	}
	return c.sets[key]
}
