package abtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
)

// The bounds of a token and of its key.
const (
	// MaxTokenBytes holds the longest: two names, a time and a code.
	MaxTokenBytes = 2*MaxNameBytes + 1 + 1 + 20 + 1 + 43
	// MinTokenKeyBytes keeps a key from being guessed.
	MinTokenKeyBytes = 16
)

// What can be wrong with a token that forces a variant.
var (
	ErrTokenKey     = errors.New("abtest: the key of forcing tokens has fewer than 16 bytes")
	ErrTokenForm    = errors.New("abtest: a forcing token is experiment/variant:expiry:code")
	ErrTokenCode    = errors.New("abtest: the forcing token's code is not that of this key")
	ErrTokenExpired = errors.New("abtest: the forcing token has expired")
)

// tokenPurpose keeps the code from being one for anything else.
const tokenPurpose = "hotpath force 1\x00"

// ForceToken is a text that lets whoever has it force a variant until expires,
// in seconds since 1970. It is
//
//	experiment/variant:expires:code
//	code = base64url(HMAC-SHA256(key, "hotpath force 1\0" + "experiment/variant:expires"))
//
// with the base64url of RFC 4648 without padding.
func ForceToken(key []byte, experiment, variant string, expires int64) (string, error) {
	if len(key) < MinTokenKeyBytes {
		return "", ErrTokenKey
	}
	if !validName(experiment) || !validName(variant) || expires < 0 {
		return "", ErrTokenForm
	}
	claim := experiment + "/" + variant + ":" + strconv.FormatInt(expires, 10)
	return claim + ":" + string(tokenCode(key, []byte(claim))), nil
}

// VerifyForceToken reads a token at the time now and returns the
// "experiment/variant" in it, for Request.Forced. The codes are compared in
// constant time, and before anything that the token says is looked at.
func VerifyForceToken(key, token []byte, now int64) (forced []byte, err error) {
	if len(key) < MinTokenKeyBytes {
		return nil, ErrTokenKey
	}
	end := bytes.LastIndexByte(token, ':')
	if len(token) > MaxTokenBytes || end < 0 {
		return nil, ErrTokenForm
	}
	claim := token[:end]
	if !hmac.Equal(tokenCode(key, claim), token[end+1:]) {
		return nil, ErrTokenCode
	}
	forced, expiry, ok := bytes.Cut(claim, []byte(":"))
	expires, err := strconv.ParseInt(string(expiry), 10, 64)
	if !ok || err != nil {
		return nil, ErrTokenForm
	}
	if now >= expires {
		return nil, ErrTokenExpired
	}
	return forced, nil
}

func tokenCode(key, claim []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(tokenPurpose))
	mac.Write(claim)
	return base64.RawURLEncoding.AppendEncode(nil, mac.Sum(nil))
}
