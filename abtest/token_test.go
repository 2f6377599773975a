package abtest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

var tokenKey = []byte("0123456789abcdef")

func TestForceToken(t *testing.T) {
	token, err := ForceToken(tokenKey, "risk-v2", "treat.ment", 1000)
	if err != nil {
		t.Fatal(err)
	}
	// Pinned: whoever makes tokens in another language has to get this one.
	if want := "risk-v2/treat.ment:1000:QBoj8nQatlMUcH7v5Lewki0nLkUqhKNjtwudzJCqrUc"; token != want {
		t.Errorf("token %s, want %s", token, want)
	}
	if forced, err := VerifyForceToken(tokenKey, []byte(token), 999); err != nil || string(forced) != "risk-v2/treat.ment" {
		t.Errorf("verified %q, %v", forced, err)
	}
	code := token[strings.LastIndexByte(token, ':')+1:]
	for _, c := range []struct {
		about, token string
		key          []byte
		now          int64
		want         error
	}{
		{"expired", token, tokenKey, 1000, ErrTokenExpired},
		{"another key", token, []byte("0123456789abcdeg"), 0, ErrTokenCode},
		{"a longer life", "risk-v2/treat.ment:9999:" + code, tokenKey, 0, ErrTokenCode},
		{"another variant", "risk-v2/control:1000:" + code, tokenKey, 0, ErrTokenCode},
		{"a code cut short", token[:len(token)-1], tokenKey, 0, ErrTokenCode},
		{"no code", "risk-v2/treat.ment:1000:", tokenKey, 0, ErrTokenCode},
		{"a padded code", token + "=", tokenKey, 0, ErrTokenCode},
		{"no colon", "risk-v2", tokenKey, 0, ErrTokenForm},
		{"empty", "", tokenKey, 0, ErrTokenForm},
		{"too long", strings.Repeat("x", MaxTokenBytes) + ":", tokenKey, 0, ErrTokenForm},
		{"a short key", token, tokenKey[:15], 0, ErrTokenKey},
		{"signed, but without a time", signed("risk-v2/control"), tokenKey, 0, ErrTokenForm},
		{"signed, but with two times", signed("risk-v2/control:1:2"), tokenKey, 0, ErrTokenForm},
	} {
		if forced, err := VerifyForceToken(c.key, []byte(c.token), c.now); !errors.Is(err, c.want) || forced != nil {
			t.Errorf("%s: %q, %v, want %v", c.about, forced, err, c.want)
		}
	}
}

func signed(claim string) string { return claim + ":" + string(tokenCode(tokenKey, []byte(claim))) }

func TestForceTokenRefusesWhatItCannotSay(t *testing.T) {
	long := strings.Repeat("x", MaxNameBytes)
	if token, err := ForceToken(tokenKey, long, long, 1<<62); err != nil || len(token) > MaxTokenBytes {
		t.Errorf("the longest: %d bytes, %v", len(token), err)
	}
	for _, c := range []struct {
		key                 []byte
		experiment, variant string
		expires             int64
		want                error
	}{
		{tokenKey[:15], "e", "v", 1, ErrTokenKey}, {tokenKey, "", "v", 1, ErrTokenForm}, {tokenKey, "e", "v:1", 1, ErrTokenForm}, {tokenKey, "e", "v", -1, ErrTokenForm},
	} {
		if _, err := ForceToken(c.key, c.experiment, c.variant, c.expires); !errors.Is(err, c.want) {
			t.Errorf("%q %q: %v, want %v", c.experiment, c.variant, err, c.want)
		}
	}
}

func FuzzVerifyForceToken(f *testing.F) {
	f.Add([]byte("risk-v2/treat.ment:1000:QBoj8nQatlMUcH7v5Lewki0nLkUqhKNjtwudzJCqrUc"))
	f.Add([]byte(signed("a")))
	f.Fuzz(func(t *testing.T, token []byte) {
		forced, err := VerifyForceToken(tokenKey, token, 0)
		if err == nil && !bytes.HasSuffix(token, tokenCode(tokenKey, token[:bytes.LastIndexByte(token, ':')])) || err != nil && forced != nil {
			t.Errorf("%q: %q, %v", token, forced, err)
		}
	})
}
