package handoff

// Company decides what is taken together, where not everything can be.
type Company[T Item] interface {
	// Begin is told the item that a take begins with.
	Begin(first T)
	// Joins says whether another item comes along; it counts as taken then. It is
	// called with the queue's lock held.
	Joins(other T) bool
}

// companyReach is how many queued items, roughly the most important, are looked at
// for company: a bound on the time that the lock is held.
const companyReach = 256

func (q *Queue[T]) takeCompanyLocked(company Company[T], dst []T, max int) []T {
	room := max - q.mu.heap[0].weight
	first := q.removeLocked(0)
	dst = append(dst, first)
	company.Begin(first)
	for i, looked := 0, 0; i < len(q.mu.heap) && room > 0 && looked < companyReach; looked++ {
		e := &q.mu.heap[i]
		if e.weight > room || !company.Joins(e.item) {
			i++
			continue
		}
		room -= e.weight
		dst = append(dst, q.removeLocked(i)) // and another item stands at i
	}
	return dst
}
