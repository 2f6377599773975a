package experiments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hotpath/abtest"
	"hotpath/models/durable"
	"hotpath/models/strictyaml"
)

// maxHolds bounds the holds, those of experiments that are gone from the file
// included.
const maxHolds = 10_000

// holdsFormat is the version of the file of holds.
const holdsFormat = 1

// Held is a hold with who set it, when and why.
type Held struct {
	abtest.Hold
	Who string    `json:"who"`
	Via Via       `json:"via"`
	At  time.Time `json:"at"`
	// Text is why: an operator's message, or what a guardrail saw.
	Text string `json:"text,omitempty"`
}

type holdsFile struct {
	Format int    `json:"format"`
	Holds  []Held `json:"holds"`
}

// holds are kept in a file, or without a directory in memory.
type holds struct {
	dir string

	mu   sync.Mutex
	all  []Held // never changed in place
	seen []byte // the file as it was read or written last
	// unsaved are those that were set, or let go (nil), and could not be written. They
	// are in force on top of the file until it can.
	unsaved map[abtest.Hold]*Held
}

func openHolds(dir string) *holds { return &holds{dir: dir} }

func (h *holds) path() string { return filepath.Join(h.dir, "holds.json") }

func (h *holds) list() []Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// read takes up what the file says.
func (h *holds) read() error {
	if h.dir == "" {
		return nil
	}
	data, err := strictyaml.ReadFile(h.path())
	if errors.Is(err, fs.ErrNotExist) {
		data, err = nil, nil
	}
	if err != nil {
		return err
	}
	file := holdsFile{Format: holdsFormat}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &file); err != nil {
			return fmt.Errorf("%s: %w", h.path(), err)
		}
	}
	if file.Format != holdsFormat {
		return fmt.Errorf("%s: format %d is unknown, want %d", h.path(), file.Format, holdsFormat)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all, h.seen = h.withUnsaved(file.Holds), data
	return nil
}

// withUnsaved puts what could not be written on top of what the file says.
func (h *holds) withUnsaved(all []Held) []Held {
	if len(h.unsaved) == 0 {
		return all
	}
	all = slices.DeleteFunc(slices.Clone(all), func(one Held) bool { _, changed := h.unsaved[one.Hold]; return changed })
	for _, one := range h.unsaved {
		if one != nil {
			all = append(all, *one)
		}
	}
	slices.SortStableFunc(all, func(a, b Held) int { return a.At.Compare(b.At) })
	return all
}

// keepUnsaved remembers what a change that could not be written did.
func (h *holds) keepUnsaved(before, after []Held) {
	if h.unsaved == nil {
		h.unsaved = map[abtest.Hold]*Held{}
	}
	has := func(all []Held, hold abtest.Hold) bool {
		return slices.ContainsFunc(all, func(h Held) bool { return h.Hold == hold })
	}
	for _, one := range before {
		if !has(after, one.Hold) {
			h.unsaved[one.Hold] = nil
		}
	}
	for _, one := range after {
		if !has(before, one.Hold) {
			h.unsaved[one.Hold] = &one
		}
	}
}

// changed looks whether another gateway has written the file, and takes it up. A
// file that cannot be read leaves the holds as they are.
func (h *holds) changed() bool {
	if h.dir == "" {
		return false
	}
	data, err := strictyaml.ReadFile(h.path())
	h.mu.Lock()
	same := err != nil || bytes.Equal(data, h.seen)
	h.mu.Unlock()
	return !same && h.read() == nil
}

// change writes other holds down. A change that cannot be written holds all the
// same, for as long as the process lives: the error says so.
func (h *holds) change(f func([]Held) []Held) error {
	if h.dir == "" {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = f(h.all)
		return nil
	}
	err := h.changeFile(f)
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		before := h.all
		h.all = f(before)
		h.keepUnsaved(before, h.all)
		return errorf(CodeStorage, "it is in force, but could not be written down and is lost with the process: %w", err)
	}
	return nil
}

func (h *holds) changeFile(f func([]Held) []Held) error {
	return lockedDir(h.dir, func() error { return h.rewrite(f) })
}

// rewrite changes the file while nobody else does.
func (h *holds) rewrite(f func([]Held) []Held) error {
	if err := h.read(); err != nil {
		return err
	}
	all := f(h.list())
	data, err := json.MarshalIndent(holdsFile{holdsFormat, all}, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if len(data) > strictyaml.MaxBytes {
		return fmt.Errorf("%s would have %d bytes, more than the %d that are read: resume the experiments that need no hold any more", h.path(), len(data), strictyaml.MaxBytes)
	}
	if err := durable.Replace(h.path(), temporary, data); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all, h.seen, h.unsaved = all, data, nil
	return nil
}
