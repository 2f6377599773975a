// Package repository finds model versions in a directory, loads them beside
// those that serve, and swaps them in. It knows directories, files, versions
// and their lifecycle; what loading means is its Loader's business.
//
// # Directory
//
//	<repo>/<model>/config.yaml              optional
//	<repo>/<model>/<version>/model.onnx
//	<repo>/<model>/<version>/config.yaml    optional, replaces the model's
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
// The newest Options.KeepVersions versions of a model are loaded, with those
// that Options.Pinned names, the current and the previous one. The highest one
// loaded is current, and a higher one that appears is promoted by itself.
// Promote and Rollback pin a version: those that were known at that moment are
// not promoted by themselves any more, a yet higher one is. Unload keeps a
// version (or a whole model) out until Load or Promote. These decisions are
// kept in Options.StateFile, so that a restart serves the same versions.
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
