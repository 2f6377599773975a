package oip

// ModelConfig is the part of Triton's model configuration that means something
// here, as JSON of its protobuf message.
type ModelConfig struct {
	Name     string `json:"name"`
	Platform string `json:"platform"`
	Backend  string `json:"backend"`
	// VersionPolicy is one of latest, all and specific.
	VersionPolicy VersionPolicy `json:"version_policy"`
	// MaxBatchSize is 0 for a model without a batch dimension.
	MaxBatchSize  int32           `json:"max_batch_size"`
	Input         []ConfigTensor  `json:"input"`
	Output        []ConfigTensor  `json:"output"`
	InstanceGroup []InstanceGroup `json:"instance_group"`
	// DynamicBatching is nil for a model that cannot be batched.
	DynamicBatching *DynamicBatching           `json:"dynamic_batching,omitempty"`
	Parameters      map[string]ConfigParameter `json:"parameters"`
	DefaultModel    string                     `json:"default_model_filename"`
	Warmup          []Warmup                   `json:"model_warmup,omitempty"`
	Transaction     TransactionPolicy          `json:"model_transaction_policy"`
}

// ConfigTensor is an input or output; Dims leave the batch dimension out.
type ConfigTensor struct {
	Name string `json:"name"`
	// DataType is in the configuration's own spelling: TYPE_FP32, TYPE_STRING.
	DataType string  `json:"data_type"`
	Dims     []int64 `json:"dims"`
	// Reshape is what the model takes instead of Dims; nil for the same.
	Reshape     *Reshape `json:"reshape,omitempty"`
	AllowRagged bool     `json:"allow_ragged_batch,omitempty"`
}

// Reshape is a shape without the batch dimension.
type Reshape struct {
	Shape []int64 `json:"shape"`
}

// VersionPolicy says which versions serve; exactly one is set.
type VersionPolicy struct {
	Latest   *LatestPolicy   `json:"latest,omitempty"`
	All      *struct{}       `json:"all,omitempty"`
	Specific *SpecificPolicy `json:"specific,omitempty"`
}

// LatestPolicy serves the newest versions.
type LatestPolicy struct {
	NumVersions uint32 `json:"num_versions"`
}

// SpecificPolicy serves the versions listed.
type SpecificPolicy struct {
	Versions []int64 `json:"versions"`
}

// InstanceGroup is a set of equal runners. Kind is KIND_CPU or KIND_GPU.
type InstanceGroup struct {
	Name  string  `json:"name"`
	Kind  string  `json:"kind"`
	Count int32   `json:"count"`
	GPUs  []int32 `json:"gpus"`
}

// DynamicBatching is how requests are batched.
type DynamicBatching struct {
	PreferredBatchSize     []int32 `json:"preferred_batch_size"`
	MaxQueueDelayMicrosecs uint64  `json:"max_queue_delay_microseconds"`
	DefaultQueuePolicy     *Queue  `json:"default_queue_policy,omitempty"`
	PreserveOrdering       bool    `json:"preserve_ordering"`
	PriorityLevels         uint64  `json:"priority_levels"`
	DefaultPriorityLevel   uint64  `json:"default_priority_level"`
}

// Queue bounds what waits.
type Queue struct {
	MaxQueueSize uint32 `json:"max_queue_size"`
}

// ConfigParameter is a setting outside of the protocol.
type ConfigParameter struct {
	StringValue string `json:"string_value"`
}

// Warmup names a warm-up sample.
type Warmup struct {
	Name      string `json:"name"`
	BatchSize uint32 `json:"batch_size"`
	// Count is how often the sample is run.
	Count uint32 `json:"count"`
}

// TransactionPolicy is always one answer to a request here.
type TransactionPolicy struct {
	Decoupled bool `json:"decoupled"`
}
