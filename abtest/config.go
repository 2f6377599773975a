package abtest

// The limits on an experiments file. They keep a mistaken or hostile file from
// holding a compile for minutes or a request for more than microseconds.
const (
	MaxExperiments  = 1000
	MaxLayers       = 1000
	MaxVariants     = 64     // of one experiment, shadows included
	MaxAllVariants  = 5000   // over all experiments; dealing slots takes up to a millisecond each
	MaxOverrides    = 100000 // units, over all experiments, those of named lists counted for each use
	MaxLists        = 1000
	MaxListValues   = 1000000 // over all lists; they take some 50 MB then
	MaxConditions   = 64      // of one experiment: leaves and all/any/not alike
	MaxNesting      = 8       // levels of conditions
	MaxValues       = 1000    // in one in or not_in list
	MaxUnits        = 8       // different units of assignment, the user included
	MaxRampSteps    = 32      // of one experiment
	MaxRequires     = 8       // prerequisites of one experiment
	MaxDecisions    = 64      // decisions about one unit that one experiment's prerequisites lead to
	MaxPayloadBytes = 4096    // of one variant, as JSON
	MaxMetrics      = 8       // of one experiment
	MaxGuardrails   = 16      // of one experiment, without the default ones of canaries
	MaxNameBytes    = 64      // of an experiment, variant, layer, list, unit, label or model name
	MaxTextBytes    = 256     // of a salt, attribute name, operand, list value or user
)

// Buckets is the number of buckets that units are hashed into: one bucket is a
// hundredth of a percent, a basis point, the smallest step of a weight.
const Buckets = 10000

// Config is an experiments file. Zero values mean absent; where absent differs
// from zero the field is a pointer. The doc tags are the reference text.
type Config struct {
	Experiments []ExperimentConfig  `yaml:"experiments,omitempty" json:"experiments,omitempty" doc:"experiments, in the order in which they are considered; at most 1000"`
	Layers      []LayerConfig       `yaml:"layers,omitempty" json:"layers,omitempty" doc:"layers: groups of experiments that never share a unit; at most 1000"`
	Lists       map[string][]string `yaml:"lists,omitempty" json:"lists,omitempty" doc:"named lists of strings for targeting and overrides; at most 1000 with 1000000 values in all, those of list_files included"`
	ListFiles   map[string]string   `yaml:"list_files,omitempty" json:"list_files,omitempty" doc:"named lists that stand in files of their own, one value a line: list to the path of its file, relative to this file and not outside of its directory"`
	Holdout     *HoldoutConfig      `yaml:"holdout,omitempty" json:"holdout,omitempty" doc:"units that no experiment gets; default: none"`

	// contents are those of the list files, pause is called by Compile.
	contents map[string]*List
	pause    func()
}

// LayerConfig names a set of buckets that experiments divide among themselves.
type LayerConfig struct {
	Name    string         `yaml:"name" json:"name" doc:"name that experiments refer to"`
	Salt    string         `yaml:"salt,omitempty" json:"salt,omitempty" doc:"salt of the layer's buckets; default: the name"`
	Unit    string         `yaml:"unit,omitempty" json:"unit,omitempty" doc:"unit that the layer's buckets are of; default: user"`
	Holdout *HoldoutConfig `yaml:"holdout,omitempty" json:"holdout,omitempty" doc:"units that no experiment of the layer gets; default: none"`
}

// HoldoutConfig keeps a share of the units out of experiments.
type HoldoutConfig struct {
	Share *float64 `yaml:"share" json:"share" doc:"share of the units held out in percent, above 0, at most two decimals; a larger share keeps those of a smaller one"`
	Salt  string   `yaml:"salt,omitempty" json:"salt,omitempty" doc:"salt of the holdout's buckets; changing it holds out others; default: the layer's name, or global"`
	Unit  string   `yaml:"unit,omitempty" json:"unit,omitempty" doc:"unit that is held out; a request without it is not; default: the layer's unit, or user"`
}

// ExperimentConfig is one experiment about one model.
type ExperimentConfig struct {
	Name          string               `yaml:"name" json:"name" doc:"name, unique in the file: a letter or digit, then letters, digits, '.', '_', '-'; at most 64 bytes"`
	Model         string               `yaml:"model" json:"model" doc:"model that the experiment decides about, as resolved from the request"`
	State         string               `yaml:"state,omitempty" json:"state,omitempty" doc:"draft, running, paused, stopped or archived; only running assigns, and paused answers with the fallback; default: running"`
	Salt          string               `yaml:"salt,omitempty" json:"salt,omitempty" doc:"salt of the variants' buckets; changing it deals every unit anew; default: the name"`
	Unit          string               `yaml:"unit,omitempty" json:"unit,omitempty" doc:"what is assigned: user, or the name of an entity or of a context key such as session; a request without it is not in the experiment; at most 8 different in the file; default: user"`
	Layer         string               `yaml:"layer,omitempty" json:"layer,omitempty" doc:"layer, declared under layers, whose units this experiment shares exclusively; default: none"`
	Range         []int                `yaml:"range,omitempty" json:"range,omitempty" doc:"[from, to) of the layer's 10000 buckets that this experiment owns; default: [0, 10000]"`
	Start         string               `yaml:"start,omitempty" json:"start,omitempty" doc:"time from which it assigns, such as 2027-01-31T08:00:00Z; default: at once"`
	End           string               `yaml:"end,omitempty" json:"end,omitempty" doc:"time from which it no longer assigns; default: never"`
	Ramp          []RampStep           `yaml:"ramp,omitempty" json:"ramp,omitempty" doc:"share of the targeted units that are in the experiment, in steps of time; at most 32; default: all"`
	Prerequisites []PrerequisiteConfig `yaml:"prerequisites,omitempty" json:"prerequisites,omitempty" doc:"other experiments that the unit must be in, all of them; at most 8; default: none"`
	Targeting     *Condition           `yaml:"targeting,omitempty" json:"targeting,omitempty" doc:"condition on the request; default: everyone"`
	Overrides     map[string][]string  `yaml:"overrides,omitempty" json:"overrides,omitempty" doc:"variant to the users that always get it; at most 100000 users in the file"`
	OverrideLists map[string][]string  `yaml:"override_lists,omitempty" json:"override_lists,omitempty" doc:"variant to named lists of users that always get it"`
	Sticky        bool                 `yaml:"sticky,omitempty" json:"sticky,omitempty" doc:"true: a unit keeps the variant that it was given once, where the gateway stores it; default: false"`
	Fallback      string               `yaml:"fallback,omitempty" json:"fallback,omitempty" doc:"variant that answers when the assigned one's model fails, and while the experiment is paused; default: none"`
	Control       string               `yaml:"control,omitempty" json:"control,omitempty" doc:"variant that the readout compares the others with; it is no canary and no shadow; default: the fallback, else the one named control, else the first with a weight that is no canary"`
	Metrics       []MetricConfig       `yaml:"metrics,omitempty" json:"metrics,omitempty" doc:"outcomes that the readout compares; at most 8; default: none"`
	Guardrails    []GuardrailConfig    `yaml:"guardrails,omitempty" json:"guardrails,omitempty" doc:"bounds on what a variant may do; at most 16; default: none, but for canaries that none of them watches: error_rate and degraded_rate max_increase 5, nonfinite_rate max_increase 1, p99_ms max_ratio 3, each with min_requests 200 and rollback"`
	Variants      []VariantConfig      `yaml:"variants" json:"variants" doc:"variants; the weights of those that answer add up to exactly 100; at most 64"`
}

// RampStep is the share of an experiment from one moment on.
type RampStep struct {
	At    string   `yaml:"at,omitempty" json:"at,omitempty" doc:"time from which the share holds; only the first step may leave it out: from the start"`
	Share *float64 `yaml:"share" json:"share" doc:"share in percent, at most two decimals, not below the step before"`
}

// PrerequisiteConfig is an experiment that a unit must be in.
type PrerequisiteConfig struct {
	Experiment string   `yaml:"experiment" json:"experiment" doc:"name of another experiment; what it requires in turn must not lead back"`
	Variants   []string `yaml:"variants,omitempty" json:"variants,omitempty" doc:"variants that count; default: every one that answers"`
}

// VariantConfig is one arm of an experiment.
type VariantConfig struct {
	Name    string   `yaml:"name" json:"name" doc:"name, unique in the experiment; it decides which buckets the variant gets, so renaming moves units"`
	Weight  *float64 `yaml:"weight,omitempty" json:"weight,omitempty" doc:"share of units in percent, at most two decimals (basis points); 0 is reached only by override or force; required unless shadow"`
	Model   string   `yaml:"model,omitempty" json:"model,omitempty" doc:"model that answers; default: the experiment's"`
	Version int      `yaml:"version,omitempty" json:"version,omitempty" doc:"version of the model; 0, the default: the version that the model serves by default"`
	Label   string   `yaml:"label,omitempty" json:"label,omitempty" doc:"instead of a version: the version that the model's labels give this name at the time, such as stable"`
	Payload any      `yaml:"payload,omitempty" json:"payload,omitempty" doc:"any value, handed out with the variant as JSON; at most 4096 bytes; default: none"`
	Canary  bool     `yaml:"canary,omitempty" json:"canary,omitempty" doc:"true: guardrails watch this variant, the file's or else default ones; its weight is at most 50, and it is neither a shadow nor the fallback nor the control; default: false"`
	Shadow  bool     `yaml:"shadow,omitempty" json:"shadow,omitempty" doc:"true: scored off the request's path for comparison, never answers; default: false"`
	Sample  *float64 `yaml:"sample,omitempty" json:"sample,omitempty" doc:"share of the experiment's units that are scored by this shadow, in percent, above 0, at most two decimals; default: 100"`

	// held is the weight of the file where a Hold took it, heldCanary its canary.
	held       *float64
	heldCanary bool
}
