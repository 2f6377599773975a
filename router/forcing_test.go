package router_test

import (
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/router"
)

func TestForcing(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	first, second, stranger := []byte("0123456789abcdef"), []byte("fedcba9876543210"), []byte("................")
	token := func(key []byte, expires int64) string {
		s, err := abtest.ForceToken(key, "risk-test", "treatment", expires)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	names, both := router.Forcing{}, router.Forcing{Keys: [][]byte{first, second}}
	only := router.Forcing{Keys: [][]byte{first, second}, TokensOnly: true}
	good := token(second, 1_000_001)
	for _, c := range []struct {
		about   string
		forcing router.Forcing
		value   string
		forced  string
		says    string
	}{
		{"nothing", only, "", "", ""},
		{"a name", both, "treatment", "treatment", ""},
		{"a name where tokens alone count", only, "treatment", "", "names are not taken"},
		{"a token of the second key", only, good, "risk-test/treatment", ""},
		{"a token beside names", both, token(first, 1_000_001), "risk-test/treatment", ""},
		{"a token without keys", names, good, "", "no key"},
		{"a token of another key", only, token(stranger, 1_000_001), "", "another key"},
		{"a token that has expired", only, token(first, 1_000_000), "", "expired"},
		{"a changed token", only, strings.Replace(good, "treatment", "control", 1), "", "another key"},
		{"no token", only, "a:", "", "another key"},
		{"a long one", only, good + strings.Repeat("x", 1000), "", "is not a token"},
	} {
		forced, refusal := c.forcing.Read("X-Variant", []byte(c.value), now)
		switch {
		case c.says == "" && refusal != nil, string(forced) != c.forced:
			t.Errorf("%s: %q, %v", c.about, forced, refusal)
		case c.says != "" && (refusal == nil || refusal.Code != router.Forbidden || refusal.Field != "X-Variant" || !strings.Contains(refusal.Message, c.says)):
			t.Errorf("%s: %v", c.about, refusal)
		}
	}
	if err := only.Validate(); err != nil {
		t.Error(err)
	}
	if err := (&router.Forcing{Keys: [][]byte{first, []byte("short")}}).Validate(); err == nil {
		t.Error("a short key is taken")
	}
}
