package router

import (
	"bytes"
	"errors"
	"time"

	"hotpath/abtest"
)

// Forcing says how a request may choose its variant. Its zero lets it by name.
type Forcing struct {
	// Keys verify signed tokens (abtest.ForceToken), each of abtest.MinTokenKeyBytes
	// at least: the one in use and those that it follows. None: tokens are refused.
	Keys [][]byte
	// TokensOnly refuses plain names.
	TokensOnly bool
}

// Validate reports a key that cannot verify anything.
func (f *Forcing) Validate() error {
	for _, key := range f.Keys {
		if len(key) < abtest.MinTokenKeyBytes {
			return abtest.ErrTokenKey
		}
	}
	return nil
}

// Read turns what the field of a request holds, a header or metadata, into the
// variant that it forces. A name has no colon and a token has, so that they cannot
// be taken for each other.
func (f *Forcing) Read(field string, value []byte, now time.Time) (forced []byte, refusal *Error) {
	if bytes.IndexByte(value, ':') < 0 {
		if f.TokensOnly && len(value) > 0 {
			return nil, &Error{Code: Forbidden, Field: field, Message: "must be a signed token (experiment/variant:expires:code): names are not taken here (experiments.allow_forced_variant)"}
		}
		return value, nil
	}
	if len(f.Keys) == 0 {
		return nil, &Error{Code: Forbidden, Field: field, Message: "is a signed token, and there is no key to verify it with (experiments.force_key)"}
	}
	err := abtest.ErrTokenCode
	for _, key := range f.Keys {
		if forced, err = abtest.VerifyForceToken(key, value, now.Unix()); !errors.Is(err, abtest.ErrTokenCode) {
			break
		}
	}
	switch {
	case err == nil:
		return forced, nil
	case errors.Is(err, abtest.ErrTokenExpired):
		return nil, &Error{Code: Forbidden, Field: field, Message: "is a token that has expired; have a new one signed"}
	case errors.Is(err, abtest.ErrTokenForm):
		return nil, &Error{Code: Forbidden, Field: field, Message: "is not a token: that is experiment/variant:expires:code"}
	}
	return nil, &Error{Code: Forbidden, Field: field, Message: "is a token that was signed with another key, or changed since"}
}
