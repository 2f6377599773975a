package features

import (
	"errors"
	"time"
	"unsafe"

	"github.com/redis/rueidis"

	"hotpath/resilience/redislink"
)

// worker takes what is queued, sends it as one pipeline, and hands the replies
// out. All its fields belong to its goroutine.
type worker struct {
	store *Store
	pipe  *redislink.Pipeline
	items []*call
	done  int // items[:done] are finished
	cmds  []rueidis.Completed
	keys  []byte // memory of the commands' keys
}

func newWorker(s *Store) *worker {
	return &worker{store: s, pipe: s.link.Pipeline()}
}

func (w *worker) loop() {
	for {
		var open bool
		w.items, open = w.store.queue.Take(w.items[:0], w.store.opts.MaxBatch, 0)
		if !open {
			return
		}
		if len(w.items) > 0 {
			w.serve()
		}
		clear(w.items)
	}
}

// serve runs one pipeline. A panic in the client fails the calls at hand and
// leaves the worker alive.
func (w *worker) serve() {
	w.done = 0
	defer func() {
		if recover() != nil {
			w.store.metrics.errors[kindPanic].Inc()
			w.forget()
			w.finishAll(errPanic)
		}
	}()
	client := w.store.link.Client()
	if client == nil {
		w.finishAll(unavailable(w.store.link.State()))
		return
	}
	w.build(client)
	w.store.metrics.pipeline.Observe(float64(len(w.cmds)))
	start := time.Now()
	results := w.pipe.Do(client, w.cmds)
	w.store.metrics.duration.Observe(time.Since(start).Seconds())
	w.handOut(results)
}

// build makes the commands, in the order of items and their parts.
func (w *worker) build(client rueidis.Client) {
	w.cmds, w.keys = w.cmds[:0], w.keys[:0]
	b := client.B()
	for _, c := range w.items {
		for i := range c.parts {
			part := &c.parts[i]
			plan := &c.view.plans[part.plan]
			from := len(w.keys)
			w.keys = append(w.keys, plan.entity.prefix...)
			w.keys = append(w.keys, c.ids[part.id[0]:part.id[1]]...)
			w.keys = append(w.keys, plan.entity.suffix...)
			// When keys grows it moves; keys made before keep the old memory.
			key := w.keys[from:]
			w.cmds = append(w.cmds, b.Hmget().Key(unsafe.String(unsafe.SliceData(key), len(key))).Field(plan.fields...).Build())
		}
	}
}

// handOut gives every call its replies.
func (w *worker) handOut(results []rueidis.RedisResult) {
	var failed *State // of the first error; its kind stands for the pipeline
	var failure error // what the calls hear of it
	at := 0
	for _, c := range w.items {
		for i := range c.parts {
			part := &c.parts[i]
			reply, err := results[at].ToMessage()
			at++
			if err == nil {
				part.reply = reply
				continue
			}
			kind := errKind(redislink.Classify(err))
			if kind == kindWrongType {
				w.store.metrics.errors[kindWrongType].Inc()
				part.err = errWrongType
				continue
			}
			if failed == nil {
				failed = w.store.link.Failed(err)
				failure = unavailable(failed)
			}
			if errors.Is(err, redislink.ErrPaced) {
				kind = errKind(failed.Code)
			}
			w.store.metrics.errors[kind].Inc()
			part.err = failure
		}
	}
	if failed != nil {
		w.forget()
	}
	w.finishAll(nil)
}

// forget drops the memory that the client may still read: after an error its
// writer can be busy with the commands although the results are there.
func (w *worker) forget() { w.cmds, w.keys = nil, nil }

func (w *worker) finishAll(err error) {
	for w.done < len(w.items) {
		c := w.items[w.done]
		w.done++
		w.store.queue.Finish(c, err)
	}
}
