package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hotpath/features"
	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
)

// closeTimeout bounds the end of the repository's goroutines.
const closeTimeout = 10 * time.Second

// models reads the repository exactly as serving does, with a loader that loads
// nothing, so that what passes here is refused there by ONNX Runtime alone.
func (v *validator) models(ctx context.Context, schemaOK bool) {
	c := v.config.Models
	o := repository.DefaultOptions(c.Dir)
	o.All, o.Poll, o.MaxModels, o.LoadTimeout = true, time.Hour, c.MaxModels, c.LoadTimeout
	o.Scan.MaxBytes, o.Defaults, o.Mode = int64(c.MaxFileBytes), modelDefaults(c), repository.ModePoll
	var check bindingCheck
	if schemaOK {
		check.schema = &v.schema.config
	}
	r, err := repository.Open(o, check)
	if err != nil {
		v.addRead(c.Dir, err)
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		v.add(c.Dir, r.Close(ctx))
	}()
	select {
	case <-r.Started():
	case <-ctx.Done():
		v.add(c.Dir, ctx.Err())
		return
	}
	v.repository = r.List()
	if v.repository.ScanError != "" {
		v.problems = append(v.problems, strictyaml.Problem{File: c.Dir, Message: v.repository.ScanError})
	}
	for _, i := range v.repository.Ignored {
		fmt.Fprintf(v.a.stderr, "note: %s is ignored: %s\n", filepath.Join(c.Dir, i.Path), i.Reason)
	}
	for _, m := range v.repository.Models {
		v.reasons(filepath.Join(c.Dir, m.Name), m.ConfigError)
		v.named(m)
		for _, version := range m.Versions {
			v.version(m.Name, version)
		}
	}
}

// named checks that the versions that a model's config.yaml names are there.
func (v *validator) named(m repository.ModelStatus) {
	file := filepath.Join(v.config.Models.Dir, m.Name, "config.yaml")
	data, err := strictyaml.ReadFile(file)
	if err != nil {
		return // there is none, or its versions say why it cannot be read
	}
	missing := func(path string, n int) {
		if _, ok := m.Version(n); !ok {
			v.problems = append(v.problems, strictyaml.At(file, data, path,
				fmt.Sprintf("there is no version %d in %s (it has %s)", n, filepath.Dir(file), versionList(m))))
		}
	}
	for i, n := range m.VersionPolicy.Specific {
		missing(fmt.Sprintf("version_policy.specific[%d]", i), n)
	}
	for _, l := range m.Labels {
		missing(models.LabelPath(l.Label), l.Wanted)
	}
}

func versionList(m repository.ModelStatus) string {
	if len(m.Versions) == 0 {
		return "none"
	}
	var found []string
	for _, have := range m.Versions {
		found = append(found, strconv.Itoa(have.Version))
	}
	return strings.Join(found, ", ")
}

// reasons reports each line of a refusal. One about a config.yaml names its file
// and line already; the others are about the folder.
func (v *validator) reasons(dir, text string) {
	var problems strictyaml.Problems
	for line := range strings.Lines(text) {
		p := strictyaml.Problem{Message: strings.TrimSuffix(line, "\n")}
		if !strings.HasPrefix(p.Message, v.config.Models.Dir) {
			p.File = dir
		}
		problems = append(problems, p)
	}
	v.add(dir, problems.Err())
}

// version reports why a version cannot be loaded.
func (v *validator) version(model string, s repository.VersionStatus) {
	dir := filepath.Join(v.config.Models.Dir, model, strconv.Itoa(s.Version))
	switch s.State {
	case repository.StateReady:
	case repository.StateRefused:
		v.reasons(dir, s.Reason)
	default:
		v.add(dir, errors.New("holds no model.onnx"))
	}
}

// bindingCheck accepts every model whose config.yaml names features that the
// schema has. It stands where serving loads the model.
type bindingCheck struct{ schema *features.SchemaConfig }

type nothing struct{}

func (nothing) Close() {}

// Load implements repository.Loader. An entity that is not there is reported
// once, however many of its features are named.
func (b bindingCheck) Load(_ context.Context, c repository.Candidate) (repository.Served, error) {
	var problems []models.Problem
	reported := map[string]bool{}
	for i, in := range c.Config.Inputs {
		for j, name := range in.Features {
			about, message := b.missing(name)
			if message != "" && !reported[about] {
				problems = append(problems, models.Problem{Path: fmt.Sprintf("inputs[%d].features[%d]", i, j), Message: message})
				reported[about] = true
			}
		}
	}
	if err := c.Problems(problems); err != nil {
		return nil, err
	}
	return nothing{}, nil
}

// missing says why a feature is not to be had, and what is not there: an entity
// or a feature. message is empty when the feature is there.
func (b bindingCheck) missing(name string) (about, message string) {
	entity, feature, stored := strings.Cut(name, ".")
	if b.schema == nil || !stored {
		return "", "" // the schema is wrong, or the feature comes with the request
	}
	if _, ok := b.schema.Request[name]; ok {
		return "", ""
	}
	if len(b.schema.Entities) == 0 {
		return "", fmt.Sprintf("%s is read from the store, but no features are declared (features.schema)", name)
	}
	e, ok := b.schema.Entities[entity]
	if !ok {
		return entity, fmt.Sprintf("%s: the feature schema has no entity %q%s", name, entity, meant(entity, sortedNames(b.schema.Entities)))
	}
	if _, ok := e.Features[feature]; !ok {
		return name, fmt.Sprintf("%s: entity %s has no feature %q%s", name, entity, feature, meant(feature, sortedNames(e.Features)))
	}
	return "", ""
}

func meant(name string, known []string) string {
	if near := strictyaml.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
