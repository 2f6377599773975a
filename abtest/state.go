package abtest

import (
	"fmt"
	"slices"
	"strings"
)

// State is how far an experiment is in its life.
type State uint8

// The states. Drafts, stopped and archived experiments take no part in anything:
// they own no buckets and need no model versions. What sets them apart is what
// they tell people and readouts.
const (
	// Running: the experiment assigns.
	Running State = iota
	// Draft: it is being written.
	Draft
	// Paused: whoever would be in it gets its fallback variant, or the model as
	// if there were no experiment; nobody is exposed. It keeps its buckets, so
	// that it goes on with the same units. Only force still reaches its variants.
	Paused
	// Stopped: it is over, and its readout is of interest.
	Stopped
	// Archived: it is over, and kept for the record.
	Archived
)

var stateNames = [...]string{"running", "draft", "paused", "stopped", "archived"}

// String is the name in the file.
func (s State) String() string { return stateNames[s] }

// MarshalText writes the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// enabled says whether an experiment in this state takes part.
func (s State) enabled() bool { return s == Running || s == Paused }

// parseState reads a state; empty is running.
func parseState(name string) (State, error) {
	if name == "" {
		return Running, nil
	}
	i := slices.Index(stateNames[:], name)
	if i < 0 {
		return Running, fmt.Errorf("%q is not a state: give one of %s", name, strings.Join(stateNames[:], ", "))
	}
	return State(i), nil
}
