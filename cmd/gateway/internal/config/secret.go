package config

import "bytes"

// Secret is a text that is not to be seen: whatever prints or encodes it shows
// ***. Reveal gives the text itself.
type Secret string

const hidden = "***"

// String is *** for every secret but the empty one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString keeps %#v from showing the text.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// MarshalText keeps JSON, YAML and slog from showing the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes any scalar of a file, so that a password of digits needs
// no quotes and no message ever has to repeat it.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Reveal is the text itself, to be given to the dependency that wants it and to
// nothing else.
func (s Secret) Reveal() string { return string(s) }

// lines are those of a text that hold something.
func lines(text string) [][]byte {
	var out [][]byte
	for line := range bytes.Lines([]byte(text)) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}
