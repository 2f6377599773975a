package oip

import (
	"context"

	"hotpath/router"
)

// Catalog knows the server and its models. Its answers are values of the caller's
// own. A version is a number or a label; "" is the one that serves by default.
type Catalog interface {
	// Live and Ready are the server's own probes.
	Live() bool
	Ready() bool
	Server() ServerMetadata
	// ModelReady says whether a version is loaded and serves; false for one that
	// is not known.
	ModelReady(model, version string) bool
	Model(model, version string) (ModelMetadata, *router.Error)
	Config(model, version string) (ModelConfig, *router.Error)
	// Statistics of one version, of all of a model ("" as version), or of all
	// models ("" for both).
	Statistics(model, version string) ([]ModelStatistics, *router.Error)
	// Index lists every version in the repository, or the ready ones.
	Index(readyOnly bool) []IndexEntry
	// Load loads or reloads a model's versions, and waits until they are ready or
	// refused; config, a ModelConfig in JSON, is refused where it is not empty: the
	// repository's config.yaml is the one place. Unload takes the whole model out.
	Load(ctx context.Context, model string, parameters Parameters) *router.Error
	Unload(ctx context.Context, model string) *router.Error
}

// Parameters of a repository request, by name: strings, bools and int64s.
type Parameters map[string]any

// ServerMetadata is GET /v2.
type ServerMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

// ModelMetadata is GET /v2/models/{model}.
type ModelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions"`
	Platform string           `json:"platform"`
	Inputs   []TensorMetadata `json:"inputs"`
	Outputs  []TensorMetadata `json:"outputs"`
}

// TensorMetadata describes an input or output. Shape includes the batch dimension
// and has -1 where it varies.
type TensorMetadata struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

// IndexEntry is one version in the repository index.
type IndexEntry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// State is READY, LOADING or UNAVAILABLE.
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// The states of an IndexEntry.
const (
	StateReady       = "READY"
	StateLoading     = "LOADING"
	StateUnavailable = "UNAVAILABLE"
)
