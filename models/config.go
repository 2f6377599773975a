package models

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Config is a model's config.yaml. Everything in it is optional: what the ONNX
// graph says is not asked for. Start from DefaultConfig, decode, then Validate;
// CheckSignature compares it with the graph once that is known.
type Config struct {
	Description string `yaml:"description" doc:"Free text shown by the admin API."`
	// MaxBatchSize and QueueRows count rows; MaxQueueDelay and RunTimeout are
	// wall time of one batch.
	MaxBatchSize  int           `yaml:"max_batch_size" doc:"Most rows in one run of the model. 0: the model has no batch dimension, and each request is a run of its own; graphs that evidently have none are found out without it."`
	PadBatch      bool          `yaml:"pad_batch" doc:"For a graph whose batch dimension is fixed at more than 1: take it for a batch, and pad what is sent up to it. Without, such a model has no batch dimension and takes tensors of exactly its size."`
	BatchSizes    []int         `yaml:"batch_sizes" doc:"Batch sizes that may be run; a batch is padded up to the next one. Empty: on the CPU exact sizes up to 128 rows and small steps beyond, on CUDA powers of two."`
	Instances     int           `yaml:"instances" doc:"Runners, each with one run in flight."`
	MaxQueueDelay time.Duration `yaml:"max_queue_delay" doc:"How long a batch may wait for company although a runner is idle. 0: never."`
	QueueRows     int           `yaml:"queue_rows" doc:"Most rows that wait; above it requests are refused. 0: 4 x max_batch_size, 256 where that is 0."`
	RunTimeout    time.Duration `yaml:"run_timeout" doc:"A run longer than this is terminated by the watchdog."`

	ExecutionProvider string `yaml:"execution_provider" doc:"cpu or cuda."`
	CUDA              CUDA   `yaml:"cuda" doc:"Used when execution_provider is cuda."`
	Threads           int    `yaml:"threads" doc:"Intra-op threads of one runner."`

	Inputs     []InputBinding   `yaml:"inputs" doc:"Where the inputs' values come from. An input that is not listed comes from the request, under its own name."`
	Outputs    []string         `yaml:"outputs" doc:"Outputs to answer, in order. Empty: all."`
	Prediction Prediction       `yaml:"prediction" doc:"The value answered as the prediction shorthand. Without an output: none."`
	Features   string           `yaml:"features" doc:"optional: score with defaults when the feature store does not answer. required: use recent copies, but answer 503 before scoring a default."`
	Fallback   map[string][]any `yaml:"fallback" doc:"Static answer by output name, used when nothing else can answer. Empty: none."`

	VersionPolicy VersionPolicy  `yaml:"version_policy" doc:"Which versions are loaded. Empty: the newest ones, as many as models.keep_versions says."`
	Labels        map[string]int `yaml:"labels" doc:"Names of versions, such as stable or canary, that requests and experiments may use instead of numbers. A label set through the admin port or the CLI comes before one of the same name here."`
	Warmup        []WarmupSample `yaml:"warmup" doc:"Runs made before a version serves, beside one at each batch size. Empty: none."`
}

// VersionPolicy says which versions of a model are loaded; at most one of its
// fields is set. It is read from the model's own config.yaml, not a version's.
type VersionPolicy struct {
	Latest   int   `yaml:"latest" json:"latest,omitempty" doc:"The newest versions, this many."`
	Specific []int `yaml:"specific" json:"specific,omitempty" doc:"These versions and no others; the highest of them serves by default."`
	All      bool  `yaml:"all" json:"all,omitempty" doc:"Every version that is there."`
}

// WarmupSample is a run made before a version serves. Inputs that it does not
// give are zeros.
type WarmupSample struct {
	Name   string           `yaml:"name" doc:"Name of the sample, for messages; needed, and each another."`
	Rows   int              `yaml:"rows" doc:"Rows of the run. 0: 1."`
	Count  int              `yaml:"count" doc:"How often it is run. 0: once."`
	Random bool             `yaml:"random" doc:"Fill inputs that are not given with random values instead of zeros."`
	Inputs map[string][]any `yaml:"inputs" doc:"Values of one row by input name, repeated for each row."`
	Shapes map[string][]int `yaml:"shapes" doc:"Shape of one row by input name, for inputs whose size varies."`
}

// CUDA says how the CUDA execution provider is used.
type CUDA struct {
	Device        int    `yaml:"device" doc:"Number of the GPU."`
	MemoryLimitMB int    `yaml:"memory_limit_mb" doc:"Most GPU memory of one session in MiB. 0: no limit."`
	OnMissing     string `yaml:"on_missing" doc:"What to do on a machine without a GPU: refuse the model, or serve it on the cpu."`
}

// InputBinding says more about one input of the graph than the graph does.
// Features fill it in order; their widths add up to the width of the input's row.
type InputBinding struct {
	Name     string   `yaml:"name" doc:"Name of the input in the ONNX graph."`
	Features []string `yaml:"features" doc:"entity.feature is read from the store; a plain name comes only from the request. Empty: the input comes from the request whole."`
	Shape    []int    `yaml:"shape" doc:"Shape of one row, to fix dimensions that the graph leaves open; -1 leaves one open. Empty: the graph's."`
	Ragged   bool     `yaml:"ragged" doc:"Requests whose sizes of this input differ may share a run: each is padded to the largest."`
	Pad      any      `yaml:"pad" doc:"What a ragged input is padded with. Empty: 0, false or an empty string."`
}

// Prediction names the element of an output that is answered as the shorthand.
type Prediction struct {
	Output string `yaml:"output" doc:"Name of an output."`
	Index  *int   `yaml:"index" doc:"Element of the output's row; may be left out when it has only one."`
}

// The values of Config.ExecutionProvider, CUDA.OnMissing and Config.Features.
const (
	ProviderCPU  = "cpu"
	ProviderCUDA = "cuda"

	OnMissingRefuse = "refuse"
	OnMissingCPU    = "cpu"

	FeaturesOptional = "optional"
	FeaturesRequired = "required"
)

// DefaultConfig is the config of a model that has no config.yaml.
func DefaultConfig() Config {
	return Config{
		MaxBatchSize: 64, Instances: 1, QueueRows: 0, RunTimeout: 250 * time.Millisecond,
		ExecutionProvider: ProviderCPU, CUDA: CUDA{OnMissing: OnMissingRefuse}, Threads: 1,
		Features: FeaturesOptional,
	}
}

// unbatchedQueue is the default bound of the queue of a model without batches: as
// many requests as the default number of rows.
const unbatchedQueue = 256

// QueueLimit is the bound of the queue in rows with the default worked out.
func (c *Config) QueueLimit() int {
	switch {
	case c.QueueRows > 0:
		return c.QueueRows
	case c.MaxBatchSize == 0:
		return unbatchedQueue
	}
	return 4 * c.MaxBatchSize
}

// Problem is one thing wrong with a value, at its path in the file, such as
// inputs[0].name. Who knows the file adds file and line.
type Problem struct {
	Path    string
	Message string
}

func (p Problem) String() string { return p.Path + ": " + p.Message }

// The limits of a Config. They are far above what makes sense, and there to
// catch slips such as a size in bytes.
const (
	maxBatchRows    = 65536
	maxQueueRows    = 1 << 20
	maxRunners      = 256
	maxThreads      = 256
	maxQueueDelay   = 10 * time.Second
	maxRunTimeout   = 10 * time.Minute
	maxDescription  = 4096
	maxNames        = 4096
	maxPredictIndex = MaxRowBytes
)

// problems collects what is wrong.
type problems []Problem

func (ps *problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{path, fmt.Sprintf(format, args...)})
}

func (ps *problems) inRange(path string, v, low, high int) {
	if v < low || v > high {
		ps.add(path, "%d is outside %d to %d", v, low, high)
	}
}

func (ps *problems) within(path string, v, low, high time.Duration) {
	if v < low || v > high {
		ps.add(path, "%v is outside %v to %v", v, low, high)
	}
}

func (ps *problems) oneOf(path, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		ps.add(path, "%q is not one of %s", v, strings.Join(allowed, ", "))
	}
}

// Validate reports every value that is wrong whatever the graph looks like.
func (c *Config) Validate() []Problem {
	var ps problems
	if len(c.Description) > maxDescription {
		ps.add("description", "%d bytes are over the limit of %d", len(c.Description), maxDescription)
	}
	ps.inRange("max_batch_size", c.MaxBatchSize, 0, maxBatchRows)
	c.validateBatchSizes(&ps)
	ps.inRange("instances", c.Instances, 1, maxRunners)
	ps.inRange("threads", c.Threads, 1, maxThreads)
	ps.within("max_queue_delay", c.MaxQueueDelay, 0, maxQueueDelay)
	ps.within("run_timeout", c.RunTimeout, time.Millisecond, maxRunTimeout)
	if c.QueueRows != 0 {
		ps.inRange("queue_rows", c.QueueRows, max(1, c.MaxBatchSize), maxQueueRows)
	}
	ps.oneOf("execution_provider", c.ExecutionProvider, ProviderCPU, ProviderCUDA)
	ps.inRange("cuda.device", c.CUDA.Device, 0, 1023)
	ps.inRange("cuda.memory_limit_mb", c.CUDA.MemoryLimitMB, 0, math.MaxInt32)
	ps.oneOf("cuda.on_missing", c.CUDA.OnMissing, OnMissingRefuse, OnMissingCPU)
	ps.oneOf("features", c.Features, FeaturesOptional, FeaturesRequired)
	c.validateNames(&ps)
	c.validateInputs(&ps)
	c.validateWarmup(&ps)
	return append(ps, c.ValidateVersions()...)
}

func (c *Config) validateBatchSizes(ps *problems) {
	for i, n := range c.BatchSizes {
		path := fmt.Sprintf("batch_sizes[%d]", i)
		ps.inRange(path, n, 1, max(1, c.MaxBatchSize))
		if i > 0 && n <= c.BatchSizes[i-1] {
			ps.add(path, "%d does not follow %d; list the sizes in ascending order, each once", n, c.BatchSizes[i-1])
		}
	}
	if n := len(c.BatchSizes); n > 0 && c.BatchSizes[n-1] < c.MaxBatchSize {
		ps.add("batch_sizes", "the largest, %d, is below max_batch_size %d: add %d, or lower max_batch_size",
			c.BatchSizes[n-1], c.MaxBatchSize, c.MaxBatchSize)
	}
}

// validateNames checks inputs, outputs, prediction and fallback against one another.
func (c *Config) validateNames(ps *problems) {
	inputs := make([]string, len(c.Inputs))
	for i, in := range c.Inputs {
		inputs[i] = in.Name
		path := fmt.Sprintf("inputs[%d].features", i)
		ps.names(path+"[%d]", in.Features)
		for j, f := range in.Features {
			entity, name, dotted := strings.Cut(f, ".")
			if dotted && (entity == "" || name == "") {
				ps.add(fmt.Sprintf("%s[%d]", path, j), "%q is not of the form entity.feature", f)
			}
		}
	}
	ps.names("inputs[%d].name", inputs)
	ps.names("outputs[%d]", c.Outputs)
	p := c.Prediction
	if p.Output == "" && p.Index != nil {
		ps.add("prediction.output", "is missing although prediction.index is given")
	}
	if p.Index != nil {
		ps.inRange("prediction.index", *p.Index, 0, maxPredictIndex)
	}
	if p.Output != "" && !c.Answers(p.Output) {
		ps.add("prediction.output", "%q is not among outputs; add it there", p.Output)
	}
	for _, name := range sortedKeys(c.Fallback) {
		path := fallbackPath(name)
		if !c.Answers(name) {
			ps.add(path, "is not among outputs; add it there, or remove it here")
		}
		if len(c.Fallback[name]) == 0 {
			ps.add(path, "has no values")
		}
	}
}

// names reports empty and repeated names; path has a %d for the index.
func (ps *problems) names(path string, names []string) {
	if len(names) > maxNames {
		ps.add(strings.TrimSuffix(path, "[%d]"), "%d names are over the limit of %d", len(names), maxNames)
		return
	}
	first := make(map[string]int, len(names))
	for i, name := range names {
		at := fmt.Sprintf(path, i)
		if name == "" {
			ps.add(at, "is empty; give a name")
		} else if j, ok := first[name]; ok {
			ps.add(at, "%q is already listed as "+path, name, j)
		} else {
			first[name] = i
		}
	}
}

// Answers reports whether the named output is one of those that are answered.
func (c *Config) Answers(output string) bool {
	return len(c.Outputs) == 0 || slices.Contains(c.Outputs, output)
}

func fallbackPath(output string) string { return keyPath("fallback", output) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
