package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotpath/models/strictyaml"
)

// fileHead begins a keys file that is made here.
const fileHead = "# Who may call the gateway, and what they may do: docs/security.md. The keys themselves\n" +
	"# are not here, only what they are recognised by. Edit it by hand, or by `gateway keys`.\n"

// NewEntry is a key to be made.
type NewEntry struct {
	Name string
	// Scopes and Quota are those of a new caller. One that is there keeps its own.
	Scopes []string
	Quota  Quota
	// Expires is when the key ends; zero: never.
	Expires time.Time
}

// AddKey makes a key, and the content of the keys file with it. No content is a new
// file. Comments and order of the file stay as they are.
func AddKey(file string, data []byte, e NewEntry, now time.Time) (next []byte, key, id string, err error) {
	f := &File{}
	if len(data) > 0 {
		if f, err = Parse(file, data); err != nil {
			return nil, "", "", err
		}
	}
	i := slices.IndexFunc(f.Callers, func(c CallerEntry) bool { return c.Name == e.Name })
	switch {
	case i < 0 && len(e.Scopes) == 0:
		return nil, "", "", fmt.Errorf("%s is new: say what they may do by --scopes, of %s", e.Name, strings.Join(ScopeNames(), ", "))
	case i < 0:
		f.Callers = append(f.Callers, CallerEntry{Name: e.Name, Scopes: sorted(e.Scopes), Quota: e.Quota})
		i = len(f.Callers) - 1
	case len(e.Scopes) > 0 && !slices.Equal(sorted(e.Scopes), sorted(f.Callers[i].Scopes)):
		return nil, "", "", fmt.Errorf("%s is there with the scopes %s; a new key has the same: leave --scopes out, or change them in %s",
			e.Name, strings.Join(f.Callers[i].Scopes, ", "), file)
	case e.Quota != Quota{} && e.Quota != f.Callers[i].Quota:
		return nil, "", "", fmt.Errorf("%s is there with another quota, which is that of all their keys: leave --quota out, or change it in %s", e.Name, file)
	}
	key, id, hash := NewKey()
	entry := KeyEntry{ID: id, SHA256: hash, Created: now.UTC().Format(time.RFC3339)}
	if !e.Expires.IsZero() {
		entry.Expires = e.Expires.UTC().Format(time.RFC3339)
	}
	f.Callers[i].Keys = append(f.Callers[i].Keys, entry)
	if next, err = f.over(file, data); err != nil {
		return nil, "", "", err
	}
	return next, key, id, nil
}

// RemoveKey is the content of the keys file without a key, and whose it was. The caller
// stays, for their certificates and the keys to come.
func RemoveKey(file string, data []byte, id string) (next []byte, caller string, err error) {
	f, err := Parse(file, data)
	if err != nil {
		return nil, "", err
	}
	for i := range f.Callers {
		c := &f.Callers[i]
		k := slices.IndexFunc(c.Keys, func(k KeyEntry) bool { return k.ID == id })
		if k < 0 {
			continue
		}
		c.Keys = slices.Delete(c.Keys, k, k+1)
		next, err = f.over(file, data)
		return next, c.Name, err
	}
	return nil, "", fmt.Errorf("there is no key with the id %.40q in %s; see `gateway keys list`", id, file)
}

// over writes the file over what it was read from.
func (f *File) over(name string, data []byte) ([]byte, error) {
	document, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	next, err := new(strictyaml.Reader).Rewrite(data, document, "callers")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) == 0 {
		next = append([]byte(fileHead), next...)
	}
	// What is written is what will be read.
	_, err = Parse(name, next)
	return next, err
}
