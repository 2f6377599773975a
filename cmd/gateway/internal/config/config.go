package config

import (
	"time"

	"hotpath/models/strictyaml"
)

// Config is the whole configuration. Start from Default or Load.
type Config struct {
	Server      Server      `yaml:"server" doc:"The two listeners, the limits on what they accept, and how they stop."`
	Deadline    Deadline    `yaml:"deadline" doc:"The time one request may take, counted from its first byte."`
	Experiments Experiments `yaml:"experiments" doc:"A/B tests."`
	Models      Models      `yaml:"models" doc:"The model repository."`
	Runtime     Runtime     `yaml:"runtime" doc:"ONNX Runtime."`
	Features    Features    `yaml:"features" doc:"The feature store."`
	Resilience  Resilience  `yaml:"resilience" doc:"How failing and slow dependencies are kept from failing the gateway."`
	Fallback    Fallback    `yaml:"fallback" doc:"What may answer in place of what failed; each use shows in degraded."`
	Log         Log         `yaml:"log" doc:"The log on standard error."`
}

// Server configures the listeners.
type Server struct {
	Listen            string           `yaml:"listen" format:"address" doc:"host:port of predictions."`
	AdminListen       string           `yaml:"admin_listen" format:"address" doc:"host:port of metrics, health, profiles and model management; not to be reachable from outside."`
	MaxConnections    int              `yaml:"max_connections" min:"1" max:"1000000" doc:"Most open client connections; more are answered 503 overloaded and closed."`
	MaxInFlight       int              `yaml:"max_in_flight" min:"1" max:"1000000" doc:"Most requests in progress; more are answered 503 overloaded."`
	MaxBodyBytes      strictyaml.Bytes `yaml:"max_body_bytes" min:"1KiB" max:"1GiB" doc:"Largest body of one prediction, in bytes."`
	MaxBatchBodyBytes strictyaml.Bytes `yaml:"max_batch_body_bytes" min:"1KiB" max:"1GiB" doc:"Largest body of a batch, in bytes."`
	MaxBatchInstances int              `yaml:"max_batch_instances" min:"1" max:"65536" doc:"Most instances of one batch request."`
	MaxHeaderBytes    strictyaml.Bytes `yaml:"max_header_bytes" min:"1KiB" max:"1MiB" doc:"Largest request line and headers together, in bytes."`
	MaxJSONDepth      int              `yaml:"max_json_depth" min:"5" max:"1000" doc:"Most levels of arrays and objects in a body."`
	ReadTimeout       time.Duration    `yaml:"read_timeout" min:"1ms" max:"10m" doc:"Longest time for a request to arrive whole, as a duration."`
	WriteTimeout      time.Duration    `yaml:"write_timeout" min:"1ms" max:"10m" doc:"Longest time to write an answer, as a duration."`
	IdleTimeout       time.Duration    `yaml:"idle_timeout" min:"1ms" max:"1h" doc:"How long a connection may lie idle between requests, as a duration."`
	LameDuck          time.Duration    `yaml:"lame_duck" min:"0s" max:"5m" doc:"How long to go on serving while not ready when told to stop, so that load balancers notice, as a duration."`
	DrainTimeout      time.Duration    `yaml:"drain_timeout" min:"1ms" max:"10m" doc:"Longest wait for requests in progress when stopping, as a duration."`
	ServerTiming      bool             `yaml:"server_timing" doc:"Answer with a Server-Timing header that holds the time spent in each stage."`
	AllowExplain      bool             `yaml:"allow_explain" doc:"Answer ?explain=true with the feature vector, the origin of each value and the time spent per stage."`
}

// Deadline bounds one request.
type Deadline struct {
	Default time.Duration `yaml:"default" min:"1ms" max:"10m" doc:"Deadline of a request that names none, as a duration."`
	Max     time.Duration `yaml:"max" min:"1ms" max:"10m" doc:"Largest deadline that X-Request-Timeout-Ms can ask for, as a duration."`
}

// Experiments configures A/B tests.
type Experiments struct {
	File                string        `yaml:"file" format:"file" doc:"Path of experiments.yaml; empty: no experiments."`
	ReloadInterval      time.Duration `yaml:"reload_interval" min:"10ms" max:"1h" doc:"How often the file is looked at for changes, as a duration; SIGHUP reads it at once."`
	AllowForcedVariant  bool          `yaml:"allow_forced_variant" doc:"Let requests choose their variant by a header."`
	ForcedVariantHeader string        `yaml:"forced_variant_header" format:"header" doc:"Name of the header that chooses a variant."`
}

// Models configures the repository and the defaults of a model's config.yaml.
type Models struct {
	Dir                 string           `yaml:"dir" format:"dir" doc:"Path of the model repository: <model>/<version>/model.onnx."`
	Default             string           `yaml:"default" doc:"Model of a request that names none; empty: the only model, if there is exactly one."`
	Watch               bool             `yaml:"watch" doc:"Load and unload versions as their folders appear and disappear."`
	PollInterval        time.Duration    `yaml:"poll_interval" min:"10ms" max:"1h" doc:"How often the repository is looked at besides file notifications, as a duration."`
	Settle              time.Duration    `yaml:"settle" min:"1ms" max:"1h" doc:"How long a version's files must stay unchanged before it is loaded, as a duration."`
	KeepVersions        int              `yaml:"keep_versions" min:"1" max:"100" doc:"Most versions of one model kept loaded beside those that experiments name."`
	StateFile           string           `yaml:"state_file" doc:"Path of the file that keeps promotions over restarts; empty: they are lost."`
	LoadTimeout         time.Duration    `yaml:"load_timeout" min:"100ms" max:"1h" doc:"Longest time to load, warm and check one version, as a duration."`
	TrialProcess        bool             `yaml:"trial_process" doc:"Load each new version in a process of its own first, so that one that crashes ONNX Runtime is refused."`
	MaxFileBytes        strictyaml.Bytes `yaml:"max_file_bytes" min:"1KiB" max:"64GiB" doc:"Largest model file, in bytes."`
	MaxModels           int              `yaml:"max_models" min:"1" max:"10000" doc:"Most models in the repository."`
	DefaultMaxBatchSize int              `yaml:"default_max_batch_size" min:"1" max:"65536" doc:"Rows per run of a model whose config.yaml says nothing."`
	DefaultQueueRows    int              `yaml:"default_queue_rows" min:"0" max:"1048576" doc:"Rows that may wait for a model whose config.yaml says nothing; 0: 4 x its max_batch_size."`
	DefaultRunTimeout   time.Duration    `yaml:"default_run_timeout" min:"1ms" max:"10m" doc:"Longest run of a model whose config.yaml says nothing, as a duration."`
	DefaultInstances    int              `yaml:"default_instances" min:"1" max:"256" doc:"Runners, each with one run in flight, of a model whose config.yaml says nothing."`
	DefaultThreads      int              `yaml:"default_threads" min:"1" max:"256" doc:"Threads inside one run of a model whose config.yaml says nothing."`
}

// Runtime configures ONNX Runtime.
type Runtime struct {
	Library   string `yaml:"library" format:"file" doc:"Path of the ONNX Runtime library; empty: $ONNXRUNTIME_LIB, then the usual places."`
	Telemetry bool   `yaml:"telemetry" doc:"Leave ONNX Runtime's own telemetry events on, where its platform has them."`
}

// Log configures the log.
type Log struct {
	Level        string  `yaml:"level" enum:"debug,info,warn,error" doc:"Least severe level that is logged."`
	Format       string  `yaml:"format" enum:"json,text" doc:"Form of a log line."`
	AccessSample float64 `yaml:"access_sample" min:"0" max:"1" doc:"Share of requests that get an access log line, from 0 (none) to 1 (all)."`
}

// Fallback switches the steps of degraded answers.
type Fallback struct {
	Variant  bool `yaml:"variant" doc:"When a variant's model fails, answer with the experiment's fallback variant."`
	Static   bool `yaml:"static" doc:"When no model can answer, answer with the static answer of the model's config.yaml."`
	Copies   bool `yaml:"copies" doc:"When the store does not answer, use recent copies of its features from memory."`
	Defaults bool `yaml:"defaults" doc:"When the store does not answer and there is no copy, use the features' declared defaults."`
}
