package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
)

// The form of an API key: hp_<id>_<secret>, of lower-case letters and digits. A whole
// key can be found by secret scanners, and marked by a double click.
const (
	keyPrefix = "hp_"
	idLength  = 10
	// secretLength holds 256 bits at 5 a letter. It is less than a block of SHA-256.
	secretLength = 52
	keyLength    = len(keyPrefix) + idLength + 1 + secretLength
)

var keyAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewKey makes a key, and what the keys file has of it.
func NewKey() (key, id, hash string) {
	var random [32]byte
	// Since Go 1.24 it cannot fail: it ends the process instead.
	_, _ = rand.Read(random[:])
	secret := keyAlphabet.EncodeToString(random[:])
	var short [7]byte
	_, _ = rand.Read(short[:])
	id = keyAlphabet.EncodeToString(short[:])[:idLength]
	sum := sha256.Sum256([]byte(secret))
	return keyPrefix + id + "_" + secret, id, hex.EncodeToString(sum[:])
}

// IsKey says whether a text is meant to be a key.
func IsKey(text []byte) bool { return bytes.HasPrefix(text, []byte(keyPrefix)) }

// splitKey takes a key apart; false for what has not its form.
func splitKey(key []byte) (id, secret []byte, ok bool) {
	if len(key) != keyLength || !IsKey(key) || key[keyLength-secretLength-1] != '_' {
		return nil, nil, false
	}
	id, secret = key[len(keyPrefix):len(keyPrefix)+idLength], key[keyLength-secretLength:]
	return id, secret, isKeyText(id) && isKeyText(secret)
}

func isKeyText[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; !(c >= 'a' && c <= 'z' || c >= '2' && c <= '7') {
			return false
		}
	}
	return true
}

// bearer is the token of an Authorization header; false where it has another scheme.
func bearer(header []byte) (token []byte, ok bool) {
	const scheme = "bearer "
	if len(header) <= len(scheme) || !bytes.EqualFold(header[:len(scheme)], []byte(scheme)) {
		return nil, false
	}
	token = bytes.TrimLeft(header[len(scheme):], " ")
	return token, len(token) > 0 && bytes.IndexByte(token, ' ') < 0
}
