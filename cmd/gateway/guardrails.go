package main

import (
	"context"
	"slices"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/experiments"
)

// holdTimeout bounds one action of a guardrail.
const holdTimeout = 30 * time.Second

// watchGuardrails looks at the bounds on the variants until ctx ends, and takes the
// variants that have broken one out of service.
func (g *gateway) watchGuardrails(ctx context.Context) {
	if g.readout == nil {
		return
	}
	tick := time.NewTicker(g.config.Experiments.Readout.GuardrailInterval)
	defer tick.Stop()
	var mismatched []string
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, trip := range g.readout.Guardrails(now) {
				g.trip(ctx, trip)
			}
			mismatched = g.watchSplits(mismatched)
		}
	}
}

// watchSplits logs the experiments whose split has become wrong since before, and
// returns all that are.
func (g *gateway) watchSplits(before []string) []string {
	now := g.readout.Mismatched()
	for _, name := range now {
		if !slices.Contains(before, name) {
			g.log.Warn("sample ratio mismatch: the units of the experiment do not split as the weights say, so that its results cannot be trusted; see `gateway experiments report`", "experiment", name)
		}
	}
	return now
}

// trip does what a guardrail says.
func (g *gateway) trip(ctx context.Context, t readout.Trip) {
	log := g.log.With("experiment", t.Experiment, "variant", t.Variant, "guardrail", t.Guardrail.Metric, "action", t.Guardrail.Action.String())
	if t.Guardrail.Action == abtest.Alert {
		log.Warn("guardrail broken: " + t.Text)
		return
	}
	hold, done := holdOf(t)
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	if err := g.experiments.Hold(ctx, hold, experiments.Author{Who: "guardrail " + t.Guardrail.Metric, Via: experiments.ViaGuardrail, Message: t.Text}); err != nil {
		log.Error("guardrail broken, and its action failed: "+t.Text, "error", err)
		return
	}
	log.Warn("guardrail broken, " + done + ": " + t.Text)
}

// holdOf is the hold that a trip asks for, and what it does in the log's words.
func holdOf(t readout.Trip) (hold abtest.Hold, done string) {
	if t.Guardrail.Action == abtest.Pause {
		return abtest.Hold{Experiment: t.Experiment}, "the experiment is paused"
	}
	return abtest.Hold{Experiment: t.Experiment, Variant: t.Variant}, "the variant is held back"
}
