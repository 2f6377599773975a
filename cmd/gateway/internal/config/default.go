package config

import "time"

// Default is the configuration of a gateway that is told nothing. It has every
// limit set: nothing is unbounded unless an operator says so.
func Default() *Config {
	return &Config{
		Server: Server{
			Listen: ":8080", AdminListen: "127.0.0.1:9090",
			MaxConnections: 1024, MaxInFlight: 1024,
			MaxBodyBytes: 256 << 10, MaxBatchBodyBytes: 1 << 20, MaxBatchInstances: 256,
			MaxInferBodyBytes: 16 << 20, BodyMemoryBytes: 1 << 30, CompressOverBytes: 16 << 10,
			MaxHeaderBytes: 8 << 10, MaxJSONDepth: 32,
			ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second, IdleTimeout: 30 * time.Second,
			LameDuck: time.Second, DrainTimeout: 10 * time.Second, AllowExplain: true,
			GRPCListen: ":8081", GRPCMaxConnections: 1024, GRPCMaxStreams: 256, GRPCMaxMessageBytes: 16 << 20,
			GRPCStreamInFlight: 16, GRPCStreamIdle: 5 * time.Minute,
			TLS: ServerTLS{MinVersion: "1.2"},
		},
		Auth:        defaultAuth(),
		Deadline:    Deadline{Default: 100 * time.Millisecond, Max: time.Second},
		Experiments: defaultExperiments(),
		Models: Models{
			Dir: "models", Mode: "watch", Load: []string{}, PollInterval: time.Second, Settle: 500 * time.Millisecond,
			KeepVersions: 2, LoadTimeout: time.Minute, TrialProcess: true,
			MaxFileBytes: 512 << 20, MaxModels: 200,
			DefaultMaxBatchSize: 64, DefaultQueueRows: 0, DefaultRunTimeout: 250 * time.Millisecond,
			DefaultInstances: 1, DefaultThreads: 1,
			Promotion: defaultPromotion(),
		},
		Features: Features{
			Budget: 20 * time.Millisecond,
			Redis:  defaultRedis(),
			Copies: Copies{Entries: 10_000, MaxAge: 10 * time.Minute, Refresh: time.Second},
		},
		Resilience: defaultResilience(),
		Fallback:   Fallback{Variant: true, Static: true, Copies: true, Defaults: true},
		Log:        Log{Level: "info", Format: "json"},
	}
}

func defaultPromotion() Promotion {
	return Promotion{
		History: 100, UploadTimeout: 5 * time.Minute, ShadowTimeout: 5 * time.Minute,
		Agreement: 0.99, Tolerance: 0.001,
		WatchWindow: 30 * time.Second, MaxErrorRate: 0.02, MaxLatencyRatio: 3,
	}
}

func defaultRedis() Redis {
	return Redis{
		Mode: "standalone", Addresses: []string{"127.0.0.1:6379"},
		Workers: 16, MaxBatch: 128, Queue: 1024, Connections: 1,
		DialTimeout: 250 * time.Millisecond, WriteTimeout: 500 * time.Millisecond,
		KeepAlive: 250 * time.Millisecond, HealInterval: 250 * time.Millisecond,
		ReadBuffer: 32 << 10, WriteBuffer: 32 << 10, MaxValueBytes: 64 << 10,
	}
}

func defaultResilience() Resilience {
	return Resilience{
		Redis: Guard{
			FailureRatio: 0.5, MinResults: 20, Window: time.Second, OpenFor: time.Second,
			Probes: 3, MaxConcurrent: 1024, RetryRatio: 0.1,
		},
		Model: Guard{
			FailureRatio: 0.5, MinResults: 10, ConsecutiveFailures: 3, Window: 5 * time.Second, OpenFor: time.Second,
			Probes: 3, MaxConcurrent: 1024, RetryRatio: 0.1,
		},
		Shadow: ShadowGuard{Workers: 2, Queue: 256, MaxConcurrent: 64, Timeout: 500 * time.Millisecond},
	}
}
