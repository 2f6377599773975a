package promotion

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hotpath/models/durable"
)

// journalFormat is the version of a journal file.
const journalFormat = 1

// maxJournal bounds a journal file: what is longer was not written by us.
const maxJournal = 1 << 20

type journalFile struct {
	Format int    `json:"format"`
	Record record `json:"deployment"`
}

// journal keeps one file for each deployment in a directory.
type journal struct{ dir string }

const journalSuffix = ".json"

func (j journal) path(id string) string { return filepath.Join(j.dir, id+journalSuffix) }

// write replaces a deployment's file so that a crash leaves the old or the new one.
func (j journal) write(r *record) error {
	data, err := json.MarshalIndent(journalFile{journalFormat, *r}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return err
	}
	return durable.Replace(j.path(r.ID), ".journal-*.tmp", append(data, '\n'))
}

// remove forgets a deployment.
func (j journal) remove(id string) error { return os.Remove(j.path(id)) }

// read reads every deployment, the oldest first. A directory that is not there is
// an empty one. The error names files that cannot be used; the others are given.
func (j journal) read() ([]record, error) {
	entries, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []record
	var bad []error
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), journalSuffix)
		switch {
		case strings.HasPrefix(e.Name(), ".journal-"):
			os.Remove(filepath.Join(j.dir, e.Name())) // half a write
			continue
		case !ok || !e.Type().IsRegular():
			continue
		}
		r, err := j.readOne(id)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", j.path(id), err))
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b record) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, errors.Join(bad...)
}

func (j journal) readOne(id string) (record, error) {
	f, err := os.Open(j.path(id))
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJournal))
	if err != nil {
		return record{}, err
	}
	var file journalFile
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&file); err != nil {
		return record{}, err
	}
	r := file.Record
	switch {
	case file.Format != journalFormat:
		return record{}, fmt.Errorf("format %d is unknown, want %d", file.Format, journalFormat)
	case r.ID != id || !isID(id):
		return record{}, fmt.Errorf("is about deployment %q", r.ID)
	}
	return r, nil
}
