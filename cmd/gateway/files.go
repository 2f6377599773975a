package main

import (
	"errors"
	"fmt"
	"os"

	"hotpath/abtest"
	"hotpath/features"
	"hotpath/models/strictyaml"
)

// schemaFile is a features.yaml, read and compiled.
type schemaFile struct {
	config features.SchemaConfig
	schema *features.Schema
}

// readSchema reads a features.yaml; an empty name is a schema without features.
// Problems of the file are strictyaml.Problems.
func readSchema(file string) (schemaFile, error) {
	var s schemaFile
	if file != "" {
		doc, err := readYAML(file, &s.config)
		if err != nil {
			return s, err
		}
		if s.schema, err = features.CompileSchema(s.config); err != nil {
			var found features.Problems
			errors.As(err, &found)
			var problems strictyaml.Problems
			for _, p := range found {
				problems = append(problems, doc.At(p.Path, p.Message))
			}
			return s, problems.Err()
		}
		return s, nil
	}
	var err error
	s.schema, err = features.CompileSchema(s.config)
	return s, err
}

// experimentsFile is an experiments.yaml, read and compiled.
type experimentsFile struct {
	doc  *strictyaml.Document
	plan *abtest.Plan
}

// readExperiments reads an experiments.yaml; an empty name is a plan without
// experiments. Problems of the file are strictyaml.Problems.
func readExperiments(file string) (experimentsFile, error) {
	var e experimentsFile
	var cfg abtest.Config
	var err error
	if file != "" {
		if e.doc, err = readYAML(file, &cfg); err != nil {
			return e, err
		}
	}
	e.plan, err = abtest.Compile(cfg)
	return e, e.place(err)
}

// place gives the problems of a plan their lines; other errors stay as they are.
func (e experimentsFile) place(err error) error {
	var found abtest.Problems
	if e.doc == nil || !errors.As(err, &found) {
		return err
	}
	var problems strictyaml.Problems
	for _, p := range found {
		problems = append(problems, e.doc.At(p.Path, p.Message))
	}
	return problems.Err()
}

// readYAML decodes a file and keeps its structure, in which paths can be found.
func readYAML(file string, dst any) (*strictyaml.Document, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > strictyaml.MaxBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than the limit of %d", file, info.Size(), strictyaml.MaxBytes)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := strictyaml.Decode(file, data, dst); err != nil {
		return nil, err
	}
	return strictyaml.Parse(file, data)
}
