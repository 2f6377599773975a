package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryKeyIsDescribed(t *testing.T) {
	env := map[string]string{}
	walk(reflect.ValueOf(Default()).Elem(), "", func(s section) {
		if !strings.HasSuffix(s.doc, ".") {
			t.Errorf("%s: doc %q is not a sentence", s.path, s.doc)
		}
	}, func(l leaf) {
		if l.path == "" || strings.ToLower(l.path) != l.path || strings.Contains(l.path, "..") {
			t.Errorf("%q is not the name of a key", l.path)
		}
		if !strings.HasSuffix(l.doc, ".") || strings.Count(l.doc, ". ") > 0 {
			t.Errorf("%s: doc %q is not one sentence", l.path, l.doc)
		}
		if other, ok := env[l.env]; ok {
			t.Errorf("%s and %s share the variable %s", l.path, other, l.env)
		}
		env[l.env] = l.path
		unit := map[string]string{"duration": "as a duration", "size": "in bytes"}[l.kind()]
		if unit != "" && !strings.Contains(l.doc, unit) {
			t.Errorf("%s: doc %q does not say %q", l.path, l.doc, unit)
		}
		if err := l.like(l.plain()).value; !reflect.DeepEqual(err.Interface(), l.value.Interface()) && l.kind() != "list of strings" {
			t.Errorf("%s: %v is read back as %v", l.path, l.value, err)
		}
	})
	if len(env) < 90 {
		t.Errorf("walk found %d keys only", len(env))
	}
}

// Zero is a choice only for these; everywhere else it would be a limit that is
// not there.
var mayBeZero = []string{
	"server.lame_duck", "server.compress_over_bytes", "features.redis.db", "features.copies.entries", "log.access_sample",
	// Quotas are for who is configured to have one; the gateway as a whole has its limits.
	"auth.anonymous_requests_per_second", "auth.anonymous_burst", "auth.jwt.requests_per_second", "auth.jwt.burst", "auth.jwt.leeway",
	"experiments.traffic_sample", "experiments.readout.replay_bytes",
	"resilience.redis.retry_ratio", "resilience.model.retry_ratio",
	"resilience.redis.consecutive_failures", "resilience.model.consecutive_failures",
	"models.promotion.agreement", "models.promotion.tolerance", "models.promotion.watch_window", "models.promotion.max_error_rate",
	derived,
}

// derived is finite though its default is 0: that is 4 x the batch size.
const derived = "models.default_queue_rows"

func TestEveryLimitIsFinite(t *testing.T) {
	for _, l := range leaves(Default()) {
		if !slices.Contains([]string{"integer", "number", "duration", "size"}, l.kind()) || len(l.enum) > 0 {
			continue
		}
		if l.min == "" || l.max == "" {
			t.Errorf("%s: a number needs min and max tags", l.path)
			continue
		}
		low, high := l.like(l.min).number(), l.like(l.max).number()
		if low >= high {
			t.Errorf("%s: min %s is not below max %s", l.path, l.min, l.max)
		}
		zeroAllowed := slices.Contains(mayBeZero, l.path)
		if (low <= 0) != zeroAllowed {
			t.Errorf("%s: min %s, and in mayBeZero: %v", l.path, l.min, zeroAllowed)
		}
		name := lastName(l.path)
		limit := strings.HasPrefix(name, "max") || strings.HasSuffix(name, "timeout") || strings.Contains(name, "queue") || !zeroAllowed
		if limit && l.number() <= 0 && l.path != derived {
			t.Errorf("%s: default %s is no limit", l.path, l.plain())
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	if ps := Default().Validate(); len(ps) > 0 {
		t.Errorf("got %v", ps)
	}
}

func TestEveryKeyCanBeSetAndChecked(t *testing.T) {
	wrong := map[string]string{"integer": "many", "number": "NaN", "duration": "250", "size": "-1", "bool": "yes"}
	for _, l := range leaves(Default()) {
		if text, ok := wrong[l.kind()]; ok {
			if err := l.set(text); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q gives %v", l.path, text, err)
			}
		}
		if l.check() != "" {
			t.Errorf("%s: a refused value was kept: %v", l.path, l.value)
		}
		if l.max != "" {
			if l.value.CanInt() {
				l.value.SetInt(1 << 62)
			} else {
				l.value.SetFloat(1e300)
			}
			if !strings.Contains(l.check(), "is outside "+l.min+" to "+l.max) {
				t.Errorf("%s: %v is accepted", l.path, l.value)
			}
		}
	}
}

func TestValidateFindsContradictions(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`server.listen: "localhost" is not host:port`:                                                       func(c *Config) { c.Server.Listen = "localhost" },
		`server.listen: ":99999": port "99999" is not a number from 1 to 65535`:                             func(c *Config) { c.Server.Listen = ":99999" },
		`server.admin_listen: :8080 is also server.listen; they need two ports`:                             func(c *Config) { c.Server.AdminListen, c.Server.AdminInsecure = ":8080", true },
		`server.max_batch_body_bytes: 1KiB is below server.max_body_bytes 256KiB`:                           func(c *Config) { c.Server.MaxBatchBodyBytes = 1024 },
		`deadline.default: 2s is above deadline.max 1s`:                                                     func(c *Config) { c.Deadline.Default = 2 * time.Second },
		`features.budget: 3s is above deadline.max 1s`:                                                      func(c *Config) { c.Features.Budget = 3 * time.Second },
		`models.dir: is empty; name a directory`:                                                            func(c *Config) { c.Models.Dir = "" },
		`models.default_queue_rows: 8 is below models.default_max_batch_size 64`:                            func(c *Config) { c.Models.DefaultQueueRows = 8 },
		`experiments.forced_variant_header: "X Y" is not the name of a header`:                              func(c *Config) { c.Experiments.ForcedVariantHeader = "X Y" },
		`features.redis.addresses: is empty; give at least one host:port`:                                   func(c *Config) { c.Features.Redis.Addresses = nil },
		`features.redis.addresses: ":6379" is not host:port`:                                                func(c *Config) { c.Features.Redis.Addresses = []string{":6379"} },
		`features.redis.mode: "clustre" is not one of standalone, sentinel, cluster; did you mean cluster?`: func(c *Config) { c.Features.Redis.Mode = "clustre" },
		`features.redis.connections: "3" is not one of 1, 2, 4, 8`:                                          func(c *Config) { c.Features.Redis.Connections = 3 },
		`features.redis.master_set: is needed in sentinel mode`:                                             func(c *Config) { c.Features.Redis.Mode = "sentinel" },
		`features.redis.master_set: "m": is for sentinel mode only, mode is standalone`:                     func(c *Config) { c.Features.Redis.MasterSet = "m" },
		`features.redis.db: 3: a cluster has database 0 only`:                                               func(c *Config) { c.Features.Redis.Mode, c.Features.Redis.DB = "cluster", 3 },
		`features.redis.tls.enabled: false, but other tls keys are set; set it to true or remove them`:      func(c *Config) { c.Features.Redis.TLS.CAFile = "ca.pem" },
		`resilience.model.probes: 9 is above max_concurrent 4`:                                              func(c *Config) { c.Resilience.Model.Probes, c.Resilience.Model.MaxConcurrent = 9, 4 },
		`log.access_sample: 1.5 is outside 0 to 1`:                                                          func(c *Config) { c.Log.AccessSample = 1.5 },
		`server.idle_timeout: 2h is outside 1ms to 1h`:                                                      func(c *Config) { c.Server.IdleTimeout = 2 * time.Hour },
		`experiments.allow_forced_variant: true, but experiments.file is empty: there is no variant to force`: func(c *Config) {
			c.Experiments.AllowForcedVariant = true
		},
		`server.drain_timeout: 500ms is below deadline.max 1s: requests that may still be answered would be cut off`: func(c *Config) {
			c.Server.DrainTimeout = 500 * time.Millisecond
		},
		`features.redis.addresses: standalone mode takes one address, got 2; use mode sentinel or cluster`: func(c *Config) {
			c.Features.Redis.Addresses = []string{"a:1", "b:2"}
		},
	} {
		c := Default()
		change(c)
		ps := c.Validate()
		if len(ps) != 1 || ps[0].String() != want {
			t.Errorf("got %v\nwant [%s]", ps, want)
		}
	}
	c := Default()
	c.Server.Listen, c.Server.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	if ps := c.Validate(); len(ps) > 0 {
		t.Errorf("two ports chosen by the system: %v", ps)
	}
}
