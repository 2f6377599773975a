// Package strictyaml reads the YAML files that people write for Hotpath and
// says everything that is wrong with them at once, each with its line.
//
// Reading is stricter than YAML: one document of at most MaxBytes and MaxDepth
// levels; no unknown and no duplicate keys; no value of another type than the
// one asked for (a number is not a string, a string is not a number, 08 is not
// anything); no infinities; no tags and no merge keys; aliases only as far as
// they do not multiply. Durations are written as "250ms", sizes as "256KiB".
//
// A destination keeps what a file does not mention, so defaults are put into it
// before decoding. A list or map that is mentioned replaces the one before it.
//
// Only the syntax is goccy/go-yaml's: its decoder stops at the first mistake,
// and one mistake per attempt is a poor way to mend a file. Errors of meaning
// are found by the owner of the type, who knows paths but no lines; At and
// Document.Locate turn a path into its place in the file.
//
// A Reader also edits files: by a JSON merge patch, or so that they say what a JSON
// document says. It changes the text and not a tree of it, so that comments, order
// and style stay, and reads the result again to be sure of it.
package strictyaml
