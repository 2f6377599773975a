package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotpath/models/durable"
	"hotpath/models/strictyaml"
)

// revisionFormat is the version of a revision's file.
const revisionFormat = 1

type revisionFile struct {
	Format   int      `json:"format"`
	Revision Revision `json:"revision"`
}

const (
	pendingFile = "pending.json"
	textsDir    = "texts"
	textSuffix  = ".yaml"
	metaSuffix  = ".json"
	temporary   = ".writing-*.tmp"
	lockName    = ".lock"
)

// patience is how long one gateway waits for another to write into a directory
// that they share.
const patience = 10 * time.Second

func metaName(number int) string { return fmt.Sprintf("%08d%s", number, metaSuffix) }

// exclusively runs f with the directory locked and read anew, if there is one.
func (h *history) exclusively(f func() error) error {
	if h.dir == "" {
		return f()
	}
	return lockedDir(h.dir, func() error {
		if err := os.MkdirAll(filepath.Join(h.dir, textsDir), 0o755); err != nil {
			return err
		}
		if err := h.refresh(); err != nil {
			return err
		}
		return f()
	})
}

// lookLocked takes up what other gateways have written, for those who only read. A
// directory that cannot be read leaves what is known.
func (h *history) lookLocked() {
	if h.dir != "" {
		_ = h.refresh()
	}
}

// refresh takes up what other gateways have written since.
func (h *history) refresh() error {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	known := map[int]Revision{}
	for _, r := range h.revisions {
		known[r.Number] = r
	}
	revisions := make([]Revision, 0, len(h.revisions)+1)
	for _, e := range entries {
		name, isMeta := strings.CutSuffix(e.Name(), metaSuffix)
		number, err := strconv.Atoi(name)
		if !isMeta || err != nil || metaName(number) != e.Name() {
			continue
		}
		r, ok := known[number]
		if !ok {
			r, err = h.readMeta(e.Name())
			if errors.Is(err, fs.ErrNotExist) {
				continue // another gateway tidies up
			}
			if err != nil || r.Number != number {
				h.warnOnce(e.Name(), err)
				continue
			}
		}
		revisions = append(revisions, r)
	}
	slices.SortFunc(revisions, func(a, b Revision) int { return a.Number - b.Number })
	h.revisions = revisions
	return nil
}

// warnOnce says that a revision cannot be read: the history is looked at again and
// again.
func (h *history) warnOnce(name string, err error) {
	if !h.warned[name] {
		h.warned[name] = true
		h.warn("a revision of the experiments cannot be read, and is left out", "file", filepath.Join(h.dir, name), "error", err)
	}
}

func (h *history) readMeta(name string) (Revision, error) {
	data, err := strictyaml.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		return Revision{}, err
	}
	var file revisionFile
	if err := json.Unmarshal(data, &file); err != nil {
		return Revision{}, err
	}
	if file.Format != revisionFormat {
		return Revision{}, fmt.Errorf("format %d is unknown, want %d", file.Format, revisionFormat)
	}
	return file.Revision, nil
}

func (h *history) writeMeta(name string, r Revision) error {
	data, err := json.MarshalIndent(revisionFile{revisionFormat, r}, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(h.dir, name), temporary, append(data, '\n'))
}

func (h *history) textPath(etag string) string {
	return filepath.Join(h.dir, textsDir, etag+textSuffix)
}

// writeText keeps a content once, however many revisions have it.
func (h *history) writeText(etag string, text []byte) error {
	if have, err := strictyaml.ReadFile(h.textPath(etag)); err == nil && ETag(have) == etag {
		return nil
	}
	return durable.Replace(h.textPath(etag), temporary, text)
}

func (h *history) textLocked(etag string) ([]byte, error) {
	if h.dir == "" {
		if text, ok := h.texts[etag]; ok {
			return text, nil
		}
		return nil, fmt.Errorf("it is gone: %w", fs.ErrNotExist)
	}
	text, err := strictyaml.ReadFile(h.textPath(etag))
	if err == nil && ETag(text) != etag {
		err = errors.New(h.textPath(etag) + " was changed since it was written")
	}
	return text, err
}

func (h *history) dropPending() {
	if h.dir != "" {
		os.Remove(filepath.Join(h.dir, pendingFile))
	}
}

// removeFiles removes revisions, the texts that none has, and halves of writes.
func (h *history) removeFiles(gone []Revision, used map[string]bool) {
	for _, r := range gone {
		os.Remove(filepath.Join(h.dir, metaName(r.Number)))
	}
	if r, err := h.readMeta(pendingFile); err == nil {
		used[r.ETag] = true
	}
	for _, dir := range []string{h.dir, filepath.Join(h.dir, textsDir)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			h.warn("the history of the experiments cannot be tidied up", "dir", dir, "error", err)
			return
		}
		for _, e := range entries {
			etag, isText := strings.CutSuffix(e.Name(), textSuffix)
			half := strings.HasPrefix(e.Name(), strings.TrimSuffix(temporary, "*.tmp"))
			if half || isText && dir != h.dir && !used[etag] {
				os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}
