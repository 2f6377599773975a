package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"hotpath/models/strictyaml"
)

// File is the keys file: who may call, and what they may do.
type File struct {
	Callers []CallerEntry `yaml:"callers" json:"callers" doc:"Who may call."`
}

// CallerEntry is one caller.
type CallerEntry struct {
	Name         string     `yaml:"name" json:"name" doc:"Who it is, in logs and in the history of changes: letters, digits, dots, dashes and underscores."`
	Scopes       []string   `yaml:"scopes" json:"scopes" doc:"What they may do: predict, models:read, models:write, experiments:read, experiments:write, metrics:read or admin."`
	Quota        Quota      `yaml:"quota" json:"quota,omitzero" doc:"How often they may ask, with all of their keys together."`
	Keys         []KeyEntry `yaml:"keys" json:"keys,omitzero" doc:"Their API keys; two while one is replaced by another. gateway keys create adds one."`
	Certificates []string   `yaml:"certificates" json:"certificates,omitzero" doc:"Names in client certificates that are theirs: dns:NAME, uri:URI, email:ADDRESS or subject:DISTINGUISHED NAME."`
}

// KeyEntry is one key.
type KeyEntry struct {
	ID      string `yaml:"id" json:"id" doc:"The part of the key behind hp_, by which it is found."`
	SHA256  string `yaml:"sha256" json:"sha256" doc:"SHA-256 of the key's last part, in hexadecimal. The key itself is nowhere."`
	Created string `yaml:"created" json:"created,omitzero" doc:"When it was made, as 2026-07-01T00:00:00Z."`
	Expires string `yaml:"expires" json:"expires,omitzero" doc:"When it ends, as 2027-01-01T00:00:00Z; absent: never."`
}

// The bounds of a keys file.
const (
	maxCallers  = 10_000
	maxKeysEach = 16
	maxName     = 64
)

// key is an API key as it is looked up.
type key struct {
	hash    [sha256.Size]byte
	expires int64 // seconds since 1970; 0: never
	caller  *Caller
}

// keyring is the content of a keys file, ready for use. It does not change.
type keyring struct {
	keys         map[string]*key
	certificates map[string]*Caller
	// quotas are those of the callers, for the next keyring.
	quotas map[string]Quota
	by     map[string]*Caller
}

// Parse reads a keys file. The error is strictyaml.Problems with all that is wrong.
func Parse(name string, data []byte) (*File, error) {
	f, _, err := parse(name, data)
	return f, err
}

func parse(name string, data []byte) (*File, *keyring, error) {
	f := &File{}
	doc, _ := strictyaml.Parse(name, data)
	if err := doc.Decode(f); err != nil {
		return nil, nil, err
	}
	r := reader{doc: doc, ids: map[string]string{}, ring: &keyring{
		keys: map[string]*key{}, certificates: map[string]*Caller{}, quotas: map[string]Quota{}, by: map[string]*Caller{}}}
	if len(f.Callers) == 0 {
		r.bad("callers", "is empty: nobody could call; make a key by `gateway keys create`")
	}
	if len(f.Callers) > maxCallers {
		r.bad("callers", "has %d callers, at most %d are allowed", len(f.Callers), maxCallers)
	}
	for i := range f.Callers {
		r.caller(fmt.Sprintf("callers[%d]", i), &f.Callers[i])
	}
	if err := r.problems.Err(); err != nil {
		return nil, nil, err
	}
	return f, r.ring, nil
}

// reader checks a keys file and makes a keyring of it.
type reader struct {
	doc      *strictyaml.Document
	problems strictyaml.Problems
	ring     *keyring
	// ids says where each key was seen first.
	ids map[string]string
}

func (r *reader) bad(path, format string, args ...any) {
	r.problems = append(r.problems, r.doc.At(path, fmt.Sprintf(format, args...)))
}

func (r *reader) caller(at string, e *CallerEntry) {
	if err := CheckName(e.Name); err != nil {
		r.bad(at+".name", "%v", err)
	} else if r.ring.by[e.Name] != nil {
		r.bad(at+".name", "%q is there twice; put its keys into one entry", e.Name)
	}
	scopes, err := ParseScopes(e.Scopes)
	switch {
	case err != nil:
		r.bad(at+".scopes", "%v", err)
	case len(e.Scopes) == 0:
		r.bad(at+".scopes", "is empty: the caller could do nothing; give some of %s", strings.Join(ScopeNames(), ", "))
	}
	if key, message := e.Quota.Problem(); message != "" {
		r.bad(at+".quota."+key, "%s", message)
	} else if e.Quota.RequestsPerSecond > 0 {
		r.ring.quotas[e.Name] = e.Quota
	}
	c := &Caller{Name: e.Name, Scopes: scopes}
	r.ring.by[e.Name] = c
	if len(e.Keys) > maxKeysEach {
		r.bad(at+".keys", "has %d keys, at most %d are allowed", len(e.Keys), maxKeysEach)
	}
	for i := range e.Keys {
		r.key(fmt.Sprintf("%s.keys[%d]", at, i), &e.Keys[i], c)
	}
	for i, name := range e.Certificates {
		r.certificate(fmt.Sprintf("%s.certificates[%d]", at, i), name, c)
	}
}

func (r *reader) key(at string, e *KeyEntry, c *Caller) {
	if len(e.ID) != idLength || !isKeyText(e.ID) {
		r.bad(at+".id", "is not %d letters a-z and digits 2-7; keys are made by `gateway keys create`", idLength)
	} else if first, twice := r.ids[e.ID]; twice {
		r.bad(at+".id", "%q is also at %s", e.ID, first)
	}
	r.ids[e.ID] = at
	k := &key{caller: c}
	// The value is not shown: somebody may have put the key itself there.
	if sum, err := hex.DecodeString(e.SHA256); err != nil || len(sum) != sha256.Size {
		r.bad(at+".sha256", "is not 64 hexadecimal digits; keys are made by `gateway keys create`")
	} else {
		copy(k.hash[:], sum)
	}
	r.time(at+".created", e.Created)
	k.expires = r.time(at+".expires", e.Expires)
	r.ring.keys[e.ID] = k
}

// time reads a time as seconds since 1970; 0 where there is none.
func (r *reader) time(at, text string) int64 {
	if text == "" {
		return 0
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.bad(at, "%.40q is not a time as 2027-01-01T00:00:00Z", text)
		return 0
	}
	return when.Unix()
}

func (r *reader) certificate(at, name string, c *Caller) {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "dns", "uri", "email", "subject":
	default:
		rest = ""
	}
	if rest == "" {
		r.bad(at, "%.120q is not dns:NAME, uri:URI, email:ADDRESS or subject:NAME", name)
		return
	}
	if other := r.ring.certificates[name]; other != nil {
		r.bad(at, "%.120q is already %s's", name, other.Name)
	}
	r.ring.certificates[name] = c
}

// CheckName says what is wrong with the name of a caller.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("the name of a caller has 1 to %d bytes, got %d", maxName, len(name))
	}
	if i := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}); i >= 0 {
		return fmt.Errorf("the name of a caller is made of letters, digits, dots, dashes and underscores, got %.80q", name)
	}
	return nil
}

// succeed gives the callers their quotas: that which the caller of the same name had in
// the keyring before, where it is the same.
func (k *keyring) succeed(before *keyring) {
	for name, c := range k.by {
		quota, has := k.quotas[name]
		if !has {
			continue
		}
		if before != nil && before.quotas[name] == quota {
			c.quota = before.by[name].quota
			continue
		}
		c.quota = newBucket(quota, time.Now())
	}
}
