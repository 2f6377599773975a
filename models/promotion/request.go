package promotion

import (
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"hotpath/models/repository"
)

// Duration is a time.Duration that is written as 1m30s.
type Duration time.Duration

// String is the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Request says what to deploy and how careful to be. Start from Options.Defaults.
type Request struct {
	// Version is the number of the new version; 0: one above the highest.
	Version int `json:"version,omitempty"`
	// From is a version that is in the repository already; there are no files then.
	From int `json:"from,omitempty"`
	// SHA256 is what the model.onnx must have, in hex; "" for no check.
	SHA256 string `json:"sha256,omitempty"`
	// AllowContractChange lets inputs and outputs differ from those that serve.
	AllowContractChange bool `json:"allow_contract_change,omitempty"`
	// ShadowRequests or ShadowTime is how much live traffic to compare; 0: none.
	ShadowRequests int      `json:"shadow_requests,omitempty"`
	ShadowTime     Duration `json:"shadow_time,omitempty"`
	// Agreement is the least share of compared requests whose answers differ by at
	// most Tolerance.
	Agreement float64 `json:"agreement"`
	Tolerance float64 `json:"tolerance"`
	// WatchWindow is how long the version is watched after the switch; 0: not.
	WatchWindow Duration `json:"watch_window"`
	// MaxErrorRate bounds the share of failed and of non-finite answers, in the
	// shadow and in the watch; MaxLatencyRatio the time of a run over that of the
	// version before.
	MaxErrorRate    float64 `json:"max_error_rate"`
	MaxLatencyRatio float64 `json:"max_latency_ratio"`
	// By is who asks, for the record; empty where nobody has to say.
	By string `json:"by,omitempty"`
}

// The limits of a Request.
const (
	maxShadowRequests = 10_000_000
	maxWindow         = 24 * time.Hour
)

// validate names the parameter, the value and what it may be.
func (r *Request) validate() error {
	bad := func(name string, value any, want string) error {
		return fail(CodeBadRequest, "%s is %v; it must be %s", name, value, want)
	}
	switch {
	case r.Version < 0 || r.Version > repository.MaxVersion:
		return bad("version", r.Version, fmt.Sprintf("1 to %d", repository.MaxVersion))
	case r.From < 0 || r.From > repository.MaxVersion:
		return bad("from", r.From, fmt.Sprintf("1 to %d", repository.MaxVersion))
	case r.From != 0 && r.Version != 0 && r.From != r.Version:
		return fail(CodeBadRequest, "version %d and from %d are given; from names the version, leave version out", r.Version, r.From)
	case r.SHA256 != "" && !isSHA256(r.SHA256):
		return bad("sha256", r.SHA256, "64 hexadecimal digits in lower case")
	case r.ShadowRequests < 0 || r.ShadowRequests > maxShadowRequests:
		return bad("shadow", r.ShadowRequests, fmt.Sprintf("1 to %d requests", maxShadowRequests))
	case r.ShadowTime < 0 || time.Duration(r.ShadowTime) > maxWindow:
		return bad("shadow", r.ShadowTime, "0s to "+maxWindow.String())
	case !(r.Agreement >= 0 && r.Agreement <= 1):
		return bad("agreement", r.Agreement, "0 to 1")
	case !(r.Tolerance >= 0 && r.Tolerance <= math.MaxFloat64):
		return bad("tolerance", r.Tolerance, "0 or more")
	case r.WatchWindow < 0 || time.Duration(r.WatchWindow) > maxWindow:
		return bad("watch_window", r.WatchWindow, "0s to "+maxWindow.String())
	case !(r.MaxErrorRate >= 0 && r.MaxErrorRate <= 1):
		return bad("max_error_rate", r.MaxErrorRate, "0 to 1")
	case !(r.MaxLatencyRatio >= 1 && r.MaxLatencyRatio <= math.MaxFloat64):
		return bad("max_latency_ratio", r.MaxLatencyRatio, "1 or more")
	}
	return nil
}

func isSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}

// maxKey bounds an idempotency key, in bytes.
const maxKey = 200

func checkKey(key string) error {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' || len(key) > maxKey {
			return fail(CodeBadRequest, "the idempotency key is not 1 to %d visible ASCII characters", maxKey)
		}
	}
	return nil
}
