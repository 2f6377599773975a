package token

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a set of keys.
const (
	maxKeySet = 1 << 20
	maxKeys   = 256
)

// keys is a set of an issuer's keys, with what was verified by them.
type keys struct {
	digest   [sha256.Size]byte // of the set as it was read
	byID     map[string]*jose.JSONWebKey
	verified *cache
}

// parseKeys reads a JSON Web Key Set. Keys that are not for signatures, or of a kind
// that is not known, are left out: an issuer may have some for others. One that both
// sides share, or a private one, does not belong there: the set is refused.
func parseKeys(data []byte, entries int) (*keys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("it is no JSON Web Key Set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, at most %d are taken", len(set.Keys), maxKeys)
	}
	k := &keys{digest: sha256.Sum256(data), byID: map[string]*jose.JSONWebKey{}, verified: newCache(entries)}
	for i, raw := range set.Keys {
		key := &jose.JSONWebKey{}
		if key.UnmarshalJSON(raw) != nil {
			continue
		}
		if !key.IsPublic() {
			return nil, fmt.Errorf("keys[%d] (%.80q) is a private or a shared key; the set is to hold public keys alone", i, key.KeyID)
		}
		if key.KeyID != "" && key.Valid() && (key.Use == "" || key.Use == "sig") {
			k.byID[key.KeyID] = key
		}
	}
	if len(k.byID) == 0 {
		return nil, errNoKeys
	}
	return k, nil
}

var errNoKeys = errors.New("it has no public key for signatures that has a kid")
