package repository

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// decisions are what operators decided about one model; all of it is kept over
// a restart. The zero value is a model that nobody touched.
type decisions struct {
	// Pin is the version to serve, 0 for the highest; versions up to UpTo are
	// not promoted by themselves while there is a pin.
	Pin  int `json:"pin,omitempty"`
	UpTo int `json:"up_to,omitempty"`
	// Off is a model that was unloaded whole.
	Off bool `json:"off,omitempty"`
	// Unloaded and Loaded are versions that were unloaded or loaded by name.
	Unloaded []int `json:"unloaded,omitempty"`
	Loaded   []int `json:"loaded,omitempty"`
}

func (d *decisions) empty() bool {
	return d.Pin == 0 && d.UpTo == 0 && !d.Off && len(d.Unloaded) == 0 && len(d.Loaded) == 0
}

// unloaded notes that a version was unloaded by name, or is wanted again.
func (d *decisions) unloaded(n int, yes bool) {
	if yes {
		d.Unloaded, d.Loaded = add(d.Unloaded, n), remove(d.Loaded, n)
		return
	}
	d.Off, d.Unloaded = false, remove(d.Unloaded, n)
}

func (d *decisions) clone() *decisions {
	c := *d
	return &c
}

func (d *decisions) equal(c *decisions) bool {
	return d.Pin == c.Pin && d.UpTo == c.UpTo && d.Off == c.Off &&
		slices.Equal(d.Unloaded, c.Unloaded) && slices.Equal(d.Loaded, c.Loaded)
}

func add(s []int, n int) []int {
	if slices.Contains(s, n) {
		return s
	}
	s = append(slices.Clone(s), n)
	slices.Sort(s)
	return s
}

func remove(s []int, n int) []int {
	return slices.DeleteFunc(slices.Clone(s), func(m int) bool { return m == n })
}

// stateFormat is the version of the state file.
const stateFormat = 1

type stateFile struct {
	Format int                   `json:"format"`
	Models map[string]*decisions `json:"models"`
}

// readState reads the state file; one that is not there is empty.
func readState(name string) (map[string]*decisions, error) {
	empty := map[string]*decisions{}
	if name == "" {
		return empty, nil
	}
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmallFile))
	if err != nil {
		return empty, err
	}
	var s stateFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return empty, fmt.Errorf("%s: %w", name, err)
	}
	if s.Format != stateFormat {
		return empty, fmt.Errorf("%s: format %d is unknown, want %d", name, s.Format, stateFormat)
	}
	for model, d := range s.Models {
		if d != nil && CheckModelName(model) == nil {
			empty[model] = d
		}
	}
	return empty, nil
}

// writeState replaces the state file so that a crash leaves the old or the new one.
func writeState(name string, models map[string]*decisions) error {
	data, err := json.MarshalIndent(stateFile{stateFormat, models}, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".state-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
