package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
)

// admits says who a key is admitted as.
func admits(t *testing.T, file, key string, need identity.Scopes) string {
	t.Helper()
	a := identitytest.Access(t, identity.Options{KeysFile: file})
	c, refusal := a.Admit(time.Now(), need, identity.Credentials{APIKey: []byte(key)})
	if refusal != nil {
		return refusal.Code.String()
	}
	return c.Name
}

func TestKeysAreMadeListedAndRevoked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	keys := func(args ...string) result {
		t.Helper()
		return cli(t, append([]string{"keys", "--keys-file", file}, args...)...)
	}
	made := keys("create", "ranking", "--scopes", "predict,models:read", "--quota", "100/200")
	made.wants(t, 0, "hp_", "Key ")
	first := strings.TrimSpace(made.out)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want a file for its owner alone", info.Mode(), err)
	}
	// What somebody wrote into the file stays.
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Dir(file), "keys.yaml", strings.Replace(string(data), "  - name: ranking", "  # the team of ranking\n  - name: ranking", 1))
	second := strings.TrimSpace(keys("create", "ranking", "--expires", "1h").out)
	keys("create", "ops", "--scopes", "admin").wants(t, 0, "hp_", "")
	data, err = os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if !strings.Contains(text, "# the team of ranking") || !strings.HasPrefix(text, "# Who may call") {
		t.Errorf("comments are gone:\n%s", text)
	}
	for _, key := range []string{first, second} {
		if strings.Contains(text, key[14:]) {
			t.Error("the key itself is in the file")
		}
		if got := admits(t, file, key, identity.ModelsRead); got != "ranking" {
			t.Errorf("a key of ranking: %s", got)
		}
	}
	list := keys("list")
	list.wants(t, 0, "CALLER", "")
	if row(list.out, "ranking", "predict,models:read", "100/s", first[3:13]) == "" || row(list.out, "ops", "admin") == "" || strings.Contains(list.out, first[14:]) {
		t.Errorf("the list is\n%s", list.out)
	}
	keys("list", "-o", "json").wants(t, 0, `"requests_per_second": 100`, "")
	keys("revoke", first[3:13]).wants(t, 0, "Key "+first[3:13]+" of ranking is no longer in "+file, "")
	if got := admits(t, file, first, identity.Predict) + " " + admits(t, file, second, identity.Predict); got != "unauthenticated ranking" {
		t.Errorf("the first and the second key: %s", got)
	}
	keys("revoke", first[3:13]).wants(t, 1, "", "there is no key with the id")
	keys("create", "ranking", "--scopes", "admin").wants(t, 1, "", "ranking is there with the scopes predict, models:read")
	keys("create", "ranking", "--quota", "7").wants(t, 1, "", "another quota")
	keys("create", "new").wants(t, 1, "", "say what they may do by --scopes")
	keys("create", "a b", "--scopes", "predict").wants(t, 2, "", "letters, digits")
	keys("create", "new", "--scopes", "predikt").wants(t, 2, "", "did you mean predict?")
	keys("create", "new", "--scopes", "predict", "--quota", "many").wants(t, 2, "", "100/200")
	keys("create", "new", "--scopes", "predict", "--expires", "-1h").wants(t, 2, "", "a time to come")
	cli(t, "keys", "list").wants(t, 2, "", "auth.keys_file is empty")
	cli(t, "keys", "list", "--set", "auth.keys_file="+file).wants(t, 0, "ranking", "")
	writeFile(t, filepath.Dir(file), "keys.yaml", "callers:\n  - nam: x\n")
	keys("create", "new", "--scopes", "predict").wants(t, 2, "", "keys.yaml:2:5: callers[0].nam: unknown key")
}

func TestKeysMadeAtOnceAreAllThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys.yaml")
	writeFile(t, dir, "real/keys.yaml", "callers:\n  - {name: other, scopes: [admin]}\n")
	if err := os.Symlink(filepath.Join(dir, "real/keys.yaml"), file); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	made := make([]string, 16)
	for i := range made {
		all.Go(func() {
			made[i] = strings.TrimSpace(cli(t, "keys", "create", "ranking", "--scopes", "predict", "--keys-file", file).out)
		})
	}
	all.Wait()
	for _, key := range made {
		if got := admits(t, file, key, identity.Predict); got != "ranking" {
			t.Errorf("one of many keys: %s", got)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", ".keys*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}
