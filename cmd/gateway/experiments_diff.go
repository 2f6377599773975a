package main

import "github.com/spf13/cobra"

// defaultSamples is how many users of each flow are named.
const defaultSamples = 3

func newExperimentsDiffCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "diff [OLD] FILE",
		Short: "Show how a file differs from what serves",
		Long: "Show the lines in which FILE differs from the experiments that serve, or with OLD from another file, without a\n" +
			"gateway; and what the change does to the units of running experiments. FILE - is standard input.",
		Example: "  gateway experiments diff experiments.yaml\n  gateway experiments diff before.yaml after.yaml",
		Args:    takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readExperiments(args[len(args)-1])
			if err != nil {
				return err
			}
			var body []byte
			if len(args) == 2 {
				body, err = a.compareOffline(args[0], text, checkRequest{})
			} else {
				body, err = a.compareServed(cmd.Context(), text, checkRequest{})
			}
			if err != nil {
				return err
			}
			return answer(a, format, body, diffText)
		},
	}
	format.addTo(c)
	return c
}
