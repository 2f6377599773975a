package router

import (
	"sync/atomic"

	"hotpath/models"
)

// sharedOwner lets the exchange and the jobs that it hands its tensors to hold one
// owner: the last to let go frees it.
type sharedOwner struct {
	owner models.Owner
	holds atomic.Int32
}

// Free gives up one hold.
func (s *sharedOwner) Free() {
	if s.holds.Add(-1) == 0 {
		s.owner.Free()
	}
}

// share is the tensors' owner for a job, beside the exchange's own hold on it: a
// second attempt may need the tensors again. Nil without an owner.
func (t *Tensors) share() models.Owner {
	if t.Owner == nil {
		return nil
	}
	s, ok := t.Owner.(*sharedOwner)
	if !ok {
		s = &sharedOwner{owner: t.Owner}
		s.holds.Store(1)
		t.Owner = s
	}
	s.holds.Add(1)
	return s
}
