package config

import (
	"time"

	"hotpath/models/strictyaml"
)

// Config is the whole configuration. Start from Default or Load.
type Config struct {
	Server      Server      `yaml:"server" doc:"The listeners, the limits on what they accept, and how they stop."`
	Auth        Auth        `yaml:"auth" doc:"Who may do what: API keys, tokens and client certificates (docs/security.md)."`
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
	AdminListen       string           `yaml:"admin_listen" format:"address" doc:"host:port of metrics, health, profiles and model management; wider than loopback it needs auth, or admin_insecure."`
	AdminInsecure     bool             `yaml:"admin_insecure" doc:"Let the admin port listen wider than loopback although nobody has to say who they are."`
	MaxConnections    int              `yaml:"max_connections" min:"1" max:"1000000" doc:"Most open client connections; more are answered 503 overloaded and closed."`
	MaxInFlight       int              `yaml:"max_in_flight" min:"1" max:"1000000" doc:"Most requests in progress; more are answered 503 overloaded."`
	MaxBodyBytes      strictyaml.Bytes `yaml:"max_body_bytes" min:"1KiB" max:"1GiB" doc:"Largest body of one prediction, in bytes."`
	MaxBatchBodyBytes strictyaml.Bytes `yaml:"max_batch_body_bytes" min:"1KiB" max:"1GiB" doc:"Largest body of a batch, in bytes."`
	MaxInferBodyBytes strictyaml.Bytes `yaml:"max_infer_body_bytes" min:"1KiB" max:"1GiB" doc:"Largest body of a request with tensors (/v2/models/{model}/infer, /v1/models/{model}:predict), in bytes, decoded where it is compressed; also the largest size of its tensors."`
	BodyMemoryBytes   strictyaml.Bytes `yaml:"body_memory_bytes" min:"1MiB" max:"1024GiB" doc:"Most memory for request bodies over 64 KiB being read or scored together, in bytes; more are answered 503 overloaded before they are read."`
	CompressOverBytes strictyaml.Bytes `yaml:"compress_over_bytes" min:"0" max:"1GiB" doc:"Size from which answers with tensors are compressed for clients that accept gzip or deflate, in bytes; 0: never."`
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
	RepositoryAPI     bool             `yaml:"repository_api" doc:"Let clients of the Open Inference Protocol load and unload models, over HTTP and gRPC: those with the scope models:write, and everybody where nobody has to say who they are."`

	GRPCListen          string           `yaml:"grpc_listen" format:"address or off" doc:"host:port of the Open Inference Protocol over gRPC; off: no such port."`
	GRPCMaxConnections  int              `yaml:"grpc_max_connections" min:"1" max:"1000000" doc:"Most open connections of gRPC clients; more are closed."`
	GRPCMaxStreams      int              `yaml:"grpc_max_streams" min:"1" max:"1000000" doc:"Most calls in progress of one gRPC connection; a client keeps back what is over it."`
	GRPCMaxMessageBytes strictyaml.Bytes `yaml:"grpc_max_message_bytes" min:"1KiB" max:"1GiB" doc:"Largest gRPC request or answer, uncompressed, in bytes."`
	GRPCStreamInFlight  int              `yaml:"grpc_stream_in_flight" min:"1" max:"1024" doc:"Most requests in progress of one ModelStreamInfer; more wait in the connection."`
	GRPCStreamIdle      time.Duration    `yaml:"grpc_stream_idle" min:"1s" max:"24h" doc:"How long a ModelStreamInfer may bring no request, as a duration."`
	// TLS is last: a section within a section ends its table in the documentation.
	TLS ServerTLS `yaml:"tls" doc:"Transport security of all three ports. The files are read again when they change."`
}

// Deadline bounds one request.
type Deadline struct {
	Default time.Duration `yaml:"default" min:"1ms" max:"10m" doc:"Deadline of a request that names none, as a duration."`
	Max     time.Duration `yaml:"max" min:"1ms" max:"10m" doc:"Largest deadline that X-Request-Timeout-Ms can ask for, as a duration."`
}

// Models configures the repository and the defaults of a model's config.yaml.
type Models struct {
	Dir                 string           `yaml:"dir" format:"dir" doc:"Path of the model repository: <model>/<version>/model.onnx."`
	Default             string           `yaml:"default" doc:"Model of a request that names none; empty: the only model, if there is exactly one."`
	Mode                string           `yaml:"mode" enum:"watch,poll,explicit" doc:"When files are loaded; watch: as they come and go, found by notifications and polling; poll: by polling alone; explicit: at start those of models.load, later what somebody asks for."`
	Load                []string         `yaml:"load" doc:"Models that explicit mode loads at start; \"*\": all."`
	PollInterval        time.Duration    `yaml:"poll_interval" min:"10ms" max:"1h" doc:"How often the repository is looked at, besides file notifications in mode watch, as a duration."`
	Settle              time.Duration    `yaml:"settle" min:"1ms" max:"1h" doc:"How long a version's files must stay unchanged before it is loaded, as a duration."`
	KeepVersions        int              `yaml:"keep_versions" min:"1" max:"100" doc:"Newest versions of one model kept loaded, where its config.yaml has no version_policy, beside those that experiments and labels name."`
	StateFile           string           `yaml:"state_file" doc:"Path of the file that keeps promotions, unloads and labels over restarts; empty: they are lost."`
	LoadTimeout         time.Duration    `yaml:"load_timeout" min:"100ms" max:"1h" doc:"Longest time to load, warm and check one version, as a duration."`
	TrialProcess        bool             `yaml:"trial_process" doc:"Load each new version in a process of its own first, so that one that crashes ONNX Runtime is refused."`
	MaxFileBytes        strictyaml.Bytes `yaml:"max_file_bytes" min:"1KiB" max:"64GiB" doc:"Largest model file, in bytes."`
	MaxModels           int              `yaml:"max_models" min:"1" max:"10000" doc:"Most models in the repository."`
	DefaultMaxBatchSize int              `yaml:"default_max_batch_size" min:"1" max:"65536" doc:"Rows per run of a model whose config.yaml says nothing."`
	DefaultQueueRows    int              `yaml:"default_queue_rows" min:"0" max:"1048576" doc:"Rows that may wait for a model whose config.yaml says nothing; 0: 4 x its max_batch_size."`
	DefaultRunTimeout   time.Duration    `yaml:"default_run_timeout" min:"1ms" max:"10m" doc:"Longest run of a model whose config.yaml says nothing, as a duration."`
	DefaultInstances    int              `yaml:"default_instances" min:"1" max:"256" doc:"Runners, each with one run in flight, of a model whose config.yaml says nothing."`
	DefaultThreads      int              `yaml:"default_threads" min:"1" max:"256" doc:"Threads inside one run of a model whose config.yaml says nothing."`
	// Promotion is last: a section within a section ends its table in the documentation.
	Promotion Promotion `yaml:"promotion" doc:"Deployments of new versions through the admin port; requests may ask for other numbers."`
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
