package repository

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hotpath/models"
)

func TestVersionPolicies(t *testing.T) {
	f := func(config string, want ...int) {
		t.Helper()
		b := newBench(t)
		for _, v := range []int{1, 2, 3, 5, 8} {
			b.put("m", v)
		}
		if config != "" {
			b.write("m/config.yaml", []byte(config))
		}
		b.openRepo()
		b.wantLoaded("m", want...)
		m, _ := b.r.List().Model("m")
		if m.Current != want[len(want)-1] {
			t.Errorf("%q serves %d of %v", config, m.Current, want)
		}
		if n := m.Previous; n != 0 && len(m.VersionPolicy.Specific) > 0 && !slices.Contains(m.VersionPolicy.Specific, n) {
			t.Errorf("%q has previous %d", config, n)
		}
		b.close()
	}
	f("", 5, 8)
	f("threads: 1\n", 5, 8)
	f("version_policy: {}\n", 5, 8)
	f("version_policy: {latest: 1}\n", 8)
	f("version_policy: {latest: 3}\n", 3, 5, 8)
	f("version_policy: {latest: 100}\n", 1, 2, 3, 5, 8)
	f("version_policy: {specific: [3, 1]}\n", 1, 3)
	f("version_policy: {specific: [2, 7]}\n", 2)
	f("version_policy: {specific: [1, 8]}\nlabels: {a: 3, b: 5}\n", 1, 3, 5, 8)
	f("version_policy: {all: true}\n", 1, 2, 3, 5, 8)
	f("version_policy: {latest: 1}\nlabels: {stable: 2}\n", 2, 8)
}

func TestPolicyShows(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("n", 1)
	b.write("n/config.yaml", []byte("version_policy: {specific: [1]}\n"))
	b.openRepo()
	s := b.r.List()
	m, _ := s.Model("m")
	n, _ := s.Model("n")
	if m.VersionPolicy.Latest != b.o.KeepVersions || !slices.Equal(n.VersionPolicy.Specific, []int{1}) || s.Mode != ModeWatch {
		t.Errorf("%+v %+v", m, n)
	}
	if p := b.set.Load().Models["n"].Policy; !p.Equal(&models.VersionPolicy{Specific: []int{1}}) {
		t.Errorf("%+v", p)
	}
}

func TestAllIsBounded(t *testing.T) {
	b := newBench(t)
	b.write("m/config.yaml", []byte("version_policy: {all: true}\n"))
	for v := 1; v <= models.MaxLoadedVersions+3; v++ {
		b.put("m", v)
	}
	b.openRepo()
	if got := b.loaded("m"); len(got) != models.MaxLoadedVersions || got[0] != 4 {
		t.Errorf("%d versions from %d", len(got), got[0])
	}
}

func TestPolicyFollowsItsFile(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.openRepo()
	steps := []struct {
		config  string
		want    []int
		current int
	}{
		{"version_policy: {specific: [1, 2]}\n", []int{1, 2}, 2},
		{"version_policy: {all: true}\n", []int{1, 2, 3, 4}, 4},
		{"version_policy: {latest: 1}\n", []int{4}, 4},
		{"version_policy: {specific: [3]}\n", []int{3}, 3},
		{"", []int{3, 4}, 4},
	}
	for _, s := range steps {
		b.replace("m/config.yaml", s.config)
		b.wantLoaded("m", s.want...)
		b.eventually(fmt.Sprintf("%q serves %d", s.config, s.current), func() bool { return b.current("m") == s.current })
	}
	// What no version can follow takes nothing out of service.
	b.replace("m/config.yaml", "version_policy: {specific: [9]}\n")
	b.eventually("3 is gone, 4 serves on", func() bool { return slices.Equal(b.loaded("m"), []int{4}) })
	b.put("m", 9)
	b.wantLoaded("m", 9)
	if b.current("m") != 9 {
		t.Error("9 does not serve")
	}
}

// A version that an experiment needs is loaded beside those of the policy, and is
// not what serves by default though its number is higher.
func TestSpecificServesWhatItNames(t *testing.T) {
	b := newBench(t)
	b.o.Pinned = func(string) []int { return []int{int(b.pin.Load())} }
	for v := 1; v <= 5; v++ {
		b.put("m", v)
	}
	b.write("m/config.yaml", []byte("version_policy: {specific: [1, 2]}\n"))
	b.pin.Store(4)
	b.openRepo()
	b.wantLoaded("m", 1, 2, 4)
	m, _ := b.r.List().Model("m")
	if m.Current != 2 || m.Previous != 1 {
		t.Errorf("current %d, previous %d", m.Current, m.Previous)
	}
	ok(t, b.r.Load(within(t), "m", 5))
	if b.current("m") != 2 {
		t.Error("a version loaded by number was promoted against the policy")
	}
	// An operator's word is above the policy.
	ok(t, b.r.Promote(within(t), "m", 3))
	for range 3 {
		b.scanned()
	}
	if b.current("m") != 3 {
		t.Errorf("current is %d", b.current("m"))
	}
	ok(t, b.r.Promote(within(t), "m", 5))
	for range 3 {
		b.scanned()
	}
	if m, _ := b.r.List().Model("m"); m.Current != 5 || m.Pin != 5 {
		t.Errorf("current is %d, pin %d", m.Current, m.Pin)
	}
	ok(t, b.r.Promote(within(t), "m", 2))
	ok(t, b.r.Unload(within(t), "m", 5))
	ok(t, b.r.Unload(within(t), "m", 3))
	b.pin.Store(0)
	b.r.Rescan()
	b.wantLoaded("m", 1, 2)
}

func TestRefusedNewestUnderLatest(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 3; v++ {
		b.put("m", v)
	}
	b.loader.setFail("m/3", errors.New("scores NaN"))
	b.write("m/config.yaml", []byte("version_policy: {latest: 1}\n"))
	b.openRepo()
	b.wantLoaded("m", 2)
	b.put("m", 4)
	b.wantLoaded("m", 4)
	b.wantCode(b.r.Rollback(within(t), "m"), CodeConflict, "promote one by its number")
	ok(t, b.r.Promote(within(t), "m", 2))
	b.wantLoaded("m", 2, 4)
}

// An experiment may object to what a policy takes away.
func TestPolicyRefusedByExperiment(t *testing.T) {
	b := newBench(t)
	b.o.OnChange = func(s *Set) error {
		if m := s.Models["m"]; m != nil && m.Labels["stable"] == 0 {
			return errors.New("experiment e needs label stable")
		}
		return b.onChange(s)
	}
	b.put("m", 1)
	b.put("m", 2)
	b.write("m/config.yaml", []byte("labels: {stable: 1}\n"))
	b.openRepo()
	b.replace("m/config.yaml", "version_policy: {specific: [2]}\n")
	b.eventually("refused, with the reason", func() bool {
		m, _ := b.r.List().Model("m")
		return strings.Contains(m.ConfigError, "needs label stable")
	})
	b.put("m", 3) // goes on as if the file had not changed
	b.eventually("3 serves", func() bool { return b.current("m") == 3 })
	if got := fmt.Sprint(b.loaded("m"), b.labels("m")); got != "[1 2 3] map[stable:1]" {
		t.Error(got)
	}
	b.replace("m/config.yaml", "version_policy: {specific: [2]}\nlabels: {stable: 2}\n")
	b.wantLoaded("m", 2)
	if m, _ := b.r.List().Model("m"); m.ConfigError != "" || m.Current != 2 {
		t.Errorf("%+v", m)
	}
}

func TestValidationLoadsAllVersions(t *testing.T) {
	b := newBench(t)
	b.o.All = true
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.write("m/config.yaml", []byte("version_policy: {specific: [1]}\n"))
	b.openRepo()
	b.wantLoaded("m", 1, 2, 3, 4)
}
