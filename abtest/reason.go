package abtest

import "fmt"

// Reason says why a unit got what it got.
type Reason uint8

// The reasons, ordered by how close an experiment came to deciding.
const (
	// ReasonDefault: no experiment is about the model.
	ReasonDefault Reason = iota
	// ReasonNotRunning: the experiment is a draft, stopped or archived.
	ReasonNotRunning
	// ReasonNotStarted: its start is still to come.
	ReasonNotStarted
	// ReasonEnded: its end is past.
	ReasonEnded
	// ReasonNoUnit: the request lacks the unit that the experiment assigns.
	ReasonNoUnit
	// ReasonHoldout: the unit is held out of all experiments, or of the layer's.
	ReasonHoldout
	// ReasonPrerequisite: the unit is not in an experiment that this one requires.
	ReasonPrerequisite
	// ReasonOutOfRange: the unit's bucket in the layer is not one that the
	// experiment owns.
	ReasonOutOfRange
	// ReasonNotTargeted: the request does not meet the condition.
	ReasonNotTargeted
	// ReasonOutsideRamp: the unit is not yet in the share of the ramp.
	ReasonOutsideRamp
	// ReasonPaused: the unit would be in the experiment, but that is paused: its
	// fallback variant answers, or the model as if there were no experiment.
	ReasonPaused
	// ReasonSplit: the unit's bucket chose the variant.
	ReasonSplit
	// ReasonSticky: the unit keeps the variant that was stored for it.
	ReasonSticky
	// ReasonOverride: the user is listed for the variant.
	ReasonOverride
	// ReasonForced: the request asked for the variant.
	ReasonForced
)

var reasonNames = [...]string{"default", "not_running", "not_started", "ended", "no_unit", "holdout", "prerequisite", "out_of_range",
	"not_targeted", "outside_ramp", "paused", "split", "sticky", "override", "forced"}

// String is the name shown in answers and metrics.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// MarshalText writes the name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Assigns says whether an assignment with this reason can have a variant.
func (r Reason) Assigns() bool { return r >= ReasonPaused }

// Exposes says whether a unit with this reason belongs in a readout: chance put
// it into its variant. Overrides and forced variants were chosen by somebody,
// and a paused experiment shows nobody its variants.
func (r Reason) Exposes() bool { return r == ReasonSplit || r == ReasonSticky }

// Reasons lists every reason, for metrics made in advance.
func Reasons() []Reason {
	all := make([]Reason, len(reasonNames))
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
