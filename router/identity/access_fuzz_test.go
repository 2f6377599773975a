package identity_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
)

// FuzzAdmit wants only the one key in the one form to be anybody.
func FuzzAdmit(f *testing.F) {
	file := filepath.Join(f.TempDir(), "keys.yaml")
	entry, key := identitytest.Entry("ranking", "predict", "")
	identitytest.Write(f, file, entry)
	a := identitytest.Access(f, identity.Options{KeysFile: file})
	for _, seed := range []string{"Bearer " + key, "bearer  " + key, key, "Bearer", "Bearer ", "Basic dTpw", "Bearer " + key[:13], "Bearer " + key + "a", "Bearer hp_" + strings.Repeat("a", 63), "\x00\xff", "Bearer\t" + key} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, authorization, apiKey string) {
		c, refusal := a.Admit(time.Now(), identity.Predict, identity.Credentials{Authorization: []byte(authorization), APIKey: []byte(apiKey), Remote: here})
		scheme, token, _ := strings.Cut(authorization, " ")
		good := authorization == "" && apiKey == key || apiKey == "" && strings.EqualFold(scheme, "bearer") && strings.TrimLeft(token, " ") == key
		if admitted := refusal == nil && c != nil; admitted != good {
			t.Errorf("Authorization %q, X-API-Key %q: %v, %v", authorization, apiKey, c, refusal)
		}
		if refusal != nil && len(authorization) > 20 && strings.Contains(refusal.Message, authorization) {
			t.Errorf("the refusal repeats %q", authorization)
		}
	})
}

// FuzzParse wants every keys file to be refused or to be used, and to stay what it is
// when a key is added and taken out again.
func FuzzParse(f *testing.F) {
	entry, _ := identitytest.Entry("ranking", "predict, models:read", "    quota: {requests_per_second: 5}\n")
	f.Add("callers:\n" + entry)
	f.Add("callers:\n  - {name: x, scopes: [admin], certificates: ['dns:x']}\n")
	f.Add("callers: []\n")
	f.Fuzz(func(t *testing.T, text string) {
		before, err := identity.Parse("keys.yaml", []byte(text))
		if err != nil {
			return
		}
		next, _, id, err := identity.AddKey("keys.yaml", []byte(text), identity.NewEntry{Name: "fuzz", Scopes: []string{"predict"}}, time.Now())
		if err != nil {
			return // there is a caller fuzz with other scopes, or too many keys
		}
		next, _, err = identity.RemoveKey("keys.yaml", next, id)
		if err != nil {
			t.Fatalf("what AddKey wrote cannot be edited: %v\n%s", err, next)
		}
		after, err := identity.Parse("keys.yaml", next)
		if err != nil || len(after.Callers) < len(before.Callers) {
			t.Fatalf("%v\n%s", err, next)
		}
		for i := range before.Callers {
			if b, a := before.Callers[i], after.Callers[i]; b.Name != a.Name || len(b.Keys) != len(a.Keys) || len(b.Certificates) != len(a.Certificates) {
				t.Errorf("%+v became %+v", b, a)
			}
		}
	})
}
