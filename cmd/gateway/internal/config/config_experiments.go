package config

import (
	"time"

	"hotpath/models/strictyaml"
)

// Experiments configures A/B tests.
type Experiments struct {
	File                string        `yaml:"file" format:"file" doc:"Path of experiments.yaml; empty: no experiments."`
	ReloadInterval      time.Duration `yaml:"reload_interval" min:"10ms" max:"1h" doc:"How often the file is looked at for changes, as a duration; SIGHUP reads it at once."`
	DataDir             string        `yaml:"data_dir" doc:"Path of the directory that keeps the history of edits, holds and the log of exposures; empty: history and holds are lost at exit, and exposures are counted but not stored."`
	AllowForcedVariant  bool          `yaml:"allow_forced_variant" doc:"Let requests choose their variant by a header."`
	ForcedVariantHeader string        `yaml:"forced_variant_header" format:"header" doc:"Name of the header that chooses a variant."`
	ForceKey            Secret        `yaml:"force_key" doc:"Key of the signed tokens that choose a variant where allow_forced_variant is off, at least 16 bytes, several separated by line breaks; better given by force_key_file or the environment; empty: no tokens."`
	ForceKeyFile        string        `yaml:"force_key_file" format:"file" doc:"Path of a file that holds the key of the tokens, one a line: tokens of each are taken."`
	TrafficSample       int           `yaml:"traffic_sample" min:"0" max:"1000000" doc:"Recent requests kept to show who an edit would move; 0: none."`
	// The sections within are last: each ends the table of this one in the documentation.
	Sticky    Sticky    `yaml:"sticky" doc:"Variants that units keep, in the Redis of the features."`
	Exposures Exposures `yaml:"exposures" doc:"The log of who was shown which variant, and of what came of it."`
	Readout   Readout   `yaml:"readout" doc:"The comparison of the variants while they run."`
}

// Sticky configures the store of sticky assignments.
type Sticky struct {
	TTL           time.Duration `yaml:"ttl" min:"1s" max:"87600h" doc:"How long a unit that is not seen keeps its variant, as a duration."`
	Budget        time.Duration `yaml:"budget" min:"100us" max:"1s" doc:"Longest wait of one request for the store, as a duration; without an answer the hash decides."`
	Entries       int           `yaml:"entries" min:"32" max:"10000000" doc:"Units whose variants are kept in memory too, the least recently used go first."`
	AbsentFor     time.Duration `yaml:"absent_for" min:"10ms" max:"1h" doc:"How long memory keeps that a unit has no variant stored, as a duration."`
	Queue         int           `yaml:"queue" min:"1" max:"1048576" doc:"Reads, and writes, that may wait; more go on without the store."`
	Workers       int           `yaml:"workers" min:"1" max:"64" doc:"Readers, each with at most one pipeline outstanding."`
	Prefix        string        `yaml:"prefix" doc:"First part of the keys in Redis."`
	MaxConcurrent int           `yaml:"max_concurrent" min:"1" max:"65536" doc:"Units whose reads may wait or be in progress; more go on without the store."`
}

// Exposures configures the log.
type Exposures struct {
	Queue        int              `yaml:"queue" min:"64" max:"1048576" doc:"Events that may wait to be counted and stored; more are dropped and counted."`
	Window       time.Duration    `yaml:"window" min:"1s" max:"8760h" doc:"Time in which a unit's exposure to a variant is stored once, as a duration."`
	Units        int              `yaml:"units" min:"1000" max:"100000000" doc:"Exposures remembered in a window; further ones are stored again."`
	MaxFileBytes strictyaml.Bytes `yaml:"max_file_bytes" min:"64KiB" max:"64GiB" doc:"Size at which a new file is begun, in bytes."`
	MaxFileAge   time.Duration    `yaml:"max_file_age" min:"1s" max:"8760h" doc:"Age at which a new file is begun, as a duration."`
	KeepFiles    int              `yaml:"keep_files" min:"1" max:"100000" doc:"Files kept; the oldest are deleted."`
	Compress     bool             `yaml:"compress" doc:"Compress files that are whole, in the background."`
}

// Readout configures the comparison of variants.
type Readout struct {
	Units             int              `yaml:"units" min:"1000" max:"50000000" doc:"Units that are followed one by one; of more, a random share is followed."`
	Requests          int              `yaml:"requests" min:"1000" max:"50000000" doc:"Latest requests that feedback can name by their request_id."`
	Alpha             float64          `yaml:"alpha" min:"0.0001" max:"0.5" doc:"Chance that an interval misses the truth at any time, such as 0.05 for 95 percent."`
	GuardrailInterval time.Duration    `yaml:"guardrail_interval" min:"100ms" max:"1h" doc:"How often the guardrails are looked at, as a duration."`
	ReplayBytes       strictyaml.Bytes `yaml:"replay_bytes" min:"0" max:"1024GiB" doc:"Newest part of the stored exposures that is read again at start, in bytes; 0: none."`
}

func defaultExperiments() Experiments {
	return Experiments{
		ReloadInterval: time.Second, ForcedVariantHeader: "X-Hotpath-Variant", TrafficSample: 10_000,
		Sticky: Sticky{TTL: 30 * 24 * time.Hour, Budget: 5 * time.Millisecond, Entries: 100_000, AbsentFor: 5 * time.Second, Queue: 4096, Workers: 2,
			Prefix: "hotpath:sticky", MaxConcurrent: 1024},
		Exposures: Exposures{Queue: 16_384, Window: time.Hour, Units: 1_000_000,
			MaxFileBytes: 256 << 20, MaxFileAge: 24 * time.Hour, KeepFiles: 30, Compress: true},
		Readout: Readout{Units: 1_000_000, Requests: 262_144, Alpha: 0.05, GuardrailInterval: time.Second, ReplayBytes: 256 << 20},
	}
}

func (c *Config) validateExperiments(bad func(wrong bool, path, format string, args ...any)) {
	e := c.Experiments
	bad(e.AllowForcedVariant && e.File == "", "experiments.allow_forced_variant",
		"true, but experiments.file is empty: there is no variant to force")
	for _, key := range e.ForceKeys() {
		bad(len(key) < minForceKey, "experiments.force_key", "a key has %d bytes, want at least %d: it could be guessed", len(key), minForceKey)
	}
}

// minForceKey keeps a key from being guessed, in bytes.
const minForceKey = 16

// ForceKeys are the keys of the tokens that choose a variant.
func (e *Experiments) ForceKeys() [][]byte { return lines(e.ForceKey.Reveal()) }
