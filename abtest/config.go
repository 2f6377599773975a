package abtest

// The limits on an experiments file. They keep a mistaken or hostile file from
// holding a compile for minutes or a request for more than microseconds.
const (
	MaxExperiments = 1000
	MaxLayers      = 1000
	MaxVariants    = 64     // of one experiment, shadows included
	MaxAllVariants = 5000   // over all experiments; dealing slots takes about a millisecond each
	MaxOverrides   = 100000 // units, over all experiments
	MaxConditions  = 64     // of one experiment: leaves and all/any/not alike
	MaxNesting     = 8      // levels of conditions
	MaxValues      = 1000   // in one in or not_in list
	MaxNameBytes   = 64     // of an experiment, variant, layer or model name
	MaxTextBytes   = 256    // of a salt, attribute name, prefix or unit
)

// Buckets is the number of buckets that units are hashed into: one bucket is a
// hundredth of a percent, the smallest step of a weight.
const Buckets = 10000

// Config is an experiments file. Zero values mean absent; where absent differs
// from zero the field is a pointer. The doc tags are the reference text.
type Config struct {
	Experiments []ExperimentConfig `yaml:"experiments,omitempty" json:"experiments,omitempty" doc:"experiments, in the order in which they are considered; at most 1000"`
	Layers      []LayerConfig      `yaml:"layers,omitempty" json:"layers,omitempty" doc:"layers: groups of experiments that never share a user; at most 1000"`
}

// LayerConfig names a set of buckets that experiments divide among themselves.
type LayerConfig struct {
	Name string `yaml:"name" json:"name" doc:"name that experiments refer to"`
	Salt string `yaml:"salt,omitempty" json:"salt,omitempty" doc:"salt of the layer's buckets; default: the name"`
}

// ExperimentConfig is one experiment about one model.
type ExperimentConfig struct {
	Name      string              `yaml:"name" json:"name" doc:"name, unique in the file: a letter or digit, then letters, digits, '.', '_', '-'; at most 64 bytes"`
	Model     string              `yaml:"model" json:"model" doc:"model that the experiment decides about, as resolved from the request"`
	Salt      string              `yaml:"salt,omitempty" json:"salt,omitempty" doc:"salt of the variants' buckets; changing it deals every user anew; default: the name"`
	Layer     string              `yaml:"layer,omitempty" json:"layer,omitempty" doc:"layer, declared under layers, whose users this experiment shares exclusively; default: none"`
	Range     []int               `yaml:"range,omitempty" json:"range,omitempty" doc:"[from, to) of the layer's 10000 buckets that this experiment owns; default: [0, 10000]"`
	Enabled   *bool               `yaml:"enabled,omitempty" json:"enabled,omitempty" doc:"false switches the experiment off whole, overrides and forced variants included; default: true"`
	Targeting *Condition          `yaml:"targeting,omitempty" json:"targeting,omitempty" doc:"condition on the request's context; default: everyone"`
	Overrides map[string][]string `yaml:"overrides,omitempty" json:"overrides,omitempty" doc:"variant to the users that always get it; at most 100000 users in the file"`
	Fallback  string              `yaml:"fallback,omitempty" json:"fallback,omitempty" doc:"variant that answers when the assigned one's model fails; default: none"`
	Variants  []VariantConfig     `yaml:"variants" json:"variants" doc:"variants; the weights of those that answer add up to exactly 100; at most 64"`
}

// VariantConfig is one arm of an experiment.
type VariantConfig struct {
	Name    string   `yaml:"name" json:"name" doc:"name, unique in the experiment; it decides which buckets the variant gets, so renaming moves users"`
	Weight  *float64 `yaml:"weight,omitempty" json:"weight,omitempty" doc:"share of users in percent, at most two decimals; 0 is reached only by override or force; required unless shadow"`
	Model   string   `yaml:"model,omitempty" json:"model,omitempty" doc:"model that answers; default: the experiment's"`
	Version int      `yaml:"version,omitempty" json:"version,omitempty" doc:"version of the model; 0, the default: the version that the model serves by default"`
	Shadow  bool     `yaml:"shadow,omitempty" json:"shadow,omitempty" doc:"true: scored off the request's path for comparison, never answers; default: false"`
	Sample  *float64 `yaml:"sample,omitempty" json:"sample,omitempty" doc:"share of the experiment's users that are scored by this shadow, in percent, above 0, at most two decimals; default: 100"`
}

// Condition is a node of a targeting tree: exactly one of All, Any, Not, or a
// leaf that names an Attribute and at least one operator. A leaf with several
// operators wants them all.
type Condition struct {
	All []Condition `yaml:"all,omitempty" json:"all,omitempty" doc:"every one of these holds"`
	Any []Condition `yaml:"any,omitempty" json:"any,omitempty" doc:"at least one of these holds"`
	Not *Condition  `yaml:"not,omitempty" json:"not,omitempty" doc:"this does not hold"`

	Attribute string   `yaml:"attribute,omitempty" json:"attribute,omitempty" doc:"name of the context attribute; where the request lacks it, every operator but exists: false fails"`
	In        []any    `yaml:"in,omitempty" json:"in,omitempty" doc:"equal to one of these strings, numbers or booleans; types are not converted"`
	NotIn     []any    `yaml:"not_in,omitempty" json:"not_in,omitempty" doc:"present and equal to none of these"`
	Eq        any      `yaml:"eq,omitempty" json:"eq,omitempty" doc:"equal to this string, number or boolean"`
	Prefix    *string  `yaml:"prefix,omitempty" json:"prefix,omitempty" doc:"a string that starts with this, byte for byte"`
	Gt        *float64 `yaml:"gt,omitempty" json:"gt,omitempty" doc:"a number greater than this"`
	Gte       *float64 `yaml:"gte,omitempty" json:"gte,omitempty" doc:"a number greater than or equal to this"`
	Lt        *float64 `yaml:"lt,omitempty" json:"lt,omitempty" doc:"a number less than this"`
	Lte       *float64 `yaml:"lte,omitempty" json:"lte,omitempty" doc:"a number less than or equal to this"`
	Exists    *bool    `yaml:"exists,omitempty" json:"exists,omitempty" doc:"true: present; false: absent"`
}
