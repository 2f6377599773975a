package identity_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"hotpath/router/identity"
)

var update = flag.Bool("update", false, "rewrite the table in docs/security.md")

// The table stands between these lines.
const (
	tableBegin = "<!-- made by go test ./router/identity -args -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

// table is Endpoints as Markdown: what needs the same stands together.
func table() string {
	var b strings.Builder
	b.WriteString("| Needs | Port | Endpoints |\n|---|---|---|\n")
	needs := []identity.Scopes{identity.Public}
	seen := map[identity.Scopes]bool{identity.Public: true}
	for _, e := range identity.Endpoints() {
		if !seen[e.Need] {
			seen[e.Need] = true
			needs = append(needs, e.Need)
		}
	}
	for _, need := range needs {
		for _, port := range []identity.Port{identity.TrafficPort, identity.GRPCPort, identity.AdminPort} {
			var names []string
			for _, e := range identity.Endpoints() {
				if e.Need == need && e.Port == port {
					names = append(names, "`"+strings.TrimPrefix(e.Name, "/inference.GRPCInferenceService/")+"`")
				}
			}
			if len(names) > 0 {
				name := "`" + strings.ReplaceAll(need.String(), " or ", "` or `") + "`"
				if need == identity.Public {
					name = "nothing"
				}
				fmt.Fprintf(&b, "| %s | %s | %s |\n", name, port, strings.Join(names, ", "))
			}
		}
	}
	return b.String()
}

func TestTheTableIsInTheDocumentation(t *testing.T) {
	const file = "../../docs/security.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	shown, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table, between %q and %q", file, tableBegin, tableEnd)
	}
	if shown == table() {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of Endpoints: run go test ./router/identity -args -update", file)
	}
	if err := os.WriteFile(file, []byte(before+tableBegin+table()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestScopesAreDescribed(t *testing.T) {
	data, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range identity.ScopeNames() {
		if !strings.Contains(string(data), "| `"+name+"` | ") {
			t.Errorf("docs/security.md has no line for the scope %s", name)
		}
	}
}
