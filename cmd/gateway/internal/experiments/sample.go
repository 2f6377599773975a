package experiments

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
)

// The bounds of a sample.
const (
	defaultSample  = 10_000
	maxSample      = 1_000_000
	maxSampleBytes = 1 << 10 // of one request
	// samplePerTurn requests are taken in each turn: 300 a second.
	samplePerTurn = 15
	sampleTurn    = 50 * time.Millisecond
)

// TrafficSample keeps what experiments look at of the latest requests: at most so
// many in all, so many a second, and so much of each. A request that is not taken
// costs one load of an atomic.
type TrafficSample struct {
	// left is how many requests may still be taken in this turn.
	left atomic.Int64
	// large counts requests that were left out for their size.
	large atomic.Int64

	mu    sync.Mutex
	slots []slot
	next  int // of slots, which is a ring once it is full
	limit int
}

// slot is one request. data is used again when the ring comes round.
type slot struct {
	at   int64 // nanoseconds since 1970
	data []byte
}

func newTrafficSample(limit int) *TrafficSample {
	if limit <= 0 {
		limit = defaultSample
	}
	return &TrafficSample{limit: min(limit, maxSample)}
}

// refill lets requests in, until ctx ends.
func (s *TrafficSample) refill(ctx context.Context) {
	turn := time.NewTicker(sampleTurn)
	defer turn.Stop()
	defer s.left.Store(0)
	for {
		s.left.Store(samplePerTurn)
		select {
		case <-ctx.Done():
			return
		case <-turn.C:
		}
	}
}

// Offer takes a copy of a request that experiments have looked at, if there is room
// in this turn and nobody reads the sample at the moment: copying a large one takes a
// while. It keeps nothing of the exchange, and never waits.
func (s *TrafficSample) Offer(x *router.Exchange) {
	if s.left.Load() <= 0 {
		return
	}
	if len(x.Tensors.Version) > 0 || len(x.Tensors.Inputs) > 0 && len(x.Request.UserID) == 0 {
		return // no experiment was asked
	}
	if x.Lane == nil {
		return // a flag of a model that is not loaded: there is nothing to move from
	}
	if s.left.Add(-1) < 0 {
		return
	}
	model, keptFor, kept := assignedBy(x)
	if sampleSize(x, model) > maxSampleBytes {
		s.large.Add(1)
		return
	}
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.next == len(s.slots) && len(s.slots) < s.limit {
		s.slots = append(s.slots, slot{})
	}
	to := &s.slots[s.next]
	s.next = (s.next + 1) % s.limit
	to.at = time.Now().UnixNano()
	to.data = appendRequest(to.data[:0], x, model, keptFor, kept)
}

// assignedBy is the model that the request was about, and for a unit whose variant
// is kept, which one under which key.
func assignedBy(x *router.Exchange) (model, keptFor, kept string) {
	e := x.Assignment.Experiment
	if e == nil {
		return x.Lane.Model, "", ""
	}
	if e.Sticky() && (x.Assignment.Reason == abtest.ReasonSplit || x.Assignment.Reason == abtest.ReasonSticky) {
		keptFor, kept = e.StickyKey(), x.Assignment.Variant.Name()
	}
	return e.Model(), keptFor, kept
}

func sampleSize(x *router.Exchange, model string) int {
	n := len(model) + len(x.Request.UserID) + len(x.Forced)
	for _, list := range [2][]models.Value{x.Request.Entities, x.Request.Context} {
		for i := range list {
			n += len(list[i].Key) + len(list[i].Raw)
		}
	}
	return n
}

// appendRequest writes a request as texts with their lengths before them.
func appendRequest(b []byte, x *router.Exchange, model, keptFor, kept string) []byte {
	b = appendText(b, model)
	b = appendText(b, x.Request.UserID)
	b = appendText(b, x.Forced)
	b = appendText(b, keptFor)
	b = appendText(b, kept)
	for _, list := range [2][]models.Value{x.Request.Entities, x.Request.Context} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for i := range list {
			b = append(b, byte(list[i].Kind))
			b = appendText(b, list[i].Key)
			b = appendText(b, list[i].Raw)
		}
	}
	return b
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
