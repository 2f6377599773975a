package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
	"hotpath/router/identity"
)

func newValidateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE...]",
		Short: "Check the configuration and every file that it names",
		Long: "Check everything that `gateway serve` would read, without starting anything: the main file, the\n" +
			"environment and the flags; features.yaml; experiments.yaml; the keys file; in the model repository every config.yaml,\n" +
			"golden.json, manifest.json and the structure of every model.onnx; and that features and model versions\n" +
			"that are named elsewhere are there. Every problem is reported, one a line, as file:line:column: key: message.\n\n" +
			"FILEs are main files; without one it is that of --config. Exits with 2 when something is wrong.",
		Example: "  gateway validate --config gateway.yaml\n  gateway validate deploy/*.yaml",
		RunE: func(cmd *cobra.Command, files []string) error {
			overrides, err := a.overrides()
			if err != nil {
				return err
			}
			if len(files) == 0 {
				files = []string{a.file()}
			}
			var all strictyaml.Problems
			var summaries []string
			for _, file := range files {
				v := validator{a: a, overrides: overrides}
				v.main(cmd.Context(), file)
				all = append(all, v.problems...)
				summaries = append(summaries, v.summary(file))
			}
			if len(all) > 0 {
				return wrongError{all}
			}
			_, err = fmt.Fprintln(a.stdout, strings.Join(summaries, "\n"))
			return err
		},
	}
}

// validator checks one main file and what it names.
type validator struct {
	a         *app
	overrides []config.Override
	problems  strictyaml.Problems

	config     *config.Config
	schema     schemaFile
	plan       *abtest.Plan // nil when the file is wrong
	planText   []byte
	repository *repository.Status
}

// add keeps an error's problems, each once: two versions can share a config.yaml.
func (v *validator) add(file string, err error) {
	var problems strictyaml.Problems
	switch {
	case err == nil:
		return
	case !errors.As(err, &problems):
		problems = strictyaml.Problems{{File: file, Message: err.Error()}}
	}
	for _, p := range problems {
		if !slices.Contains(v.problems, p) {
			v.problems = append(v.problems, p)
		}
	}
}

func (v *validator) main(ctx context.Context, file string) {
	var sources config.Sources
	var err error
	v.config, sources, err = config.Check(file, v.a.environ, v.overrides...)
	v.add(file, err)
	if v.config == nil {
		return
	}
	v.schema, err = readSchema(v.config.Features.Schema)
	v.addRead(v.config.Features.Schema, err)
	v.models(ctx, err == nil)
	v.readExperiments()
	v.readKeys()
	if v.repository == nil {
		return
	}
	v.variants()
	v.add(file, sources.Problems(v.absentModels()))
}

// absentModels reports the models that the main file names and that are not there.
func (v *validator) absentModels() (ps []config.Problem) {
	absent := func(path, name string) {
		if _, ok := v.repository.Model(name); !ok {
			ps = append(ps, config.Problem{Path: path, Message: fmt.Sprintf("there is no model %q in %s", name, v.config.Models.Dir)})
		}
	}
	if name := v.config.Models.Default; name != "" {
		absent("models.default", name)
	}
	for _, name := range v.config.Models.Load {
		if name != repository.AllModels {
			absent("models.load", name)
		}
	}
	return ps
}

// readKeys checks the keys file. A certificate that a name belongs to comes with a
// connection, so that there is nothing else to compare it with.
func (v *validator) readKeys() {
	file := v.config.Auth.KeysFile
	if file == "" {
		return
	}
	data, err := strictyaml.ReadFile(file)
	if err == nil {
		_, err = identity.Parse(file, data)
	}
	v.addRead(file, err)
}

func (v *validator) readExperiments() {
	file := v.config.Experiments.File
	if file == "" {
		return
	}
	var err error
	if v.planText, err = strictyaml.ReadFile(file); err == nil {
		v.plan, err = experiments.Compile(file, v.planText)
	}
	v.addRead(file, err)
}

// addRead is add, but for a file that is not there: config.Check has said so.
func (v *validator) addRead(file string, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		v.add(file, err)
	}
}

// variants checks that every enabled experiment's versions are in the repository.
func (v *validator) variants() {
	if v.plan == nil {
		return
	}
	for i, e := range v.plan.Experiments() {
		for j, variant := range e.Variants() {
			version, key := variant.Version(), "version"
			if variant.Label() != "" {
				var known bool
				if version, known = v.labelled(variant); !known {
					continue
				}
				key = "label"
			}
			if message := v.missing(variant.Model(), version); e.Enabled() && message != "" {
				path := fmt.Sprintf("experiments[%d].variants[%d].%s", i, j, key)
				v.problems = append(v.problems, strictyaml.At(v.config.Experiments.File, v.planText, path, message))
			}
		}
	}
}

// labelled is the version that a variant's label names in the model's
// config.yaml. A label that is not there may be set while the gateway runs: that
// is worth a note, and the experiment waits for it.
func (v *validator) labelled(variant *abtest.Variant) (version int, known bool) {
	m, ok := v.repository.Model(variant.Model())
	if !ok {
		return 0, true // missing reports the model
	}
	for _, l := range m.Labels {
		if l.Label == variant.Label() {
			return l.Wanted, true
		}
	}
	fmt.Fprintf(v.a.stderr, "note: label %s of model %s, which %s names, is in no config.yaml: the experiments wait until it is set by `gateway models label`\n",
		variant.Label(), variant.Model(), v.config.Experiments.File)
	return 0, false
}

// missing says why a version cannot serve; empty when it can. Version 0 is
// whichever the model serves.
func (v *validator) missing(model string, version int) string {
	m, ok := v.repository.Model(model)
	if !ok {
		return fmt.Sprintf("there is no model %q in %s", model, v.repository.Dir)
	}
	ready := false
	for _, have := range m.Versions {
		ready = ready || have.State == repository.StateReady
	}
	one, ok := m.Version(version)
	switch {
	case version == 0 && !ready:
		return fmt.Sprintf("model %q has no version that can be loaded", model)
	case version == 0:
		return ""
	case !ok:
		return fmt.Sprintf("model %q has no version %d in %s (it has %s)", model, version, v.repository.Dir, versionList(m))
	case one.State != repository.StateReady:
		return fmt.Sprintf("version %d of model %q cannot be loaded", version, model)
	}
	return ""
}

func (v *validator) summary(file string) string {
	if file == "" {
		file = "defaults, environment and flags"
	}
	s := "ok: " + file
	if v.repository != nil {
		versions := 0
		for _, m := range v.repository.Models {
			versions += len(m.Versions)
		}
		s += fmt.Sprintf("; %s with %s", count(len(v.repository.Models), "model"), count(versions, "version"))
	}
	if v.plan != nil {
		s += "; " + count(len(v.plan.Experiments()), "experiment")
	}
	n := 0
	for _, e := range v.schema.config.Entities {
		n += len(e.Features)
	}
	if n > 0 {
		s += fmt.Sprintf("; %s of %s", count(n, "feature"), count(len(v.schema.config.Entities), "entity"))
	}
	return s
}
