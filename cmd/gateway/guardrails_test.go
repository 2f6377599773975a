package main

import (
	"testing"

	"hotpath/abtest"
	"hotpath/abtest/readout"
)

func TestWhatATripHolds(t *testing.T) {
	trip := readout.Trip{Experiment: "e", Variant: "v"}
	for action, want := range map[abtest.Action]abtest.Hold{abtest.Rollback: {Experiment: "e", Variant: "v"}, abtest.Pause: {Experiment: "e"}} {
		trip.Guardrail.Action = action
		words := map[abtest.Action]string{abtest.Rollback: "the variant is held back", abtest.Pause: "the experiment is paused"}
		if hold, done := holdOf(trip); hold != want || done != words[action] {
			t.Errorf("%v: %+v, %q", action, hold, done)
		}
	}
}
