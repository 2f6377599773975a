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

// keepAll loads every version in the repository.
const keepAll = 1 << 20

// closeTimeout bounds the end of the repository's goroutines.
const closeTimeout = 10 * time.Second

// models reads the repository exactly as serving does, with a loader that loads
// nothing, so that what passes here is refused there by ONNX Runtime alone.
func (v *validator) models(ctx context.Context, schemaOK bool) {
	c := v.config.Models
	o := repository.DefaultOptions(c.Dir)
	o.KeepVersions, o.Poll, o.MaxModels, o.LoadTimeout = keepAll, time.Hour, c.MaxModels, c.LoadTimeout
	o.Scan.MaxBytes, o.Defaults, o.Watch = int64(c.MaxFileBytes), modelDefaults(c), false
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
		for _, version := range m.Versions {
			v.version(m.Name, version)
		}
	}
}

// version reports why a version cannot be loaded.
func (v *validator) version(model string, s repository.VersionStatus) {
	dir := filepath.Join(v.config.Models.Dir, model, strconv.Itoa(s.Version))
	switch s.State {
	case repository.StateReady:
	case repository.StateRefused:
		var problems strictyaml.Problems
		for line := range strings.Lines(s.Reason) {
			p := strictyaml.Problem{Message: strings.TrimSuffix(line, "\n")}
			// A problem of a config.yaml names its file and line already.
			if !strings.HasPrefix(p.Message, v.config.Models.Dir) {
				p.File = dir
			}
			problems = append(problems, p)
		}
		v.add(dir, problems)
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
