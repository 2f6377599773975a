package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/admin"
)

// maxAssignUsers bounds a list of users, each of whom is a call.
const maxAssignUsers = 1000

// assignFlags are those of `gateway experiments assign`.
type assignFlags struct {
	user, users, model, experiment string
	attributes                     []string
	format                         outputFormat
}

// shownAssignment is what a user gets, with what is handed out with the variant.
type shownAssignment struct {
	admin.Assignment
	Payload json.RawMessage `json:"payload,omitempty"`
}

func newExperimentsAssignCommand(a *app) *cobra.Command {
	var f assignFlags
	c := &cobra.Command{
		Use:   "assign",
		Short: "Show which variant a user gets, and why",
		Long: "Show which variant a request of a user would get, with its payload, and what each experiment about the model says\n" +
			"of the user. With --users a line for each user of a list. With --experiment the model is that experiment's, and\n" +
			"only what it says by itself is shown.\n\n" +
			"An attribute is part of the request's context; a value that reads as a number or as true or false is one,\n" +
			"unless it is in double quotes.",
		Example: "  gateway experiments assign --user user-1\n" +
			"  gateway experiments assign --model risk --user user-1 --attr country=de --attr age=18\n" +
			"  gateway experiments assign --experiment risk-gbm --users ids.txt",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.assign(cmd.Context(), &f) },
	}
	f.format.addTo(c)
	flags := c.Flags()
	flags.StringVar(&f.user, "user", "", "user `id`")
	flags.StringVar(&f.users, "users", "", "`file` of user ids, one a line; - is standard input")
	flags.StringVar(&f.model, "model", "", "`model` asked for (default models.default)")
	flags.StringVar(&f.experiment, "experiment", "", "`name` of the one experiment to ask")
	flags.StringArrayVar(&f.attributes, "attr", nil, "context attribute, as in `name=value`; may be repeated")
	c.MarkFlagsOneRequired("user", "users")
	c.MarkFlagsMutuallyExclusive("user", "users")
	c.MarkFlagsMutuallyExclusive("model", "experiment")
	return c
}

func (a *app) assign(ctx context.Context, f *assignFlags) error {
	q := url.Values{}
	known, err := attributes(f.attributes)
	if err != nil {
		return err
	}
	for name, value := range known {
		q.Set("attr."+name, string(value))
	}
	users := []string{f.user}
	if f.users != "" {
		if users, err = a.readUsers(f.users); err != nil {
			return err
		}
		if len(users) > maxAssignUsers {
			return wrongf("%s names %d users, at most %d are asked about; `gateway experiments preview --users` takes more", f.users, len(users), maxAssignUsers)
		}
	}
	client, err := a.adminClient()
	if err != nil {
		return err
	}
	all, err := client.assignments(ctx, f, q, users)
	if err != nil {
		return err
	}
	if f.users == "" {
		body, err := json.Marshal(all[0])
		if err != nil {
			return err
		}
		return answer(a, f.format, body, assignmentTable)
	}
	body, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return answer(a, f.format, body, assignmentsTable)
}

// assignments asks about each user.
func (c *adminClient) assignments(ctx context.Context, f *assignFlags, q url.Values, users []string) ([]shownAssignment, error) {
	body, err := c.get(ctx, experimentsPath, nil)
	if err != nil {
		return nil, err
	}
	var serves admin.ExperimentList
	if err := decodeAnswer(body, &serves); err != nil {
		return nil, err
	}
	model := f.model
	if f.experiment != "" {
		i := slices.IndexFunc(serves.List, func(e admin.Experiment) bool { return e.Name == f.experiment })
		if i < 0 {
			return nil, fmt.Errorf("no experiment %q serves; see `gateway experiments list`", f.experiment)
		}
		model = serves.List[i].Model
	}
	if model != "" {
		q.Set("model", model)
	}
	var all []shownAssignment
	for _, user := range users {
		q.Set("user_id", user)
		body, err := c.get(ctx, experimentsPath+"/assign", q)
		if err != nil {
			return nil, err
		}
		var one shownAssignment
		if err := decodeAnswer(body, &one); err != nil {
			return nil, err
		}
		one.narrow(f.experiment)
		one.Payload = payloadOf(serves.List, one.Experiment, one.Variant)
		all = append(all, one)
	}
	return all, nil
}

// narrow leaves what one experiment says by itself; an empty name leaves all.
func (s *shownAssignment) narrow(experiment string) {
	if experiment == "" {
		return
	}
	i := slices.IndexFunc(s.Considered, func(c admin.Considered) bool { return c.Experiment == experiment })
	if i < 0 {
		return
	}
	says := s.Considered[i]
	if s.Experiment != experiment {
		// Another one decides about the request: what serves is not this one's.
		s.Shadows, s.ServedModel, s.ServedVersion = nil, "", 0
	}
	s.Experiment, s.Variant, s.Reason, s.Considered = experiment, says.Variant, says.Reason, []admin.Considered{says}
}

func payloadOf(all []admin.Experiment, experiment, variant string) json.RawMessage {
	for _, e := range all {
		for _, v := range e.Variants {
			if e.Name == experiment && v.Name == variant {
				return v.Payload
			}
		}
	}
	return nil
}

func assignmentTable(w io.Writer, s shownAssignment) {
	fmt.Fprintf(w, "user\t%s\nmodel\t%s\n", s.UserID, s.Model)
	if s.Variant != "" {
		fmt.Fprintf(w, "experiment\t%s\nvariant\t%s\n", s.Experiment, s.Variant)
	}
	fmt.Fprintf(w, "reason\t%s\n", s.Reason)
	if s.ServedModel != "" {
		fmt.Fprintf(w, "served by\t%s\n", servedBy(s.ServedModel, s.ServedVersion))
	}
	if len(s.Payload) > 0 {
		fmt.Fprintf(w, "payload\t%s\n", s.Payload)
	}
	if len(s.Shadows) > 0 {
		fmt.Fprintf(w, "shadows\t%s\n", strings.Join(s.Shadows, ", "))
	}
	for _, c := range s.Considered {
		fmt.Fprintf(w, "considered\t%s: %s", c.Experiment, c.Reason)
		if c.Variant != "" {
			fmt.Fprintf(w, " -> %s", c.Variant)
		}
		fmt.Fprintf(w, ", bucket %d\n", c.Bucket)
	}
}

func assignmentsTable(w io.Writer, all []shownAssignment) {
	fmt.Fprintln(w, "USER\tEXPERIMENT\tVARIANT\tREASON\tPAYLOAD")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.UserID, s.Experiment, s.Variant, s.Reason, s.Payload)
	}
}
