package main

import (
	"errors"
	"fmt"

	"hotpath/features"
	"hotpath/models/strictyaml"
)

// schemaFile is a features.yaml, as written and compiled.
type schemaFile struct {
	config features.SchemaConfig
	schema *features.Schema
}

// readSchema reads a features.yaml; an empty name is a schema without features,
// so that every feature comes from the requests. Problems of the file are
// strictyaml.Problems.
func readSchema(file string) (s schemaFile, err error) {
	var data []byte
	if file != "" {
		if data, err = strictyaml.ReadFile(file); err != nil {
			return s, fmt.Errorf("features.schema: %w", err)
		}
		if err := strictyaml.Decode(file, data, &s.config); err != nil {
			return s, err
		}
	}
	s.schema, err = features.CompileSchema(s.config)
	var found features.Problems
	if !errors.As(err, &found) {
		return s, err
	}
	doc, err := strictyaml.Parse(file, data)
	if err != nil {
		return s, err
	}
	var problems strictyaml.Problems
	for _, p := range found {
		problems = append(problems, doc.At(p.Path, p.Message))
	}
	return s, problems.Err()
}
