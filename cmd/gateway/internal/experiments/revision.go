package experiments

import (
	"maps"
	"slices"
	"time"

	"hotpath/abtest"
)

// Via is how a revision came about.
type Via string

// The ways.
const (
	ViaStart     Via = "start"     // the file as the gateway first found it
	ViaFile      Via = "file"      // the file was edited on the disk
	ViaAPI       Via = "api"       // saved through the admin port
	ViaRestore   Via = "restore"   // an earlier content was put back
	ViaGuardrail Via = "guardrail" // a guardrail held something back
	ViaOperator  Via = "operator"  // somebody held something back, or let it go
)

// Author is who changes something, and why.
type Author struct {
	Who     string
	Via     Via
	Message string
}

// Revision is one change of what serves.
type Revision struct {
	// Number counts from 1, and never again.
	Number  int       `json:"revision"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Via     Via       `json:"via"`
	Message string    `json:"message,omitempty"`
	// ETag names the content of the file, Digest what was decided by it, lists and
	// holds included.
	ETag   string `json:"etag"`
	Digest string `json:"digest"`
	// Added and Removed count lines, against the content before.
	Added   int `json:"added"`
	Removed int `json:"removed"`
	// Hold is what was held back or, with Released, let go; nil: the file changed.
	Hold     *abtest.Hold `json:"hold,omitempty"`
	Released bool         `json:"released,omitempty"`
	// Bytes is the size of the content.
	Bytes int `json:"bytes"`
	// Lists are the lists that stand in files of their own, by their names, and
	// ListsChanged those that were others in the revision before, or not there.
	Lists        map[string]RevisionList `json:"lists,omitempty"`
	ListsChanged []string                `json:"lists_changed,omitempty"`
}

// RevisionList is what a list was. Its values are not kept.
type RevisionList struct {
	Values int `json:"values"`
	// Digest is of the values: their order and comments make no difference.
	Digest string `json:"digest"`
}

// sameContent says that two revisions are of the same contents.
func (r *Revision) sameContent(o *Revision) bool {
	return r.ETag == o.ETag && maps.Equal(r.Lists, o.Lists)
}

// listsChangedSince names the lists that are other than in a revision before, those
// that are gone included.
func (r *Revision) listsChangedSince(before *Revision) (names []string) {
	for name, l := range r.Lists {
		if before.Lists[name] != l {
			names = append(names, name)
		}
	}
	for name := range before.Lists {
		if _, ok := r.Lists[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
