package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hotpath/models/demo"
)

// demoDir is where the demo's files are laid out, below the working directory,
// so that a newcomer can edit them and watch what happens.
const demoDir = ".hotpath/demo"

// stampFile holds the digest of the demo files that were laid out.
const stampFile = ".stamp"

// layOutDemo writes the demo files that are built into the binary, unless they
// are there already: edits survive a restart. A binary with other demo files
// replaces them.
func layOutDemo(dir string) error {
	files := demo.Files()
	sum, err := digestOf(files)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(filepath.Join(dir, stampFile)); err == nil && string(old) == sum {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		return fmt.Errorf("laying out the demo in %s: %w", dir, err)
	}
	return os.WriteFile(filepath.Join(dir, stampFile), []byte(sum), 0o644)
}

func digestOf(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := files.Open(path)
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path)
		_, err = io.Copy(h, f)
		return errors.Join(err, f.Close())
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// demoSettings are the configuration of --demo: everything a newcomer need not
// decide. What is given by file, environment or flag wins.
func demoSettings(dir string) map[string]string {
	return map[string]string{
		"models.dir":                       filepath.Join(dir, "repository"),
		"models.default":                   "risk",
		"models.state_file":                filepath.Join(dir, "state.json"),
		"features.schema":                  filepath.Join(dir, "features.yaml"),
		"features.embedded":                "true",
		"experiments.file":                 filepath.Join(dir, "experiments.yaml"),
		"experiments.data_dir":             filepath.Join(dir, "data"),
		"experiments.allow_forced_variant": "true",
		"log.format":                       "text",
	}
}
