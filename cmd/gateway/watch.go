package main

import (
	"context"
	"time"
)

// watchInterval is how often the dependencies are looked at for the log.
const watchInterval = 250 * time.Millisecond

// watchDependencies logs each change of the feature store's connection and of
// each breaker once, until ctx ends. It looks from outside, since nothing may be
// logged under a breaker's lock or on the path of a request; a state that comes
// and goes between two looks shows in the metrics alone.
func (g *gateway) watchDependencies(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	store, breakers := "", map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		store = g.watchStore(store)
		g.watchBreakers(breakers)
	}
}

// watchStore logs when the connection differs from before, which it returns anew.
func (g *gateway) watchStore(before string) string {
	if len(g.schema.Entities()) == 0 {
		return before
	}
	s := g.store.State()
	now := "connected"
	if !s.Connected {
		now = s.Kind
	}
	switch {
	case now == before:
	case s.Connected:
		g.log.Info("feature store connected")
	case s.Err != nil:
		g.log.Warn("feature store does not answer", "kind", s.Kind, "error", s.Err)
	}
	return now
}

// watchBreakers logs the breakers whose state differs from before, which it
// brings up to date.
func (g *gateway) watchBreakers(before map[string]string) {
	seen := map[string]bool{}
	for _, guard := range g.guards() {
		s := guard.State()
		seen[s.Name] = true
		old, known := before[s.Name]
		before[s.Name] = s.Breaker
		switch {
		case s.Breaker == old, !known && s.Breaker == "closed", s.Breaker == "half-open":
		case s.Breaker == "closed":
			g.log.Info("circuit breaker closed", "downstream", s.Name)
		default:
			g.log.Warn("circuit breaker open", "downstream", s.Name, "state", s.Breaker)
		}
	}
	for name := range before {
		if !seen[name] {
			delete(before, name)
		}
	}
}
