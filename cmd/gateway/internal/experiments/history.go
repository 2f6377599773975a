package experiments

import (
	"slices"
	"sync"
)

// The bounds of a history; the oldest revisions go first.
const (
	maxRevisions = 1000
	maxTextBytes = 64 << 20
)

// history is the list of revisions with their texts, which equal revisions share.
// It lies in a directory, or without one in memory:
//
//	<dir>/00000042.json     a revision
//	<dir>/texts/<etag>.yaml the content of the file
//	<dir>/pending.json      the revision of a save in progress
type history struct {
	dir string
	// warn says what could not be tidied up; the next change tries again.
	warn func(message string, args ...any)

	// bytes bounds the texts.
	bytes int

	mu        sync.Mutex
	revisions []Revision        // ascending
	texts     map[string][]byte // without a directory, by ETag
	warned    map[string]bool   // files of revisions that cannot be read
}

// openHistory reads what is there. Whatever in the directory is not ours is left alone.
func openHistory(dir string, warn func(message string, args ...any)) (*history, error) {
	h := &history{dir: dir, warn: warn, bytes: maxTextBytes, texts: map[string][]byte{}, warned: map[string]bool{}}
	if dir == "" {
		return h, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h, h.exclusively(func() error { return nil })
}

// stored says whether the history outlasts the process.
func (h *history) stored() bool { return h.dir != "" }

// list gives the revisions, the newest first.
func (h *history) list() []Revision {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lookLocked()
	out := slices.Clone(h.revisions)
	slices.Reverse(out)
	return out
}

// last is the newest revision that changed the file; false when there is none.
func (h *history) last() (Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lookLocked()
	return h.lastLocked()
}

func (h *history) lastLocked() (Revision, bool) {
	for _, r := range slices.Backward(h.revisions) {
		if r.Hold == nil {
			return r, true
		}
	}
	return Revision{}, false
}

// get finds a revision and its text, and the text of the one before; nil where
// there is none.
func (h *history) get(number int) (r Revision, text, before []byte, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lookLocked()
	i, found := slices.BinarySearchFunc(h.revisions, number, func(r Revision, n int) int { return r.Number - n })
	if !found {
		return r, nil, nil, h.unknownLocked(number)
	}
	r = h.revisions[i]
	if text, err = h.textLocked(r.ETag); err != nil {
		return r, nil, nil, errorf(CodeStorage, "the text of revision %d cannot be read: %w", number, err)
	}
	if i > 0 {
		// Without the text before, all of this one is new.
		before, _ = h.textLocked(h.revisions[i-1].ETag)
	}
	return r, text, before, nil
}

func (h *history) unknownLocked(number int) *Error {
	if len(h.revisions) == 0 {
		return errorf(CodeUnknownRevision, "there is no revision %d: the history is empty", number)
	}
	return errorf(CodeUnknownRevision, "there is no revision %d: the history has %d to %d", number, h.revisions[0].Number, h.revisions[len(h.revisions)-1].Number)
}

// pending is a revision that is written and does not count yet.
type pending struct {
	h        *history
	revision Revision
	text     []byte
}

// prepare writes everything of a revision down but that it took place. The number,
// and the lines added and removed, are filled in.
func (h *history) prepare(r Revision, text []byte) (*pending, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &pending{h: h, text: text}
	return p, h.exclusively(func() error {
		p.revision = h.completeLocked(r, text)
		return h.writeLocked(pendingFile, p.revision, text)
	})
}

// writeLocked keeps a revision and its text, where there is a directory.
func (h *history) writeLocked(name string, r Revision, text []byte) error {
	if h.dir == "" {
		return nil
	}
	if err := h.writeText(r.ETag, text); err != nil {
		return err
	}
	return h.writeMeta(name, r)
}

// completeLocked numbers a revision and counts its lines.
func (h *history) completeLocked(r Revision, text []byte) Revision {
	r.Number, r.Bytes = 1, len(text)
	var before []byte
	r.ListsChanged = r.listsChangedSince(&Revision{})
	if n := len(h.revisions); n > 0 {
		r.Number = h.revisions[n-1].Number + 1
		r.ListsChanged = r.listsChangedSince(&h.revisions[n-1])
		if h.revisions[n-1].ETag == r.ETag {
			return r
		}
		// A text that is gone counts as empty: all lines are new.
		before, _ = h.textLocked(h.revisions[n-1].ETag)
	}
	r.Added, r.Removed = diffLines(before, text).counts()
	return r
}

// commit makes the prepared revision the newest.
func (p *pending) commit() (Revision, error) {
	h := p.h
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.exclusively(func() error {
		// Another gateway may have taken the number meanwhile.
		if n := len(h.revisions); n > 0 && h.revisions[n-1].Number >= p.revision.Number {
			p.revision.Number = h.revisions[n-1].Number + 1
		}
		if err := h.appendLocked(p.revision, p.text); err != nil {
			return err
		}
		h.dropPending()
		h.pruneLocked()
		return nil
	})
	return p.revision, err
}

func (h *history) appendLocked(r Revision, text []byte) error {
	if err := h.writeLocked(metaName(r.Number), r, text); err != nil {
		return err
	}
	if h.dir == "" {
		h.texts[r.ETag] = text
	}
	h.revisions = append(h.revisions, r)
	return nil
}

// abandon forgets the prepared revision.
func (p *pending) abandon() {
	h := p.h
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.exclusively(func() error {
		h.dropPending()
		h.pruneLocked()
		return nil
	})
}

// add makes a revision of something that has happened. A content that is the newest
// already is none, so that of gateways that share a history one writes it down.
func (h *history) add(r Revision, text []byte) (Revision, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.exclusively(func() error {
		if last, ok := h.lastLocked(); ok && r.Hold == nil && last.sameContent(&r) {
			r = last
			return nil
		}
		r = h.completeLocked(r, text)
		if err := h.appendLocked(r, text); err != nil {
			return err
		}
		h.pruneLocked()
		return nil
	})
	return r, err
}

// recover ends a save that a crash cut off: etag is what the file holds.
func (h *history) recover(etag string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.exclusively(func() error {
		r, err := h.readMeta(pendingFile)
		if err != nil {
			return nil // there is none, or half of one
		}
		last, ok := h.lastLocked()
		if r.ETag == etag && r.Hold == nil && (!ok || !last.sameContent(&r)) {
			if n := len(h.revisions); n > 0 {
				r.Number = h.revisions[n-1].Number + 1
			}
			if err := h.writeMeta(metaName(r.Number), r); err != nil {
				return nil // the file's content becomes a revision of its own
			}
			h.revisions = append(h.revisions, r)
		}
		h.dropPending()
		return nil
	})
}

// pruneLocked drops the oldest revisions beyond the bounds, and the texts that no
// revision has any more.
func (h *history) pruneLocked() {
	sizes := map[string]int{}
	total, keep := 0, len(h.revisions)
	for i, r := range slices.Backward(h.revisions) {
		if sizes[r.ETag] == 0 {
			total += r.Bytes
			sizes[r.ETag] = max(r.Bytes, 1)
		}
		if i < len(h.revisions)-1 && (total > h.bytes || len(h.revisions)-i > maxRevisions) {
			break
		}
		keep = i
	}
	gone := h.revisions[:keep]
	h.revisions = slices.Clone(h.revisions[keep:])
	used := map[string]bool{}
	for _, r := range h.revisions {
		used[r.ETag] = true
	}
	if h.dir != "" {
		h.removeFiles(gone, used)
		return
	}
	for etag := range h.texts {
		if !used[etag] {
			delete(h.texts, etag)
		}
	}
}
