package main

import (
	"context"
	"sync"

	"github.com/redis/rueidis"
)

// fetchers is how many pipelines can be outstanding at once, and maxFetches how
// many reads share one: what the gateway does by default.
const (
	fetchers   = 4
	maxFetches = 128
)

// store reads users' hashes. Concurrent reads share a pipeline: each fetcher
// takes what is queued and sends it as one DoMulti, which costs fewer wake-ups
// than one Do per request.
type store struct {
	client rueidis.Client
	fields []string
	queue  chan *read
	reads  sync.Pool
}

type read struct {
	key    string
	values []rueidis.RedisMessage
	err    error
	done   chan struct{}
}

func newStore(client rueidis.Client, fields []string) *store {
	s := &store{client: client, fields: fields, queue: make(chan *read, 1024)}
	s.reads.New = func() any { return &read{done: make(chan struct{}, 1)} }
	for range fetchers {
		go s.work()
	}
	return s
}

func (s *store) get(key string) ([]rueidis.RedisMessage, error) {
	r := s.reads.Get().(*read)
	defer s.reads.Put(r)
	r.key = key
	s.queue <- r
	<-r.done
	return r.values, r.err
}

func (s *store) work() {
	batch := make([]*read, 0, maxFetches)
	cmds := make(rueidis.Commands, 0, maxFetches)
	for r := range s.queue {
		batch = append(batch[:0], r)
		for more := true; more && len(batch) < maxFetches; {
			select {
			case r := <-s.queue:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		cmds = cmds[:0]
		for _, r := range batch {
			cmds = append(cmds, s.client.B().Hmget().Key(r.key).Field(s.fields...).Build())
		}
		for i, result := range s.client.DoMulti(context.Background(), cmds...) {
			batch[i].values, batch[i].err = result.ToArray()
			batch[i].done <- struct{}{}
		}
	}
}
