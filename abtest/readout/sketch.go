package readout

import (
	"math"
	"slices"
)

// sketch is a distribution of numbers of any size and sign: counts in buckets, of
// which each octave has sixteen, so that a quantile is off by three percent at most,
// and by much less where values are spread within the bucket.
type sketch struct {
	n        int64
	min, max float64
	// keys and pages are the octaves that have values, in ascending order, and that
	// of zero.
	keys  []int16
	pages []page
}

// page counts the values of one octave and sign, in ascending order.
type page [pageBuckets]int64

const (
	pageBuckets = 16
	// maxPages bounds a sketch. When more octaves have values, those nearest to zero
	// count as zero: next to values 2^30 times as large they are.
	maxPages = 64
)

// bucketOf is where a finite number belongs. The key is the exponent, negative for
// negative numbers, and 0 for zero and what is below the smallest normal number.
func bucketOf(x float64) (key int16, bucket int) {
	b := math.Float64bits(x)
	key, bucket = int16(b>>52&0x7ff), int(b>>48&(pageBuckets-1))
	switch {
	case key == 0:
		return 0, 0
	case x < 0:
		return -key, pageBuckets - 1 - bucket
	}
	return key, bucket
}

// edges are the bounds of a bucket.
func edges(key int16, bucket int) (low, high float64) {
	switch {
	case key == 0:
		return 0, 0
	case key < 0:
		low, high = edges(-key, pageBuckets-1-bucket)
		return -high, -low
	}
	part := math.Ldexp(1.0/pageBuckets, int(key)-1023)
	return part * float64(pageBuckets+bucket), part * float64(pageBuckets+bucket+1)
}

// add counts a finite number.
func (s *sketch) add(x float64) {
	if s.n == 0 {
		s.min, s.max = x, x
		s.keys, s.pages = append(s.keys, 0), append(s.pages, page{})
	}
	s.n++
	s.min, s.max = min(s.min, x), max(s.max, x)
	key, bucket := bucketOf(x)
	i := s.find(key)
	if i == len(s.keys) || s.keys[i] != key {
		i, bucket = s.insert(key, bucket)
	}
	s.pages[i][bucket]++
}

// find is the place of the first page whose key is not less.
func (s *sketch) find(key int16) int {
	low, high := 0, len(s.keys)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if s.keys[middle] < key {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// insert makes a page. If there is no room, the octave nearest to zero, which may be
// the new one, counts as zero.
func (s *sketch) insert(key int16, bucket int) (int, int) {
	if len(s.keys) == maxPages {
		zero := s.find(0)
		nearest := zero + 1
		if zero > 0 && (nearest == len(s.keys) || -s.keys[zero-1] < s.keys[nearest]) {
			nearest = zero - 1
		}
		if abs(key) < abs(s.keys[nearest]) {
			return zero, 0
		}
		for _, n := range s.pages[nearest] {
			s.pages[zero][0] += n
		}
		s.keys, s.pages = slices.Delete(s.keys, nearest, nearest+1), slices.Delete(s.pages, nearest, nearest+1)
	}
	i := s.find(key)
	s.keys, s.pages = slices.Insert(s.keys, i, key), slices.Insert(s.pages, i, page{})
	return i, bucket
}

func abs(key int16) int16 { return max(key, -key) }

// each calls f with the buckets that have values, in ascending order, until it
// returns false.
func (s *sketch) each(f func(low, high float64, n int64) bool) {
	for i := range s.pages {
		for b, n := range s.pages[i] {
			if n == 0 {
				continue
			}
			low, high := edges(s.keys[i], b)
			if !f(max(low, s.min), min(high, s.max), n) {
				return
			}
		}
	}
}

// quantile is the value below which a share q of the values lies; not ok without
// values.
func (s *sketch) quantile(q float64) (value float64, ok bool) {
	rank, before := q*float64(s.n-1), 0.0
	s.each(func(low, high float64, n int64) bool {
		if before+float64(n) <= rank {
			before += float64(n)
			return true
		}
		value = low + (high-low)*((rank-before+0.5)/float64(n)) // a huge width does not overflow
		return false
	})
	return value, s.n > 0
}

// below is how many values are below x.
func (s *sketch) below(x float64) int64 {
	sum := 0.0
	s.each(func(low, high float64, n int64) bool {
		switch {
		case low >= x:
			return false
		case high <= x:
			sum += float64(n)
		default:
			sum += float64(n) * ((x - low) / (high - low))
		}
		return true
	})
	return int64(math.Round(sum))
}
