package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

func newExperimentsLintCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "lint [FILE]",
		Short: "Look for mistakes and for what is hardly meant",
		Long: "Check an experiments file without a gateway: every mistake, and what is valid and still hardly meant, such as a\n" +
			"condition that no request can meet. One finding a line, as file:line:column: key: severity: message (code). A\n" +
			"severity is info, warning or error. FILE - is standard input. Without a FILE a running gateway is asked about\n" +
			"what serves.\n\n" +
			"Exits with 1 if there is an error, and with 0 if there are only warnings and notes. Whether the model versions\n" +
			"that the file names are there is checked by `gateway validate` and by `gateway experiments apply --dry-run`.",
		Example: "  gateway experiments lint experiments.yaml\n  gateway experiments lint",
		Args:    takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			findings, err := a.lint(cmd, args)
			if err != nil {
				return err
			}
			body, err := json.Marshal(findings)
			if err == nil {
				err = answer(a, format, body, findingLines)
			}
			if err != nil {
				return err
			}
			if n := errorsIn(findings); n > 0 {
				return errors.New(count(n, "error"))
			}
			return nil
		},
	}
	format.addTo(c)
	return c
}

func (a *app) lint(cmd *cobra.Command, args []string) ([]finding, error) {
	if len(args) == 1 {
		text, err := a.readExperiments(args[0])
		if err != nil {
			return nil, err
		}
		return text.lint(time.Now())
	}
	client, err := a.adminClient()
	if err != nil {
		return nil, err
	}
	body, err := client.get(cmd.Context(), experimentsPath+"/lint", nil)
	if err != nil {
		return nil, err
	}
	var answered struct {
		Findings []finding `json:"findings"`
	}
	err = decodeAnswer(body, &answered)
	return answered.Findings, err
}

// The severities, and the code of what does not compile.
const (
	severityError = "error"
	codeMistake   = "mistake"
)

// lint finds all that is to be said of a text. A text that does not compile has
// its mistakes alone.
func (t experimentsText) lint(now time.Time) ([]finding, error) {
	plan, err := t.compile()
	if err != nil {
		return mistakes(err)
	}
	return t.located(plan.Lint(now.Unix())), nil
}

// mistakes are the problems of a file as findings; what is none stays an error.
func mistakes(err error) ([]finding, error) {
	var problems strictyaml.Problems
	var one strictyaml.Problem
	if errors.As(err, &one) {
		problems = strictyaml.Problems{one}
	} else if !errors.As(err, &problems) {
		return nil, err
	}
	findings := make([]finding, len(problems))
	for i, p := range problems {
		findings[i] = finding{p.File, p.Line, p.Column, p.Path, severityError, codeMistake, p.Message}
	}
	return findings, nil
}

// located adds the lines of the text to findings.
func (t experimentsText) located(all []abtest.Finding) []finding {
	out := make([]finding, len(all))
	doc, err := strictyaml.Parse(t.name, t.data)
	for i, f := range all {
		out[i] = finding{Path: f.Path, Severity: f.Severity.String(), Code: f.Code, Message: f.Message}
		if err == nil {
			out[i].File = t.name
			out[i].Line, out[i].Column, _ = doc.Locate(f.Path)
		}
	}
	return out
}

func errorsIn(findings []finding) (n int) {
	for _, f := range findings {
		if f.Severity == severityError {
			n++
		}
	}
	return n
}

func findingLines(w io.Writer, findings []finding) {
	if len(findings) == 0 {
		fmt.Fprintln(w, "nothing to say")
	}
	for _, f := range findings {
		fmt.Fprintln(w, f)
	}
}
