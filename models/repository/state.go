package repository

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"hotpath/models"
	"hotpath/models/durable"
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
	// Held are versions that are loaded and never elected; see Hold.
	Held []int `json:"held,omitempty"`
	// On is a model that was loaded whole although the mode is explicit.
	On bool `json:"on,omitempty"`
	// Labels are those set at run time. The map is replaced, not changed: copies
	// share it.
	Labels map[string]int `json:"labels,omitempty"`
}

func (d *decisions) empty() bool {
	return d.Pin == 0 && d.UpTo == 0 && !d.Off && len(d.Unloaded) == 0 && len(d.Loaded) == 0 && len(d.Held) == 0 &&
		!d.On && len(d.Labels) == 0
}

// unloaded notes that a version was unloaded by name, or is wanted again.
func (d *decisions) unloaded(n int, yes bool) {
	if yes {
		d.Unloaded, d.Loaded = add(d.Unloaded, n), remove(d.Loaded, n)
		return
	}
	d.Off, d.Unloaded = false, remove(d.Unloaded, n)
}

// free says that a version is not held: it may be elected.
func (d *decisions) free(n int) bool { return !slices.Contains(d.Held, n) }

func (d *decisions) clone() *decisions {
	c := *d
	return &c
}

func (d *decisions) equal(c *decisions) bool {
	return d.Pin == c.Pin && d.UpTo == c.UpTo && d.Off == c.Off &&
		slices.Equal(d.Unloaded, c.Unloaded) && slices.Equal(d.Loaded, c.Loaded) &&
		slices.Equal(d.Held, c.Held) && d.On == c.On && maps.Equal(d.Labels, c.Labels)
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

// change edits a model's decisions and saves them if they are others now.
func (o *owner) change(name string, edit func(*decisions)) {
	d := o.decisions(name)
	before := d.clone()
	o.saved[name] = d
	edit(d)
	if d.empty() {
		delete(o.saved, name)
	}
	if !before.equal(d) {
		o.save()
	}
}

// save writes the decisions; that it cannot is said once.
func (o *owner) save() {
	if o.o.StateFile == "" {
		return
	}
	err := writeState(o.o.StateFile, o.saved)
	if err != nil && !o.unsaved {
		o.log.Warn("decisions about models (pins, unloads, labels) cannot be saved; they last until the next start", "error", err)
	}
	o.unsaved = err != nil
}

// stateFormat is the version of the state file.
const stateFormat = 1

// maxStateFile is more than all labels of the most models take.
const maxStateFile = 128 << 20

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
	data, err := io.ReadAll(io.LimitReader(f, maxStateFile+1))
	if err != nil {
		return empty, err
	}
	if len(data) > maxStateFile {
		return empty, fmt.Errorf("%s has more than %d bytes", name, maxStateFile)
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
			maps.DeleteFunc(d.Labels, func(label string, n int) bool {
				return models.CheckLabel(label) != nil || n < 1 || n > MaxVersion
			})
			empty[model] = d
		}
	}
	return empty, nil
}

// writeState replaces the state file so that a crash leaves the old or the new one.
func writeState(name string, saved map[string]*decisions) error {
	data, err := json.MarshalIndent(stateFile{stateFormat, saved}, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(name, ".state-*.tmp", append(data, '\n'))
}
