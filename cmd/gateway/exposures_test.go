package main

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/telemetry"
)

// A request that does not end uses up the time of the shutdown. The exposures of all
// others are written down nevertheless.
func TestExposuresAreWrittenAfterTheTimeIsOver(t *testing.T) {
	c := config.Default()
	c.Experiments.File, c.Experiments.DataDir = "experiments.yaml", t.TempDir()
	g := &gateway{config: c}
	var err error
	if g.reg, err = telemetry.NewRegistry("test"); err != nil {
		t.Fatal(err)
	}
	if g.log, err = telemetry.NewLogger(io.Discard, telemetry.LogOptions{Level: c.Log.Level, Format: c.Log.Format}, g.reg); err != nil {
		t.Fatal(err)
	}
	defer g.log.Close()
	if err := g.openExposures(t.Context(), openOptions{}); err != nil {
		t.Fatal(err)
	}
	const events = 2000
	for i := range events {
		e := exposure.Event{At: time.Now().UnixNano(), Unit: fmt.Append(nil, i), UnitName: "user", Experiment: "e", Assigned: "a", Reason: abtest.ReasonSplit, Code: "ok"}
		if !g.exposures.Record(&e) {
			t.Fatal("an event was dropped")
		}
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if err := g.closeExposures(over); err != nil {
		t.Error(err)
	}
	r, err := readout.New(readout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonl.ReadFiles(t.Context(), []string{g.exposureDir()}, 0, r)
	if err != nil || read.Exposures != events {
		t.Errorf("%d of %d exposures are written (%v)", read.Exposures, events, err)
	}
}
