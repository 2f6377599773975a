package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
)

// change is what an edit does: what the gateway answers for one, made or only
// tried, or what is found here between two files.
type change struct {
	Revision int       `json:"revision,omitempty"`
	ETag     string    `json:"etag,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	Diff     string    `json:"diff"`
	Findings []finding `json:"findings"`
	// NotLoaded are versions that the edit loads first.
	NotLoaded []struct {
		Model   string `json:"model"`
		Version int    `json:"version"`
	} `json:"not_loaded,omitempty"`
	Preview *preview `json:"preview,omitempty"`
	// Warning says what went wrong after the edit was saved.
	Warning string `json:"warning,omitempty"`
}

// finding is an abtest.Finding as it is read, with its place in the file where
// that is known.
type finding struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Path     string `json:"path"`
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
}

// preview is who moves.
type preview struct {
	Requests int `json:"requests"`
	// Source is what was compared: traffic or ids.
	Source string `json:"source"`
	Moved  int    `json:"moved"`
	Flows  []flow `json:"flows"`
	// OmittedFlows is how many more there are.
	OmittedFlows int `json:"omitted_flows,omitempty"`
}

// flow is an abtest.Flow as it is read.
type flow struct {
	From     abtest.Place `json:"from"`
	To       abtest.Place `json:"to"`
	Requests int          `json:"requests"`
	Samples  []sample     `json:"samples"`
}

func flowOf(f abtest.Flow) flow {
	out := flow{From: f.From, To: f.To, Requests: f.Requests, Samples: []sample{}}
	for _, s := range f.Samples {
		out.Samples = append(out.Samples, sample{s.User, s.Before.String(), s.After.String()})
	}
	return out
}

type sample struct {
	User   string `json:"user"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// place says where a finding is, as editors like it.
func (f finding) place() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b.String() + f.Path
}

func (f finding) String() string {
	return fmt.Sprintf("%s: %s: %s (%s)", f.place(), f.Severity, f.Message, f.Code)
}

// changeText is all of a change.
func changeText(w io.Writer, c change) {
	diffText(w, c)
	if c.Preview != nil {
		previewText(w, *c.Preview)
	}
}

// diffText is the difference and what it means.
func diffText(w io.Writer, c change) {
	if c.Diff == "" {
		fmt.Fprintln(w, "no line differs")
	}
	fmt.Fprint(w, c.Diff)
	if c.Diff != "" && !strings.HasSuffix(c.Diff, "\n") {
		fmt.Fprintln(w)
	}
	for _, f := range c.Findings {
		fmt.Fprintln(w, f)
	}
	for _, v := range c.NotLoaded {
		fmt.Fprintf(w, "%s is loaded first\n", servedBy(v.Model, v.Version))
	}
}

// changedPreview is who moves by a change.
func changedPreview(w io.Writer, c change) {
	if c.Preview != nil {
		previewText(w, *c.Preview)
	}
}

// previewText is a matrix of counts: the flows that move, then how many stay.
func previewText(w io.Writer, p preview) {
	what := "recent requests"
	if p.Source == experiments.SourceIDs {
		what = "assignments of the given users"
	}
	if p.Requests == 0 {
		fmt.Fprintf(w, "there are no %s to look at, so it is not known who moves: `gateway experiments preview FILE --users LIST` looks at users of yours\n", what)
		return
	}
	fmt.Fprintf(w, "%d of %d %s move (%s)\n", p.Moved, p.Requests, what, share100(p.Moved, p.Requests))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COUNT\tSHARE\tFROM\tTO")
	for _, f := range p.Flows {
		to := "(stay)"
		if f.From != f.To {
			to = place(f.To) + f.examples()
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", f.Requests, share100(f.Requests, p.Requests), place(f.From), to)
	}
	t.Flush()
	if p.OmittedFlows > 0 {
		fmt.Fprintf(w, "and %d more\n", p.OmittedFlows)
	}
}

// place is an experiment's variant and what serves it, or the model alone.
func place(p abtest.Place) string {
	served := servedBy(p.Model, p.Version)
	if p.Label != "" {
		served = p.Model + " " + p.Label
	}
	if p.Experiment == "" {
		return "no experiment: " + served
	}
	return fmt.Sprintf("%s/%s: %s", p.Experiment, p.Variant, served)
}

// examples names users that move, with their reasons: once, where they are alike.
func (f flow) examples() string {
	var users []string
	for i, s := range f.Samples {
		user := oneLine(s.User)
		if last := i == len(f.Samples)-1; s.Before != s.After && (last || s.Before != f.Samples[i+1].Before || s.After != f.Samples[i+1].After) {
			user += " (" + s.Before + " -> " + s.After + ")"
		}
		users = append(users, user)
	}
	if len(users) == 0 {
		return ""
	}
	return "\tsuch as " + strings.Join(users, ", ")
}

// share100 is a part of a whole in percent.
func share100(n, of int) string {
	if of == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.3g%%", 100*float64(n)/float64(of))
}
