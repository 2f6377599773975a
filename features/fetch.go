package features

import (
	"errors"
	"time"

	"github.com/redis/rueidis"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

// call is one Fetch on its way through the queue.
//
// The requester writes view, parts and ids before it submits and reads the
// outcome in parts after Wait returned nil; in between the worker owns them. A
// requester that left at its deadline touches nothing more. Request memory is
// never referenced: ids are copied in.
type call struct {
	handoff.Ticket
	store *Store
	view  *View
	parts []part
	ids   []byte
}

// part is the read of one entity.
type part struct {
	plan  int
	id    [2]int // in call.ids
	reply rueidis.RedisMessage
	err   error // nil, errWrongType, or a *fetchError
}

var errWrongType = errors.New("key holds another type than a hash")

// Handoff implements handoff.Item.
func (c *call) Handoff() *handoff.Ticket { return &c.Ticket }

// Recycle implements handoff.Item.
func (c *call) Recycle() {
	clear(c.parts)
	c.view, c.parts, c.ids = nil, c.parts[:0], c.ids[:0]
	c.store.calls.Put(c)
}

// Fetch reads what the row still lacks, all entities in one pipeline, and
// returns at until at the latest. ids are in the order of Entities; an empty
// one is an entity that does not exist. They are copied.
//
// A missing, stale or invalid value is no error: origins says so, and Finish
// applies the policy. On an error (ErrUnavailable, ErrTimeout) the slots that
// could not be read are still unset: call Recover.
func (v *View) Fetch(until time.Time, ids [][]byte, row *models.Row, origins []models.Origin) error {
	s := v.store
	c := s.calls.Get().(*call)
	c.Hold()
	c.view = v
	for p := range v.plans {
		switch {
		case !v.lacks(p, origins):
		case len(ids[p]) == 0:
			v.mark(p, origins, models.OriginMissing)
		default:
			from := len(c.ids)
			c.ids = append(c.ids, ids[p]...)
			c.parts = append(c.parts, part{plan: p, id: [2]int{from, len(c.ids)}})
		}
	}
	if len(c.parts) == 0 {
		handoff.Release(c)
		return nil
	}
	if err := s.await(c, until); err != nil {
		handoff.Release(c)
		return err
	}
	err := v.collect(c, row, origins)
	handoff.Release(c)
	return err
}

// await submits a call and waits for its outcome.
func (s *Store) await(c *call, until time.Time) error {
	if s.link.Client() == nil {
		state := s.link.State()
		s.metrics.errors[state.Code].Inc()
		return unavailable(state)
	}
	err := s.queue.Submit(c, until, handoff.Normal)
	if err == nil {
		err = c.Wait()
	}
	switch err {
	case nil:
		return nil
	case handoff.ErrDeadline:
		s.metrics.errors[kindTimeout].Inc()
		return errDeadline
	case handoff.ErrClosed:
		return ErrClosed
	case handoff.ErrFull, handoff.ErrShed:
		s.metrics.errors[kindQueue].Inc()
		return ErrQueueFull
	}
	return err
}

// collect decodes the replies of a finished call and keeps copies of them.
func (v *View) collect(c *call, row *models.Row, origins []models.Origin) error {
	var failed error
	now := time.Now()
	for i := range c.parts {
		part := &c.parts[i]
		plan := &v.plans[part.plan]
		switch {
		case part.err == errWrongType:
			v.mark(part.plan, origins, models.OriginInvalid)
		case part.err != nil:
			failed = part.err
		case !v.decode(plan, &part.reply, row, origins, models.OriginStore):
			v.store.metrics.errors[kindReply].Inc()
			failed = errBadReply
		case v.store.copies != nil:
			v.store.copies.put(plan.hash, c.ids[part.id[0]:part.id[1]], part.reply, now)
		}
	}
	return failed
}

// Recover fills what is unset after a failed Fetch: from recent copies where
// there are any, and with the default for the rest. It returns the number of
// features that copies filled.
func (v *View) Recover(ids [][]byte, row *models.Row, origins []models.Origin) (copies int) {
	now := time.Now()
	for p := range v.plans {
		if !v.lacks(p, origins) {
			continue
		}
		if len(ids[p]) == 0 {
			v.mark(p, origins, models.OriginMissing)
			continue
		}
		if v.store.copies != nil {
			if reply, found := v.store.copies.get(v.plans[p].hash, ids[p], now); found {
				v.decode(&v.plans[p], &reply, row, origins, models.OriginCopy)
			}
		}
		v.mark(p, origins, models.OriginUnavailable)
		for _, at := range v.plans[p].slots {
			if origins[at] == models.OriginCopy {
				copies++
			}
		}
	}
	return copies
}

// lacks says whether a plan has unset slots.
func (v *View) lacks(p int, origins []models.Origin) bool {
	for _, at := range v.plans[p].slots {
		if origins[at] == models.OriginUnset {
			return true
		}
	}
	return false
}

// mark gives a plan's unset slots, which hold their defaults, an origin.
func (v *View) mark(p int, origins []models.Origin, o models.Origin) {
	for _, at := range v.plans[p].slots {
		if origins[at] == models.OriginUnset {
			origins[at] = o
		}
	}
}

var _ handoff.Item = (*call)(nil)
