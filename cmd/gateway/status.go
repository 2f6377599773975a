package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/admin"
)

func newStatusCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how a running gateway does",
		Long: "Show a running gateway on one page: version, readiness, models and their queues, breakers, feature store\n" +
			"and experiments, as its admin port tells it.",
		Example: "  gateway status\n  gateway status --admin 10.0.0.7:9090 -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			body, err := client.get(cmd.Context(), "/admin/status", nil)
			if err != nil {
				return err
			}
			return answer(a, format, body, statusTable)
		},
	}
	format.addTo(c)
	return c
}

func statusTable(w io.Writer, s admin.Status) {
	up := time.Duration(s.UptimeSeconds * float64(time.Second)).Truncate(time.Second)
	fmt.Fprintf(w, "gateway\t%s, %s, up %s\n", s.Version, s.Go, up)
	fmt.Fprintf(w, "readiness\t%s\n", s.Readiness.Status)
	for _, name := range sortedNames(s.Readiness.Dependencies) {
		d := s.Readiness.Dependencies[name]
		fmt.Fprintf(w, "  %s\t%s", name, d.Status)
		if d.Detail != "" {
			fmt.Fprintf(w, ": %s", oneLine(d.Detail))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "onnxruntime\t%s, %s\n", s.ONNXRuntime.Version, s.ONNXRuntime.Library)
	fmt.Fprintf(w, "requests\t%d in flight\n", s.InFlight)
	fmt.Fprintf(w, "features\t%s\n", featureLine(s.Features))
	fmt.Fprintf(w, "experiments\t%d of %d enabled, digest %s\n", s.Experiments.Enabled, s.Experiments.Experiments, s.Experiments.Digest)
	if s.Experiments.ReloadError != "" {
		fmt.Fprintf(w, "  last reload\t%s\n", oneLine(s.Experiments.ReloadError))
	}
	for _, m := range s.Models {
		fmt.Fprintf(w, "model\t%s %d on %s: %d queued, %d of %d runners busy, %d stuck", m.Model, m.Version, m.Provider, m.Queued, m.Busy, m.Runners, m.Stuck)
		if m.Current {
			fmt.Fprint(w, ", current")
		}
		fmt.Fprintln(w)
	}
	for _, g := range s.Guards {
		fmt.Fprintf(w, "guard\t%s %s: %d of %d in flight, %d trips\n", g.Name, g.Breaker, g.InFlight, g.MaxConcurrent, g.Trips)
	}
}

func featureLine(f admin.FeatureStatus) string {
	where := fmt.Sprintf("%s %v", f.Mode, f.Addresses)
	if f.Embedded {
		where = "embedded"
	}
	if f.Connected {
		return where + ", connected"
	}
	return fmt.Sprintf("%s, not connected (%s): %s", where, f.Kind, oneLine(f.Error))
}
