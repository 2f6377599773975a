// Package identitytest has what tests of who may do what need: keys files, and an
// authority that signs certificates. Nothing of it serves.
package identitytest

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/router/identity"
	"hotpath/router/identity/reload"
)

// Log is a log that nobody reads.
func Log() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Reloads is the gauge of reloads of a registry of its own.
func Reloads(t testing.TB) *prometheus.GaugeVec {
	t.Helper()
	g, err := reload.NewGauge(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Entry is a caller of a keys file with one key.
func Entry(name, scopes, more string) (entry, key string) {
	key, id, hash := identity.NewKey()
	return fmt.Sprintf("  - name: %s\n    scopes: [%s]\n%s    keys:\n      - id: %s\n        sha256: %s\n", name, scopes, more, id, hash), key
}

// Write writes a keys file.
func Write(t testing.TB, name string, entries ...string) {
	t.Helper()
	if err := os.WriteFile(name, []byte("callers:\n"+strings.Join(entries, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// OneEach makes a keys file with a caller for each scope, and gives the keys by the
// names of the scopes; those of the callers have dashes for colons.
func OneEach(t testing.TB) (file string, keys map[string]string) {
	t.Helper()
	file, keys = filepath.Join(t.TempDir(), "keys.yaml"), map[string]string{}
	var entries []string
	for _, scope := range identity.ScopeNames() {
		entry, key := Entry(strings.ReplaceAll(scope, ":", "-"), scope, "")
		entries, keys[scope] = append(entries, entry), key
	}
	Write(t, file, entries...)
	return file, keys
}

// Access is one over a keys file.
func Access(t testing.TB, o identity.Options) *identity.Access {
	t.Helper()
	o.Reloads, o.Log = Reloads(t), Log()
	a, err := identity.New(o, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Holders are the scopes whose keys may use an endpoint, and those whose may not.
func Holders(need identity.Scopes) (may, mayNot []string) {
	for _, name := range identity.ScopeNames() {
		s, err := identity.ParseScopes([]string{name})
		if err != nil {
			panic(err) // the names are the package's own
		}
		if s.Allow(need) {
			may = append(may, name)
		} else {
			mayNot = append(mayNot, name)
		}
	}
	return slices.Clip(may), mayNot
}
