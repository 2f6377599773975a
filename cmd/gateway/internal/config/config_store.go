package config

import (
	"time"

	"hotpath/models/strictyaml"
)

// Features configures where stored features come from.
type Features struct {
	Schema   string        `yaml:"schema" format:"file" doc:"Path of features.yaml; empty: models take their values from requests alone."`
	Embedded bool          `yaml:"embedded" doc:"Keep features in a store inside this process instead of Redis; for demonstrations, everything is lost at exit."`
	Budget   time.Duration `yaml:"budget" min:"1ms" max:"1m" doc:"Longest wait of one request for the store, as a duration; the request's deadline may cut it short."`
	Redis    Redis         `yaml:"redis" doc:"The Redis that holds the features."`
	Copies   Copies        `yaml:"copies" doc:"Recent copies in memory, used while Redis does not answer."`
}

// Redis configures the client.
type Redis struct {
	Mode                 string           `yaml:"mode" enum:"standalone,sentinel,cluster" doc:"How Redis is run."`
	Addresses            []string         `yaml:"addresses" format:"address" doc:"host:port of Redis, of the sentinels, or of some nodes of the cluster."`
	MasterSet            string           `yaml:"master_set" doc:"Name of the master set; sentinel mode only."`
	DB                   int              `yaml:"db" min:"0" max:"1048576" doc:"Number of the database; 0 in cluster mode."`
	Username             string           `yaml:"username" doc:"ACL user; empty: the default user."`
	Password             Secret           `yaml:"password" doc:"Password of the user; better given by password_file or the environment."`
	PasswordFile         string           `yaml:"password_file" format:"file" doc:"Path of a file that holds the password."`
	SentinelUsername     string           `yaml:"sentinel_username" doc:"ACL user of the sentinels; empty: the default user."`
	SentinelPassword     Secret           `yaml:"sentinel_password" doc:"Password of the sentinels' user."`
	SentinelPasswordFile string           `yaml:"sentinel_password_file" format:"file" doc:"Path of a file that holds the sentinels' password."`
	Workers              int              `yaml:"workers" min:"1" max:"64" doc:"Fetch workers; each has at most one pipeline outstanding."`
	MaxBatch             int              `yaml:"max_batch" min:"1" max:"4096" doc:"Most requests that share one pipeline."`
	Queue                int              `yaml:"queue" min:"1" max:"1048576" doc:"Requests that may wait for a worker; more go on without stored features."`
	Connections          int              `yaml:"connections" enum:"1,2,4,8" doc:"Connections to one Redis node."`
	DialTimeout          time.Duration    `yaml:"dial_timeout" min:"1ms" max:"1m" doc:"Longest time to connect, handshake included, as a duration."`
	WriteTimeout         time.Duration    `yaml:"write_timeout" min:"1ms" max:"1m" doc:"Longest time for a write, and for the answer to the client's own PING, as a duration."`
	KeepAlive            time.Duration    `yaml:"keep_alive" min:"1ms" max:"1m" doc:"Gap between PINGs on a silent connection, as a duration; a stall shows after twice this and write_timeout."`
	HealInterval         time.Duration    `yaml:"heal_interval" min:"1ms" max:"1m" doc:"Gap between attempts to get a lost connection back, as a duration."`
	ReadBuffer           strictyaml.Bytes `yaml:"read_buffer" min:"4KiB" max:"16MiB" doc:"Read buffer of one connection, in bytes."`
	WriteBuffer          strictyaml.Bytes `yaml:"write_buffer" min:"4KiB" max:"16MiB" doc:"Write buffer of one connection, in bytes."`
	MaxValueBytes        strictyaml.Bytes `yaml:"max_value_bytes" min:"64" max:"16MiB" doc:"Longest stored value in bytes; a longer one is invalid."`
	// TLS is last: a section within a section ends its table in the documentation.
	TLS TLS `yaml:"tls" doc:"Transport security of the connections to Redis and the sentinels."`
}

// TLS configures transport security.
type TLS struct {
	Enabled            bool   `yaml:"enabled" doc:"Use TLS."`
	CAFile             string `yaml:"ca_file" format:"file" doc:"Path of a PEM file with the accepted authorities; empty: the system's."`
	ServerName         string `yaml:"server_name" doc:"Name that the certificate must have; empty: the host of the address."`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify" doc:"Accept any certificate; for tests only."`
}

// Copies bounds the recent copies.
type Copies struct {
	Entries int           `yaml:"entries" min:"0" max:"10000000" doc:"Entities kept, the least recently used go first; 0: none."`
	MaxAge  time.Duration `yaml:"max_age" min:"1ms" max:"8760h" doc:"Age from which a copy is not used any more, as a duration."`
	Refresh time.Duration `yaml:"refresh" min:"1ms" max:"1h" doc:"Age up to which a copy is not replaced by a newer one, as a duration."`
}

// Resilience configures one guard per kind of dependency.
type Resilience struct {
	Redis  Guard       `yaml:"redis" doc:"The guard of the feature store."`
	Model  Guard       `yaml:"model" doc:"The guard of each model version."`
	Shadow ShadowGuard `yaml:"shadow" doc:"Bounds of shadow variants, which are scored beside the requests' path."`
}

// Guard configures one breaker and bulkhead.
type Guard struct {
	FailureRatio        float64       `yaml:"failure_ratio" min:"0.01" max:"1" doc:"Share of failures in the window, above 0 up to 1, that opens the breaker."`
	MinResults          int           `yaml:"min_results" min:"1" max:"1000000" doc:"Results in the window below which failure_ratio does not open the breaker."`
	ConsecutiveFailures int           `yaml:"consecutive_failures" min:"0" max:"1000000" doc:"Failures in a row that open the breaker whatever the window says, counted in full batches for a model; 0: never."`
	Window              time.Duration `yaml:"window" min:"100ms" max:"10m" doc:"Time over which failures are counted, as a duration."`
	OpenFor             time.Duration `yaml:"open_for" min:"10ms" max:"10m" doc:"How long an open breaker refuses before it tries again, as a duration."`
	Probes              int           `yaml:"probes" min:"1" max:"1000" doc:"Successes in a row that close the breaker again."`
	MaxConcurrent       int           `yaml:"max_concurrent" min:"1" max:"1000000" doc:"Most requests inside the dependency at once; more are refused."`
	RetryRatio          float64       `yaml:"retry_ratio" min:"0" max:"1" doc:"Retries allowed per request, from 0 (none) to 1."`
}

// ShadowGuard bounds shadow scoring.
type ShadowGuard struct {
	Workers       int           `yaml:"workers" min:"1" max:"256" doc:"Goroutines that score shadow variants."`
	Queue         int           `yaml:"queue" min:"1" max:"1048576" doc:"Shadow scores that may wait; more are dropped and counted."`
	MaxConcurrent int           `yaml:"max_concurrent" min:"1" max:"1000000" doc:"Most shadow scores inside one model at once; more are dropped and counted."`
	Timeout       time.Duration `yaml:"timeout" min:"1ms" max:"10m" doc:"Longest time for one shadow score, as a duration."`
}
