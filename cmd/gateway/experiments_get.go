package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

// fileFormat is the flag -o of a command that gives the experiments file.
type fileFormat string

// String, Set and Type implement pflag.Value.
func (f *fileFormat) String() string { return string(*f) }

func (f *fileFormat) Set(s string) error {
	if s != "yaml" && s != "json" {
		return fmt.Errorf("want yaml or json")
	}
	*f = fileFormat(s)
	return nil
}

func (f *fileFormat) Type() string { return "yaml|json" }

func newExperimentsGetCommand(a *app) *cobra.Command {
	format := fileFormat("yaml")
	c := &cobra.Command{
		Use:   "get",
		Short: "Print the experiments file of a gateway",
		Long: "Print the experiments file as a gateway has it, comments and all, and its ETag on standard error. Give that to\n" +
			"`gateway experiments apply --if-match`, so that nobody's edit in between is lost. If the file does not serve,\n" +
			"`gateway experiments list` says why.",
		Example: "  gateway experiments get > experiments.yaml\n  gateway experiments get -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			text, etag, err := client.experimentsFile(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "ETag: %s\n", etag)
			if format == "json" {
				return a.fileAsJSON(text)
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
	c.Flags().VarP(&format, "output", "o", "form of the file: yaml or json")
	return c
}

// fileAsJSON gives an experiments file as JSON, without its comments.
func (a *app) fileAsJSON(text []byte) error {
	var c abtest.Config
	if err := strictyaml.Decode("experiments.yaml", text, &c); err != nil {
		return err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return a.answerJSON(body)
}
