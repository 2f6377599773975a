package experiments

import (
	"encoding/binary"
	"slices"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
)

// sampled is one request of a sample, as experiments see it.
type sampled struct {
	model   string
	at      int64
	request router.Request
	forced  []byte
	// keptFor is the key that the request's unit has a variant under: kept.
	keptFor string
	kept    []byte
}

// Len is how many requests the sample holds.
func (s *TrafficSample) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.slots)
}

// read copies the sample, the oldest first.
func (s *TrafficSample) read() []sampled {
	s.mu.Lock()
	size := 0
	for i := range s.slots {
		size += len(s.slots[i].data)
	}
	arena := make([]byte, 0, size)
	out := make([]sampled, len(s.slots))
	ends := make([]int, len(s.slots))
	for i := range s.slots {
		from := &s.slots[(s.next+i)%len(s.slots)]
		out[i].at = from.at
		arena = append(arena, from.data...)
		ends[i] = len(arena)
	}
	s.mu.Unlock()
	start := 0
	for i := range out {
		out[i].decode(arena[start:ends[i]])
		start = ends[i]
	}
	return out
}

// decode reads what appendRequest wrote.
func (r *sampled) decode(b []byte) {
	text := func() []byte {
		n, width := binary.Uvarint(b)
		out := b[width : width+int(n) : width+int(n)]
		b = b[width+int(n):]
		return out
	}
	r.model = string(text())
	r.request.UserID, r.forced = text(), text()
	r.keptFor, r.kept = string(text()), text()
	for _, list := range [2]*[]models.Value{&r.request.Entities, &r.request.Context} {
		n, width := binary.Uvarint(b)
		b = b[width:]
		*list = slices.Grow(*list, int(n))
		for range n {
			kind := models.Kind(b[0])
			b = b[1:]
			*list = append(*list, models.Value{Kind: kind, Key: text(), Raw: text()})
		}
	}
}

// assignable is the request as an assignment takes it, at a time of our choice.
func (r *sampled) assignable(now time.Time) *abtest.Request {
	x := &router.Exchange{Request: r.request, Forced: r.forced}
	return &abtest.Request{User: r.request.UserID, Units: x, Attributes: x, Forced: r.forced, Stored: r, Now: now.Unix()}
}

// Variant implements abtest.Stored: a unit that was given a variant to keep has it
// under other plans too.
func (r *sampled) Variant(e *abtest.Experiment) []byte {
	if r.keptFor == "" || e.StickyKey() != r.keptFor {
		return nil
	}
	return r.kept
}
