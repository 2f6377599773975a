package handoff

import "time"

// entry keeps an item's sort key beside it, so that sifting touches one array.
type entry[T Item] struct {
	item   T
	until  time.Time
	prio   Priority
	weight int
}

// before orders by priority, then earliest deadline first. With equal timeouts
// that is the order of arrival; the rows of one request, whose deadline is the
// same, may come in any order.
func (e *entry[T]) before(o *entry[T]) bool {
	if e.prio != o.prio {
		return e.prio > o.prio
	}
	return e.until.Before(o.until)
}

func (q *Queue[T]) pushLocked(item T, t *Ticket) {
	q.mu.perPrio[t.prio] += t.Weight()
	h := append(q.mu.heap, entry[T]{item, t.until, t.prio, t.Weight()})
	q.mu.heap = h
	q.weight.Add(int64(t.Weight()))
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// removeLocked takes entry i out of the heap.
func (q *Queue[T]) removeLocked(i int) T {
	h := q.mu.heap
	item := h[i].item
	q.mu.perPrio[h[i].prio] -= h[i].weight
	q.weight.Add(-int64(h[i].weight))
	last := len(h) - 1
	h[i] = h[last]
	h[last] = entry[T]{}
	h = h[:last]
	q.mu.heap = h
	if i == last {
		return item
	}
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&h[i]) {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
	return item
}

// deadHeadLocked says that the most important item's time is over: nobody waits
// for it.
func (q *Queue[T]) deadHeadLocked(now time.Time) bool {
	return len(q.mu.heap) > 0 && !now.Before(q.mu.heap[0].until)
}

// belowLocked is the weight of what is queued with a lower priority.
func (q *Queue[T]) belowLocked(p Priority) (weight int) {
	for low := Priority(0); low < p; low++ {
		weight += q.mu.perPrio[low]
	}
	return weight
}

// cheapestBelowLocked finds what to shed for an item of priority p: among the
// lowest priority queued, the one with the most time left. -1 when all that is
// queued is at least as important. Runs only on a full queue.
func (q *Queue[T]) cheapestBelowLocked(p Priority) int {
	for low := Priority(0); low < p; low++ {
		if q.mu.perPrio[low] == 0 {
			continue
		}
		at := -1
		for i := range q.mu.heap {
			e := &q.mu.heap[i]
			if e.prio == low && (at < 0 || e.until.After(q.mu.heap[at].until)) {
				at = i
			}
		}
		return at
	}
	return -1
}
