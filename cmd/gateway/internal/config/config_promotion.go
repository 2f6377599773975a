package config

import "time"

// Promotion configures the deployment of new versions through the admin port.
type Promotion struct {
	Dir             string        `yaml:"dir" doc:"Path of the directory that keeps the deployments' journals; empty: deployments beside models.state_file, or .deployments in models.dir without one."`
	History         int           `yaml:"history" min:"1" max:"10000" doc:"Deployments that have ended which are kept."`
	UploadTimeout   time.Duration `yaml:"upload_timeout" min:"1s" max:"24h" doc:"Longest time for the files of a deployment to arrive, as a duration."`
	ShadowTimeout   time.Duration `yaml:"shadow_timeout" min:"1s" max:"24h" doc:"Longest wait for the requests that a shadow is to compare, as a duration."`
	Agreement       float64       `yaml:"agreement" min:"0" max:"1" doc:"Least share of compared requests that both versions must answer alike."`
	Tolerance       float64       `yaml:"tolerance" min:"0" max:"1e9" doc:"Largest difference of two predictions that are alike."`
	WatchWindow     time.Duration `yaml:"watch_window" min:"0s" max:"24h" doc:"How long a version is watched after it has become current, as a duration; 0s: not at all."`
	MaxErrorRate    float64       `yaml:"max_error_rate" min:"0" max:"1" doc:"Share of failed requests, and of NaN, above which a new version is taken back."`
	MaxLatencyRatio float64       `yaml:"max_latency_ratio" min:"1" max:"1e9" doc:"How many times as long as the version before's a new version's runs may take."`
}
