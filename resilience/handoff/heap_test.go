package handoff

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// FuzzHeapAgainstASortedList drives queue and model alike: two bytes are one
// step, a submit (with priority and deadline) or a take of some items.
func FuzzHeapAgainstASortedList(f *testing.F) {
	f.Add([]byte{0, 5, 0, 3, 1, 4, 2, 1, 0, 9, 2, 3})
	f.Add([]byte{0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 1, 1, 1, 2, 1, 0, 2, 9})
	random := make([]byte, 4096)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	f.Add(random)
	full := make([]byte, 8192) // takes are rare: the queue is full most of the time, and sheds
	for i := range full {
		full[i] = byte(r.IntN(252))
		if i%2 == 0 && full[i]%3 == 2 && r.IntN(4) > 0 {
			full[i]--
		}
	}
	f.Add(full)
	f.Fuzz(func(t *testing.T, steps []byte) {
		const capacity = 8
		q := NewQueue[*job](capacity, nil)
		base := time.Now().Add(time.Hour)
		var model []*job
		for id := 0; len(steps) >= 2; id++ {
			op, arg := steps[0]%3, steps[1]
			steps = steps[2:]
			if op == 2 {
				model = takeBoth(t, q, model, int(arg%4)+1)
				continue
			}
			j := newJob(id)
			until := base.Add(time.Duration(arg) * time.Second)
			err := q.Submit(j, until, Priority(op))
			model = submitToModel(t, model, j, err, capacity)
		}
		for len(model) > 0 {
			model = takeBoth(t, q, model, 3)
		}
		if q.Weight() != 0 || q.mu.perPrio != [priorities]int{} {
			t.Fatalf("%d left, by priority %v", q.Weight(), q.mu.perPrio)
		}
		for _, e := range q.mu.heap[:cap(q.mu.heap)] {
			if e.item != nil {
				t.Fatal("an emptied heap still refers to an item")
			}
		}
	})
}

func urgency(a, b *job) int {
	if c := cmp.Compare(b.ticket.prio, a.ticket.prio); c != 0 {
		return c
	}
	return a.ticket.until.Compare(b.ticket.until)
}

// submitToModel does what Submit should have done; err is what it did.
func submitToModel(t *testing.T, model []*job, j *job, err error, capacity int) []*job {
	if len(model) == capacity {
		last := slices.MaxFunc(model, urgency)
		if last.ticket.prio >= j.ticket.prio {
			if err != ErrFull {
				t.Fatalf("Submit to a full queue = %v", err)
			}
			return model
		}
		// Of several with the same key any may be shed: ask which it was.
		at := slices.IndexFunc(model, func(m *job) bool {
			return urgency(m, last) == 0 && m.ticket.state.Load() == done
		})
		if at < 0 || model[at].ticket.Wait() != ErrShed {
			t.Fatal("the least urgent item was not shed")
		}
		model = slices.Delete(model, at, at+1)
	}
	if err != nil {
		t.Fatalf("Submit = %v", err)
	}
	return append(model, j)
}

// takeBoth takes from queue and model and compares, by key.
func takeBoth(t *testing.T, q *Queue[*job], model []*job, n int) []*job {
	if len(model) == 0 {
		return model
	}
	slices.SortStableFunc(model, urgency)
	items, ok := q.Take(nil, n, 0)
	if want := min(n, len(model)); !ok || len(items) != want {
		t.Fatalf("took %d items, want %d", len(items), want)
	}
	for i, it := range items {
		if urgency(it, model[i]) != 0 {
			t.Fatalf("item %d is of priority %d until %v, want %d until %v", i,
				it.ticket.prio, it.ticket.until, model[i].ticket.prio, model[i].ticket.until)
		}
		at := slices.Index(model, it)
		if at < 0 {
			t.Fatalf("item %d was not queued", it.id)
		}
		model[i], model[at] = model[at], model[i]
		q.Finish(it, nil)
	}
	return model[len(items):]
}
