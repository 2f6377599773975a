package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// outputFormat is the flag -o.
type outputFormat string

const (
	formatTable outputFormat = "table"
	formatJSON  outputFormat = "json"
)

// String, Set and Type implement pflag.Value, so that another format is an error
// of the command line.
func (f *outputFormat) String() string { return string(*f) }

func (f *outputFormat) Set(s string) error {
	if s != string(formatTable) && s != string(formatJSON) {
		return fmt.Errorf("want json or table")
	}
	*f = outputFormat(s)
	return nil
}

func (f *outputFormat) Type() string { return "json|table" }

func (f *outputFormat) addTo(c *cobra.Command) {
	*f = formatTable
	c.Flags().VarP(f, "output", "o", "form of the answer: json or table")
}

// answer prints the body of an answer: as it is, or decoded and given to table.
func answer[T any](a *app, f outputFormat, body []byte, table func(w io.Writer, v T)) error {
	if f == formatJSON {
		return a.answerJSON(body)
	}
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("the answer is not one of this gateway's version: %w", err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	table(w, v)
	return w.Flush()
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// oneLine makes a text fit into a row of a table.
func oneLine(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "), "\t", " ")
}
