package identity

import (
	"fmt"
	"slices"
	"strings"

	"hotpath/models/strictyaml"
)

// Scopes is a set of what a caller may do.
type Scopes uint16

// The scopes. Public is what needs none.
const (
	Predict Scopes = 1 << iota
	ModelsRead
	ModelsWrite
	ExperimentsRead
	ExperimentsWrite
	MetricsRead
	Admin

	Public Scopes = 0
	// Everything is what Admin grants.
	Everything = Admin<<1 - 1
)

// scopeNames are the scopes as files and tokens have them, with what each grants.
var scopeNames = []struct {
	name   string
	scope  Scopes
	grants Scopes
}{
	{"predict", Predict, Predict},
	{"models:read", ModelsRead, ModelsRead},
	{"models:write", ModelsWrite, ModelsWrite | ModelsRead},
	{"experiments:read", ExperimentsRead, ExperimentsRead},
	{"experiments:write", ExperimentsWrite, ExperimentsWrite | ExperimentsRead},
	{"metrics:read", MetricsRead, MetricsRead},
	{"admin", Admin, Everything},
}

// ScopeNames lists the names, the widest last.
func ScopeNames() []string {
	names := make([]string, len(scopeNames))
	for i, s := range scopeNames {
		names[i] = s.name
	}
	return names
}

// ParseScopes reads a list of names. What a scope includes is in the result.
func ParseScopes(names []string) (s Scopes, err error) {
	for _, name := range names {
		one, ok := parseScope(name)
		if !ok {
			message := fmt.Sprintf("there is no scope %.40q", name)
			if near := strictyaml.Nearest(name, ScopeNames()); near != "" {
				return s, fmt.Errorf("%s; did you mean %s?", message, near)
			}
			return s, fmt.Errorf("%s; there is %s", message, strings.Join(ScopeNames(), ", "))
		}
		s |= one
	}
	return s, nil
}

func parseScope(name string) (Scopes, bool) {
	for _, s := range scopeNames {
		if s.name == name {
			return s.grants, true
		}
	}
	return 0, false
}

// KnownScopes is ParseScopes for what others write for many services: names that are
// not ours are no mistake.
func KnownScopes(names []string) (s Scopes) {
	for _, name := range names {
		one, _ := parseScope(name)
		s |= one
	}
	return s
}

// Allow says whether the set has one of the scopes of which an endpoint needs one.
func (s Scopes) Allow(need Scopes) bool { return need == Public || s&need != 0 }

// Names lists the scopes of the set; Everything is admin alone.
func (s Scopes) Names() []string {
	if s == Everything {
		return []string{"admin"}
	}
	names := []string{}
	for _, one := range scopeNames {
		if s&one.scope != 0 {
			names = append(names, one.name)
		}
	}
	return names
}

// String is the set as messages have it: any of these.
func (s Scopes) String() string {
	if s == Public {
		return "none"
	}
	return strings.Join(s.Names(), " or ")
}

// sorted is a list of scopes without repetitions, in the order of the table.
func sorted(names []string) []string {
	order := ScopeNames()
	out := slices.Clone(names)
	slices.SortFunc(out, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return slices.Compact(out)
}
