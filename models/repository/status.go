package repository

import (
	"time"

	"hotpath/models"
)

// State is where a version stands.
type State string

// The states of a version.
const (
	// StateWaiting is a version whose files are not complete or not settled yet.
	StateWaiting State = "waiting"
	StateLoading State = "loading"
	StateReady   State = "ready"
	StateRefused State = "refused"
	// StateUnloaded is a version that is not wanted: older than those kept, or
	// unloaded by an operator.
	StateUnloaded State = "unloaded"
)

// Status is a picture of the repository for people; see List.
type Status struct {
	Dir        string        `json:"dir"`
	Mode       Mode          `json:"mode"`
	Generation uint64        `json:"generation"`
	ScannedAt  time.Time     `json:"scanned_at"`
	ScanError  string        `json:"scan_error,omitempty"`
	Models     []ModelStatus `json:"models"`
	Ignored    []Ignored     `json:"ignored,omitempty"`
}

// Ignored is something in the directory that is no model or version.
type Ignored struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// ModelStatus is one model.
type ModelStatus struct {
	Name     string `json:"name"`
	Current  int    `json:"current,omitempty"`
	Previous int    `json:"previous,omitempty"`
	// Pin is the version that an operator chose and PinnedUpTo the highest
	// version that is not promoted by itself because of that; 0 for neither.
	Pin        int     `json:"pin,omitempty"`
	PinnedUpTo int     `json:"pinned_up_to,omitempty"`
	Unloaded   bool    `json:"unloaded,omitempty"`
	Labels     []Label `json:"labels,omitempty"`
	// VersionPolicy is the one that holds. ConfigError is why the model's
	// config.yaml as it is now does not hold; what it said before does.
	VersionPolicy models.VersionPolicy `json:"version_policy"`
	ConfigError   string               `json:"config_error,omitempty"`
	Versions      []VersionStatus      `json:"versions"`
}

// VersionStatus is one version. A version may be ready and at once have a
// refusal: its files were replaced by worse ones.
type VersionStatus struct {
	Version  int   `json:"version"`
	State    State `json:"state"`
	Current  bool  `json:"current,omitempty"`
	Previous bool  `json:"previous,omitempty"`
	Loading  bool  `json:"loading,omitempty"`
	// Held is a version that a deployment keeps from being elected.
	Held   bool   `json:"held,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size_bytes,omitempty"`
	// MemoryBytes is an estimate of what the loaded version takes.
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
	LoadMS      float64 `json:"load_ms,omitempty"`
	// LoadedAt and RefusedAt are nil when it never happened.
	LoadedAt *time.Time `json:"loaded_at,omitempty"`
	// ConfigFiles are those that its config was made of; the rest are defaults.
	ConfigFiles   []string   `json:"config_files,omitempty"`
	Code          Code       `json:"code,omitempty"`
	Reason        string     `json:"reason,omitempty"`
	RefusedAt     *time.Time `json:"refused_at,omitempty"`
	MissingOnDisk bool       `json:"missing_on_disk,omitempty"`
}

// Model finds a model by name.
func (s *Status) Model(name string) (ModelStatus, bool) {
	for _, m := range s.Models {
		if m.Name == name {
			return m, true
		}
	}
	return ModelStatus{}, false
}

// Version finds a version by number.
func (m ModelStatus) Version(n int) (VersionStatus, bool) {
	for _, v := range m.Versions {
		if v.Version == n {
			return v, true
		}
	}
	return VersionStatus{}, false
}
