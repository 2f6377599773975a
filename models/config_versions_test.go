package models

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCheckLabel(t *testing.T) {
	for label, want := range map[string]bool{
		"stable": true, "a": true, "v2": true, "2b": true, "A-b_c.9": true, "7.": true, strings.Repeat("x", 64): true,
		"": false, "7": false, "007": false, "2147483648": false, ".x": false, "-x": false, "_x": false, "a b": false, "a/b": false,
		"ü": false, "a\n": false, "a\x00": false, "１": false, strings.Repeat("x", 65): false,
	} {
		if got := CheckLabel(label) == nil; got != want {
			t.Errorf("%q: accepted %v", label, got)
		}
	}
}

func TestValidateVersions(t *testing.T) {
	many := map[string]int{}
	for i := range maxLabels + 1 {
		many[fmt.Sprint("l", i)] = 1
	}
	f := func(p VersionPolicy, labels map[string]int, want ...string) {
		t.Helper()
		c := DefaultConfig()
		c.VersionPolicy, c.Labels = p, labels
		var got []string
		for _, p := range c.Validate() {
			got = append(got, p.String())
		}
		for _, w := range want {
			if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, w) }) {
				t.Errorf("want %q in %q", w, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %q, want %d problems", got, len(want))
		}
	}
	f(VersionPolicy{}, nil)
	f(VersionPolicy{Latest: 1}, map[string]int{"stable": 1, "x.y": MaxVersion})
	f(VersionPolicy{Latest: MaxLoadedVersions}, nil)
	f(VersionPolicy{Specific: []int{3, 1, MaxVersion}}, nil)
	f(VersionPolicy{All: true}, nil)
	f(VersionPolicy{Latest: -1}, nil, "version_policy.latest: -1 is outside 1 to 100")
	f(VersionPolicy{Latest: MaxLoadedVersions + 1}, nil, "version_policy.latest: 101 is outside")
	f(VersionPolicy{Latest: 1, All: true}, nil, "version_policy: latest, specific and all exclude one another")
	f(VersionPolicy{Latest: 1, Specific: []int{1}}, nil, "version_policy: latest, specific and all exclude one another")
	f(VersionPolicy{Specific: []int{0, 2, 2}}, nil, "version_policy.specific[0]: 0 is outside", "version_policy.specific[2]: 2 is already listed as specific[1]")
	f(VersionPolicy{Specific: make([]int, MaxLoadedVersions+1)}, nil, "version_policy.specific: 101 versions are over the limit")
	f(VersionPolicy{}, map[string]int{"7": 1, "a b": 0, "ok": -1}, "labels.7: ", `labels["a b"]: "a b" is no label`, `labels["a b"]: 0 is outside`, "labels.ok: -1 is outside 1 to 2147483647")
	f(VersionPolicy{}, many, "labels: 101 labels are over the limit of 100")
}

func TestVersionPolicyEqual(t *testing.T) {
	all := []VersionPolicy{{}, {Latest: 1}, {Latest: 2}, {All: true}, {Specific: []int{1}}, {Specific: []int{1, 2}}}
	for i := range all {
		for j := range all {
			if got := all[i].Equal(&all[j]); got != (i == j) {
				t.Errorf("%+v and %+v: equal %v", all[i], all[j], got)
			}
		}
		if all[i].IsZero() != (i == 0) {
			t.Errorf("%+v: zero %v", all[i], all[i].IsZero())
		}
	}
}
