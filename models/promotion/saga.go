package promotion

import (
	"slices"
	"time"
)

// State is where a deployment stands.
type State string

// The states of a deployment. Only the first two change.
const (
	Running State = "running"
	// Undoing is on its way to one of the states below but Done.
	Undoing    State = "undoing"
	Done       State = "done"
	Failed     State = "failed"      // before the switch
	RolledBack State = "rolled_back" // after it
	Cancelled  State = "cancelled"   // by an operator, before the switch
)

// Ended says that nothing more happens.
func (s State) Ended() bool { return s != Running && s != Undoing }

// The names of the steps, in their order. Undo is added to those of a deployment
// that is undone.
const (
	StageStep    = "stage"
	VerifyStep   = "verify"
	TrialStep    = "trial"
	ContractStep = "contract"
	LoadStep     = "load"
	ShadowStep   = "shadow"
	SwitchStep   = "switch"
	WatchStep    = "watch"
	UndoStep     = "undo"
)

var stepNames = []string{StageStep, VerifyStep, TrialStep, ContractStep, LoadStep, ShadowStep, SwitchStep, WatchStep}

// StepState is where a step stands.
type StepState string

// The states of a step.
const (
	StepPending StepState = "pending"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepSkipped StepState = "skipped" // not asked for, or nothing to do
)

// Step is one step of a deployment.
type Step struct {
	Name      string     `json:"name"`
	State     StepState  `json:"state"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	// Detail is what was found, or why it failed; for people.
	Detail string `json:"detail,omitempty"`
}

// Saga is one deployment as it is shown.
type Saga struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Version int    `json:"version"`
	State   State  `json:"state"`
	// Reason is why it was undone.
	Reason string `json:"reason,omitempty"`
	// Before is the version that was current when it began; 0 for none.
	Before    int        `json:"before,omitempty"`
	SHA256    string     `json:"sha256,omitempty"`
	Size      int64      `json:"size_bytes,omitempty"`
	Request   Request    `json:"request"`
	Key       string     `json:"idempotency_key,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Steps     []Step     `json:"steps"`
}

// step finds a step by name; nil when it is not there.
func (s *Saga) step(name string) *Step {
	if i := slices.IndexFunc(s.Steps, func(t Step) bool { return t.Name == name }); i >= 0 {
		return &s.Steps[i]
	}
	return nil
}

// reached says that a step has begun.
func (s *Saga) reached(name string) bool {
	t := s.step(name)
	return t != nil && t.StartedAt != nil
}

// over says that a step has been done or was not asked for.
func (s *Saga) over(name string) bool {
	t := s.step(name)
	return t != nil && (t.State == StepDone || t.State == StepSkipped)
}

// served says that the version was current, or may have been for all that is known.
func (s *Saga) served() bool {
	t := s.step(SwitchStep)
	return t != nil && (t.State == StepDone || t.State == StepRunning) || s.State == RolledBack
}

func (s Saga) clone() Saga {
	s.Steps = slices.Clone(s.Steps)
	return s
}

// record is what a journal keeps beside what is shown.
type record struct {
	Saga
	// Digest identifies the request with its files; "" until they are all there.
	Digest string `json:"digest,omitempty"`
	// Made says that the folder is this deployment's, MadeModel that the model's is.
	Made      bool `json:"made,omitempty"`
	MadeModel bool `json:"made_model,omitempty"`
	// Loaded says that the version was loaded before, Pin and PinnedUpTo what was
	// pinned.
	Loaded     bool `json:"loaded,omitempty"`
	Pin        int  `json:"pin,omitempty"`
	PinnedUpTo int  `json:"pinned_up_to,omitempty"`
}
