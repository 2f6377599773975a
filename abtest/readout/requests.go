package readout

import (
	"iter"
	"math/bits"
)

// requestTable holds the latest requests. A request has a place in one bucket, chosen
// by its digest, where the oldest makes room for it: that takes one access to memory,
// where a queue with an index would take five. Room for twice as many requests makes
// up for buckets that fill sooner than others.
type requestTable struct {
	buckets []requestBucket // a power of two. Made with the first request.
	size    int
}

// requestBucket holds requests, the newest first.
type requestBucket [requestsTogether]request

const requestsTogether = 8

// request leads from a request id to a unit.
type request struct {
	// id is the upper part of the digest of the request id, of which the lower chose
	// the bucket, and below that the experiment's id plus one. 0: there is none.
	id  uint64
	key uint64
}

const experimentBits = 16

func (t *requestTable) init(requests int) {
	t.size = 1 << bits.Len(uint(2*requests-1)/requestsTogether)
}

func (t *requestTable) bucket(digest uint64) *requestBucket {
	return &t.buckets[digest&uint64(len(t.buckets)-1)]
}

// add remembers a request.
func (t *requestTable) add(digest, key uint64, experiment uint16) {
	if t.buckets == nil {
		t.buckets = make([]requestBucket, t.size)
	}
	b := t.bucket(digest)
	q := request{digest&^(1<<experimentBits-1) | uint64(experiment+1), key}
	if b[0] != q {
		copy(b[1:], b[:])
		b[0] = q
	}
}

// of are the experiments and units that the requests of an id led to.
func (t *requestTable) of(digest uint64) iter.Seq2[uint16, uint64] {
	return func(yield func(uint16, uint64) bool) {
		if t.buckets == nil {
			return
		}
		for _, q := range t.bucket(digest) {
			if q.id != 0 && q.id>>experimentBits == digest>>experimentBits && !yield(uint16(q.id)-1, q.key) {
				return
			}
		}
	}
}

// renumber gives the experiments other ids. The requests of those that are gone
// lead nowhere from then on.
func (t *requestTable) renumber(to func(uint16) (id uint16, live bool)) {
	for i := range t.buckets {
		b, kept := &t.buckets[i], 0
		for _, q := range b {
			if q.id == 0 {
				break
			}
			if id, live := to(uint16(q.id) - 1); live {
				b[kept] = request{q.id&^(1<<experimentBits-1) | uint64(id+1), q.key}
				kept++
			}
		}
		clear(b[kept:])
	}
}
