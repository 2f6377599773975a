// Package config is the gateway's one configuration: its sections, their
// defaults and limits, and where each value came from.
//
// A value comes from the last of these that gives one: the default, the file
// (strict YAML), the environment (HOTPATH_SERVER_LISTEN for server.listen), a
// flag. Load reports every mistake of all of them at once, each with its place,
// and gives no configuration when there is one.
//
// Everything about a key stands in the tags of its field: yaml (name), doc (one
// sentence, with the unit), min, max, enum and format. The file written by
// `gateway config init`, docs/configuration.md, the environment variables and
// the validation all follow from these. The package knows none of the packages
// that it configures; the composition root maps its sections to their options.
package config
