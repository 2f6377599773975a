package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/abtest/exposure/jsonl"
	"hotpath/abtest/readout"
	"hotpath/cmd/gateway/internal/reportview"
)

// reportFlags are those of `gateway experiments report`.
type reportFlags struct {
	page   string
	from   []string
	file   string
	watch  bool
	every  time.Duration
	format outputFormat
}

func newExperimentsReportCommand(a *app) *cobra.Command {
	f := reportFlags{every: 5 * time.Second}
	c := &cobra.Command{
		Use:   "report [NAME]",
		Short: "Show how the variants do",
		Long: "Show the readout of one experiment or of all: whether the units are split as the weights say, the errors,\n" +
			"latencies and predictions of each variant, its metrics against the control, and the guardrails. The intervals\n" +
			"and verdicts hold however often one looks. --html writes the same with plots as one file, which needs nothing\n" +
			"else and can be sent around.\n\n" +
			"With --from the report is made here, without a gateway, of the exposures that one has logged under\n" +
			"experiments.data_dir, and of the experiments file that --file names. The log has a unit's first exposure in each\n" +
			"window, so that requests, errors and latencies are those of first exposures.",
		Example: "  gateway experiments report\n" +
			"  gateway experiments report risk-gbm --html report.html\n" +
			"  gateway experiments report risk-gbm --watch\n" +
			"  gateway experiments report --from data/exposures --file experiments.yaml",
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			return a.report(cmd.Context(), name, &f)
		},
	}
	f.format.addTo(c)
	flags := c.Flags()
	flags.StringVar(&f.page, "html", "", "`file` for a page with plots")
	flags.StringArrayVar(&f.from, "from", nil, "`path` of a log of exposures, a file or a folder of them; may be repeated")
	flags.StringVar(&f.file, "file", "", "experiments `file` of the log (needed with --from)")
	flags.BoolVar(&f.watch, "watch", false, "show it again and again, until interrupted")
	flags.DurationVar(&f.every, "interval", f.every, "how often --watch looks")
	c.MarkFlagsRequiredTogether("from", "file")
	c.MarkFlagsMutuallyExclusive("from", "watch")
	return c
}

func (a *app) report(ctx context.Context, name string, f *reportFlags) error {
	if f.every < time.Second {
		return wrongf("--interval %s is less than a second", f.every)
	}
	source := a.offlineReport
	if len(f.from) == 0 {
		client, err := a.adminClient()
		if err != nil {
			return err
		}
		source = client.report
	}
	if err := a.reportOnce(ctx, name, f, source); err != nil || !f.watch {
		return err
	}
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.reportOnce(ctx, name, f, source); err != nil {
			return err
		}
	}
}

// reportOnce shows the reports of one look.
func (a *app) reportOnce(ctx context.Context, name string, f *reportFlags, source reportSource) error {
	reports, err := source(ctx, name, f)
	if err != nil {
		return err
	}
	if f.page != "" {
		page, err := reportview.HTML(reports, time.Now())
		if err == nil {
			err = os.WriteFile(f.page, page, 0o644)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "written to %s\n", f.page)
	}
	var out bytes.Buffer
	if f.watch && f.format != formatJSON && isTerminal(a.stdout) {
		out.WriteString("\x1b[H\x1b[2J") // from the top of an empty screen
	}
	if f.format != formatJSON {
		if err := reportview.Text(&out, reports); err != nil {
			return err
		}
		_, err := out.WriteTo(a.stdout)
		return err
	}
	var shown any = reports
	if name != "" {
		shown = reports[0]
	}
	body, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	return a.answerJSON(body)
}

// reportSource gives the report of an experiment, or of all where name is empty.
type reportSource func(ctx context.Context, name string, f *reportFlags) ([]*readout.Report, error)

// report asks the gateway.
func (c *adminClient) report(ctx context.Context, name string, _ *reportFlags) ([]*readout.Report, error) {
	if name == "" {
		body, err := c.get(ctx, experimentsPath+"/report", nil)
		if err != nil {
			return nil, err
		}
		var all []*readout.Report
		err = decodeAnswer(body, &all)
		return all, err
	}
	body, err := c.get(ctx, experimentsPath+"/"+url.PathEscape(name)+"/report", nil)
	if err != nil {
		return nil, err
	}
	one := &readout.Report{}
	err = decodeAnswer(body, one)
	return []*readout.Report{one}, err
}

// offlineReport reads logged exposures.
func (a *app) offlineReport(ctx context.Context, name string, f *reportFlags) ([]*readout.Report, error) {
	text, err := a.readExperiments(f.file)
	if err != nil {
		return nil, err
	}
	plan, err := text.compile()
	if err != nil {
		return nil, err
	}
	r, err := readout.New(readout.Options{})
	if err != nil {
		return nil, err
	}
	r.SetPlan(plan)
	read, err := jsonl.ReadFiles(ctx, f.from, 0, r)
	if err != nil {
		return nil, wrongError{err}
	}
	if read.Files == 0 {
		return nil, wrongf("no log of exposures is in %s: of a folder the files exposures-TIME.jsonl and .jsonl.gz are read, "+
			"where TIME is as the gateway writes it; give files of other names one by one", strings.Join(f.from, ", "))
	}
	fmt.Fprintf(a.stderr, "read %s of exposures and %s of feedback in %s\n", count(read.Exposures, "record"), count(read.Feedback, "record"), count(read.Files, "file"))
	if n := read.Malformed + read.Torn + read.Unknown; n > 0 {
		fmt.Fprintf(a.stderr, "left out %s that cannot be read: %d malformed, %d torn at the end of a file, %d of a later release\n", count(n, "record"), read.Malformed, read.Torn, read.Unknown)
	}
	if name == "" {
		return r.Reports(), nil
	}
	one, ok := r.Report(name)
	if !ok {
		return nil, errors.New("no experiment " + name + " is in " + f.file)
	}
	return []*readout.Report{one}, nil
}
