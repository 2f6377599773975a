// Package repository finds model versions in a directory, loads them beside
// those that serve, and swaps them in. It knows directories, files, versions
// and their lifecycle; what loading means is its Loader's business.
//
// # Directory
//
//	<repo>/<model>/config.yaml              optional
//	<repo>/<model>/<version>/model.onnx
//	<repo>/<model>/<version>/config.yaml    optional, says more about this version
//	<repo>/<model>/<version>/golden.json    optional
//	<repo>/<model>/<version>/manifest.json  optional: sizes and SHA-256 of files
//
// Versions are integers from 1 to 2147483647 without leading zeros. Names that
// start with a dot or end in ~, .tmp or .part are somebody's work in progress
// and ignored; other names that are no model or version are listed in
// Status.Ignored. Symbolic links are followed as long as they are relative and
// stay inside the repository (a mounted ConfigMap is made of such links); one
// that leaves it, and anything that is no regular file, is refused.
//
// # From files to serving
//
// A version is looked at once it is whole: its manifest matches, or its files'
// sizes and times have not changed for Options.Settle (as our clock saw it, or
// by their own times, so that a folder moved into place is taken at once). At
// start there is no such wait. Every file is read once into memory, hashed,
// scanned (package onnxscan), tried (Options.Trial), and given to the Loader;
// nothing is mapped or opened again, so overwriting, truncating or deleting a
// served file changes nothing until the new content has passed the same way.
// What fails is recorded with the reason and not tried again until its content
// changes or somebody asks by Load; what served before serves on.
//
// # Configuration
//
// A version's config is made of Options.Defaults, the model's config.yaml and the
// version's, in this order and key by key; a list or map replaces the one before.
// What all of it comes to is checked once, and a problem is shown at its place in
// the file that said it. What a version serves with is compared, not the text: a
// comment, the policy or a label loads nothing again.
//
// The version policy and the labels are about all versions and are read from the
// model's file alone, by the goroutine that reads the directory. They hold once
// the file has settled, all of them or none.
//
// # Which versions are loaded
//
// Those that the model's version policy names (the newest Options.KeepVersions
// without one), that Options.Pinned, a label, a pin or an operator names, and the
// current one; without a policy of its own also the previous one, for Rollback.
// The highest one loaded is current, of those that a policy names if it names any,
// and a higher one that appears is promoted by itself.
// Promote and Rollback pin a version: those that were known at that moment are
// not promoted by themselves any more, a yet higher one is. Unload keeps a
// version (or a whole model) out until Load or Promote. These decisions are
// kept in Options.StateFile, so that a restart serves the same versions.
//
// In ModeExplicit files cause nothing. Models named by Options.Load are loaded by
// their policy at start, and everything else when an operation asks for it.
//
// A label names a version of the set, never one that is not there. While the
// version that it shall name is loading or refused it stays with the one before.
//
// Removing a version's folder unloads it if another version whose files are
// there can serve; the last one serves on and is reported as missing on disk.
// So a volume that is not mounted for a while costs nothing. To take a model
// out of service for good, Unload it.
//
// # Ownership
//
// One goroutine owns all of it; at most Options.Parallel more load models and
// one reads the directory, so that a slow disk or model never delays Promote,
// Rollback or List. Every change is offered to Options.OnChange as a new
// immutable Set. If that gives an error, the change is undone: a version that
// was to be added is closed and refused, one that was to go stays. A Served is
// closed only after OnChange returned for a set without it. Requests may still
// be using it then, so its Close must only drop a reference and return at once;
// the last user frees it.
package repository
