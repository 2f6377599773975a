package models

import "strings"

// Origin says where a feature's value in a vector came from.
type Origin uint8

// The origins, in the order in which the feature stage tries them.
const (
	// OriginUnset is a feature that nothing has filled yet.
	OriginUnset Origin = iota
	// OriginRequest is a value sent with the request.
	OriginRequest
	// OriginStore is a fresh value read from the feature store.
	OriginStore
	// OriginCopy is a recent copy kept in memory, used while the store is not answering.
	OriginCopy
	// OriginDefault is the declared default of a feature that only requests bring:
	// this one did not.
	OriginDefault
	// OriginMissing is the declared default: entity or field is not in the store.
	OriginMissing
	// OriginStale is the declared default: the stored value is older than its maximum age.
	OriginStale
	// OriginInvalid is the declared default: the stored value has the wrong type, or is NaN or infinite.
	OriginInvalid
	// OriginUnavailable is the declared default: the store did not answer and there is no copy.
	OriginUnavailable
	// NumOrigins is how many there are.
	NumOrigins
)

var originNames = [NumOrigins]string{"unset", "request", "store", "copy", "default", "default_missing",
	"default_stale", "default_invalid", "default_unavailable"}

// String is the name shown in ?explain=true and in metrics.
func (o Origin) String() string { return originNames[o] }

// Why is the reason for a default as a word of its own: missing, stale, invalid
// or unavailable; empty for values that are none.
func (o Origin) Why() string {
	if !o.Defaulted() {
		return ""
	}
	return strings.TrimPrefix(originNames[o], "default_")
}

// Defaulted says that a default stands for a value that the store should have had.
func (o Origin) Defaulted() bool { return o >= OriginMissing }

// Origins lists every origin, for metrics made in advance.
func Origins() []Origin {
	all := make([]Origin, NumOrigins)
	for i := range all {
		all[i] = Origin(i)
	}
	return all
}
