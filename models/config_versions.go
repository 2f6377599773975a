package models

import (
	"fmt"
	"slices"
	"strings"
)

// MaxLoadedVersions is the most versions of one model that a policy loads.
const MaxLoadedVersions = 100

// MaxVersion is the highest number of a version.
const MaxVersion = 1<<31 - 1

// The limits of Config.Labels.
const (
	maxLabels     = 100
	maxLabelBytes = 64
)

// ModelKeys are the keys of a config.yaml that are about all versions of a model:
// they are read from the model's own file alone.
func ModelKeys() []string { return []string{"version_policy", "labels"} }

// IsZero reports whether the policy says nothing.
func (p *VersionPolicy) IsZero() bool { return p.Latest == 0 && len(p.Specific) == 0 && !p.All }

// Equal reports whether two policies say the same.
func (p *VersionPolicy) Equal(other *VersionPolicy) bool {
	return p.Latest == other.Latest && p.All == other.All && slices.Equal(p.Specific, other.Specific)
}

// CheckLabel reports whether a text can be a label: 1 to 64 letters, digits,
// dots, dashes and underscores, the first a letter or digit, not all digits,
// since it stands where a version's number may.
func CheckLabel(label string) error {
	ok, number := len(label) >= 1 && len(label) <= maxLabelBytes, true
	for i, c := range []byte(label) {
		digit := c >= '0' && c <= '9'
		number = number && digit
		ok = ok && (digit || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && (c == '_' || c == '.' || c == '-'))
	}
	if !ok || number {
		return fmt.Errorf("%.80q is no label: want 1 to %d of a-z A-Z 0-9 _ . -, the first a letter or digit, and not digits alone", label, maxLabelBytes)
	}
	return nil
}

// ValidateVersions reports what is wrong with the keys that are about all
// versions of a model.
func (c *Config) ValidateVersions() []Problem {
	var ps problems
	c.VersionPolicy.validate(&ps)
	if n := len(c.Labels); n > maxLabels {
		ps.add("labels", "%d labels are over the limit of %d", n, maxLabels)
		return ps
	}
	for _, label := range sortedKeys(c.Labels) {
		path := LabelPath(label)
		if err := CheckLabel(label); err != nil {
			ps.add(path, "%v", err)
		}
		ps.inRange(path, c.Labels[label], 1, MaxVersion)
	}
	return ps
}

func (p *VersionPolicy) validate(ps *problems) {
	const at = "version_policy"
	set := 0
	for _, given := range []bool{p.Latest != 0, len(p.Specific) > 0, p.All} {
		if given {
			set++
		}
	}
	if set > 1 {
		ps.add(at, "latest, specific and all exclude one another; keep one of them")
	}
	if p.Latest != 0 {
		ps.inRange(at+".latest", p.Latest, 1, MaxLoadedVersions)
	}
	if n := len(p.Specific); n > MaxLoadedVersions {
		ps.add(at+".specific", "%d versions are over the limit of %d", n, MaxLoadedVersions)
		return
	}
	for i, n := range p.Specific {
		path := fmt.Sprintf(at+".specific[%d]", i)
		ps.inRange(path, n, 1, MaxVersion)
		if j := slices.Index(p.Specific[:i], n); j >= 0 {
			ps.add(path, "%d is already listed as specific[%d]", n, j)
		}
	}
}

// LabelPath is the path of a label in a config.yaml.
func LabelPath(label string) string { return keyPath("labels", label) }

// keyPath is the path of a key of a map whose keys are free.
func keyPath(section, key string) string {
	if strings.ContainsAny(key, `. []"`) || key == "" {
		return fmt.Sprintf("%s[%q]", section, key)
	}
	return section + "." + key
}
