package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
)

// previewFlags are those of `gateway experiments preview`.
type previewFlags struct {
	users, against string
	attributes     []string
	samples        int
	format         outputFormat
}

func newExperimentsPreviewCommand(a *app) *cobra.Command {
	f := previewFlags{samples: defaultSamples}
	c := &cobra.Command{
		Use:   "preview FILE",
		Short: "Show who would move, how many, from where to where",
		Long: "Show what FILE would do to requests: how many of them would be answered by another variant than now, from where\n" +
			"to where, and some of their users. What is compared is the gateway's sample of recent traffic, or the users of a\n" +
			"list, one id a line (- is standard input). Each of them is decided about for each model that experiments are\n" +
			"about; an id brings no attributes, so give by --attr those that conditions ask for.\n\n" +
			"With --against another file, FILE is compared with that one, without a gateway.",
		Example: "  gateway experiments preview experiments.yaml\n" +
			"  gateway experiments preview experiments.yaml --users ids.txt --attr country=de --samples 10\n" +
			"  gateway experiments preview after.yaml --against before.yaml --users ids.txt",
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.preview(cmd.Context(), args[0], &f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.users, "users", "", "`file` of user ids, one a line (default the recent traffic)")
	flags.StringVar(&f.against, "against", "", "`file` to compare with instead of what serves")
	flags.StringArrayVar(&f.attributes, "attr", nil, "context attribute of each user, as in `name=value`; may be repeated")
	flags.IntVar(&f.samples, "samples", f.samples, "`number` of users shown of each flow")
	f.format.addTo(c)
	return c
}

func (a *app) preview(ctx context.Context, file string, f *previewFlags) error {
	switch {
	case f.users != "":
	case f.against != "":
		return wrongf("--against compares two files without a gateway, so it needs the users: give --users, one id a line")
	case len(f.attributes) > 0:
		return wrongf("--attr is of the users of --users; the recent traffic has its own attributes")
	}
	text, err := a.readExperiments(file)
	if err != nil {
		return err
	}
	q := checkRequest{Samples: f.samples}
	if f.users != "" {
		if q.Users, err = a.readUsers(f.users); err != nil {
			return err
		}
		if q.Context, err = attributes(f.attributes); err != nil {
			return err
		}
	}
	var body []byte
	if f.against != "" {
		body, err = a.compareOffline(f.against, text, q)
	} else {
		body, err = a.compareServed(ctx, text, q)
	}
	if err != nil {
		return err
	}
	return answer(a, f.format, body, changedPreview)
}

// compareServed asks the gateway what a text would change.
func (a *app) compareServed(ctx context.Context, text experimentsText, q checkRequest) ([]byte, error) {
	client, err := a.adminClient()
	if err != nil {
		return nil, err
	}
	q.Text = string(text.data)
	body, err := client.check(ctx, q)
	return body, renamed(err, text.name)
}

// compareOffline finds here what the gateway would say, of two files.
func (a *app) compareOffline(oldName string, text experimentsText, q checkRequest) ([]byte, error) {
	old, err := a.readExperiments(oldName)
	if err != nil {
		return nil, err
	}
	before, err := old.compile()
	if err != nil {
		return nil, err
	}
	after, err := text.compile()
	if err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	c := change{
		ETag: experiments.ETag(text.data), Digest: after.Digest().String(), Diff: experiments.Diff(old.name, text.name, old.data, text.data),
		Findings: text.located(slices.Concat(after.Lint(now), abtest.LintChange(before, after, now))),
	}
	if q.Users != nil {
		c.Preview = previewOf(before, after, q, now)
	}
	return json.Marshal(c)
}

// previewOf decides about users under both plans, for each model that one is about.
func previewOf(before, after *abtest.Plan, q checkRequest, now int64) *preview {
	c := abtest.Compare(before, after, q.Samples)
	models := map[string]bool{}
	for _, e := range slices.Concat(before.Experiments(), after.Experiments()) {
		models[e.Model()] = true
	}
	for _, model := range sortedNames(models) {
		for _, user := range q.Users {
			c.Add(model, &abtest.Request{User: []byte(user), Attributes: knownAttributes(q.Context), Now: now})
		}
	}
	p := &preview{Requests: c.Requests(), Source: experiments.SourceIDs, Moved: c.Moved()}
	for _, f := range c.Flows() {
		p.Flows = append(p.Flows, flowOf(f))
	}
	return p
}
