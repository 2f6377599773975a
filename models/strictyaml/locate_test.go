package strictyaml

import (
	"errors"
	"testing"
)

const located = `# comment
experiments:
  - name: a
    weights: {x: 1, "y.z": 2}
  - name: b
    variants:
      - {name: c, weight: 50}
      - name: d
        weight: 40
  -
    name: e
common: &c {k: v}
use: *c
`

func TestLocate(t *testing.T) {
	doc, err := Parse("f.yaml", []byte(located))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path      string
		line, col int
		exact     bool
	}{
		{"", 2, 1, true},
		{"experiments", 2, 1, true},
		{"experiments[0]", 3, 5, true},
		{"experiments[0].name", 3, 11, true},
		{"experiments[0].weights", 4, 5, true},
		{`experiments[0].weights["y.z"]`, 4, 28, true},
		{`experiments[0].weights.'y.z'`, 4, 28, true},
		{`experiments[0].weights.'y\'z`, 4, 5, false},
		{"experiments[1].variants[0].weight", 7, 27, true},
		{"experiments[1].variants[1].weight", 9, 17, true},
		{"experiments[1].variants[1].model", 8, 9, false},
		{"experiments[1].variants[7].weight", 6, 5, false},
		{"experiments[1].variants[x", 6, 5, false},
		{"experiments[2].name", 11, 11, true},
		{"experiments[9]", 2, 1, false},
		{"layers[0].name", 2, 1, false},
		{"use", 13, 1, true},
		{"use.k", 12, 16, true},
	} {
		line, col, exact := doc.Locate(c.path)
		if line != c.line || col != c.col || exact != c.exact {
			t.Errorf("%s: got %d:%d %v, want %d:%d %v", c.path, line, col, exact, c.line, c.col, c.exact)
		}
		if line, col := Locate([]byte(located), c.path); line != c.line || col != c.col {
			t.Errorf("Locate(%s) = %d:%d, want %d:%d", c.path, line, col, c.line, c.col)
		}
	}
}

func TestAt(t *testing.T) {
	p := At("x.yaml", []byte(located), "experiments[1].variants[1].weight", "weights sum to 90, want 100")
	want := "x.yaml:9:17: experiments[1].variants[1].weight: weights sum to 90, want 100"
	if p.String() != want || p.Error() != want {
		t.Errorf("got %s\nwant %s", p, want)
	}
	if p := At("x.yaml", []byte("a: ["), "a", "m"); p.String() != "x.yaml: a: m" {
		t.Errorf("unparsable file: got %s", p)
	}
}

func TestProblemString(t *testing.T) {
	for want, p := range map[string]Problem{
		"m":           {Message: "m"},
		"p: m":        {Path: "p", Message: "m"},
		"f: p: m":     {File: "f", Path: "p", Message: "m"},
		"f:1:2: p: m": {File: "f", Line: 1, Column: 2, Path: "p", Message: "m"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if (Problems{}).Err() != nil {
		t.Error("no problems are an error")
	}
	err := Problems{{Line: 9, Message: "b"}, {Line: 2, Message: "a"}}.Err()
	var ps Problems
	if !errors.As(err, &ps) || err.Error() != "2:0: a\n9:0: b" {
		t.Errorf("got %v", err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"max_connections", "max_body_bytes", "listen", "db", "workers"}
	for name, want := range map[string]string{
		"max_conections": "max_connections", "MaxConnections": "max_connections", "max-body-byte": "max_body_bytes",
		"lsiten": "listen", "bd": "db", "d": "", "": "", "colour": "", "worker": "workers",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for in, want := range map[string]struct {
		n    Bytes
		text string
	}{
		"0": {0, "0"}, "1000": {1000, "1000"}, "262144": {262144, "256KiB"}, "256KiB": {262144, "256KiB"},
		"1 MiB": {1 << 20, "1MiB"}, "512MB": {512e6, "500000KiB"}, "3GiB": {3 << 30, "3GiB"}, "7B": {7, "7"}, "2kB": {2000, "2000"},
	} {
		var b Bytes
		if err := b.UnmarshalText([]byte(in)); err != nil || b != want.n {
			t.Errorf("%s: got %d, %v", in, b, err)
		}
		if text, _ := b.MarshalText(); string(text) != want.text {
			t.Errorf("%s: written as %s, want %s", in, text, want.text)
		}
	}
	for _, in := range []string{"", "-1", "1.5MiB", "KiB", "9223372036854775808", "9223372036854775807KiB", "1 TB"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q gave %d", in, b)
		}
	}
}
