package config

import (
	"hotpath/abtest"
	"hotpath/features"
	"hotpath/models"
	"hotpath/router/identity"
)

// chapter is one further file that people write, described beside the main one.
type chapter struct {
	title string
	intro string
	value any // a struct with yaml and doc tags and its defaults filled in
}

// chapters lists the further files. This is the place to add one: its type's
// tags are the reference, and `go test -update` here writes it.
func chapters() []chapter {
	return []chapter{
		{
			title: "Experiments file",
			intro: "Named by `experiments.file`; read again when it changes and on SIGHUP, all or nothing.",
			value: abtest.Config{},
		},
		{
			title: "Keys file",
			intro: "Named by `auth.keys_file`; read again when it changes, all or nothing. `gateway keys` edits it.",
			value: identity.File{},
		},
		{
			title: "Features file",
			intro: "Named by `features.schema`: the features that the store holds, by entity, and the defaults of those that come with requests.",
			value: features.SchemaConfig{},
		},
		{
			title: "Model file",
			intro: "`<repository>/<model>/config.yaml`, and in one beside a version's `model.onnx` what is different for that version.\n" +
				"`version_policy` and `labels` belong into the model's. Optional, as is every key: what the ONNX graph says is not asked\n" +
				"for. Where the main file has a `models.default_…` key for a value, that is its default.",
			value: models.DefaultConfig(),
		},
	}
}
