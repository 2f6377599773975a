package abtest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func newTestList(t testing.TB, values ...string) *List {
	t.Helper()
	l, err := NewList(values)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestList(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 1000} {
		var values []string
		for i := range n {
			values = append(values, fmt.Sprintf("user-%d", i*7919%n), "user-0")
		}
		l := newTestList(t, values...)
		slices.Sort(values)
		values = slices.Compact(values)
		if all := slices.Collect(l.All()); !slices.Equal(all, values) || l.Len() != len(values) {
			t.Errorf("%d values: %d, want %v, got %v", n, l.Len(), values, all)
		}
		for _, v := range values {
			if !l.Contains([]byte(v)) {
				t.Errorf("%d values: %s is missing", n, v)
			}
		}
		for _, v := range []string{"", "user", "user-", "user-0 ", "user-1000", "User-0"} {
			if l.Contains([]byte(v)) {
				t.Errorf("%d values: holds %q", n, v)
			}
		}
	}
}

func TestListOfValuesThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"a", ""}, "value 1 is 0 bytes long"},
		{[]string{strings.Repeat("x", MaxTextBytes+1)}, "value 0 is 257 bytes long"},
		{slices.Repeat([]string{"a"}, MaxListValues+1), "1000001 values, the limit is 1000000"},
	} {
		if _, err := NewList(c.values); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// fromFile has what some lists hold stand in files of their own.
func fromFile(t testing.TB, cfg Config, contents map[string]*List) (*Plan, error) {
	t.Helper()
	cfg.ListFiles = map[string]string{}
	for name := range contents {
		delete(cfg.Lists, name)
		cfg.ListFiles[name] = name + ".txt"
	}
	return Compile(cfg.WithListFiles(contents))
}

// Where a list stands makes no difference to what is decided.
func TestListFilesDecideAsListsDo(t *testing.T) {
	text := strings.NewReplacer("attribute: a, in: [1, x, true]", "unit: user, in_list: users", "layer: l,", "layer: l, override_lists: {b: [same]},").Replace(digested)
	inline := compileYAML(t, text)
	p, err := fromFile(t, decodeYAML(t, text), map[string]*List{"users": newTestList(t, "v2", "v1", "v2"), "same": newTestList(t, "de", "at")})
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest() != inline.Digest() {
		t.Error("another digest")
	}
	for _, plan := range []*Plan{inline, p} {
		expect(t, plan, "listed", &Request{User: []byte("v1")}, "e/a split")
		expect(t, plan, "not listed", &Request{User: []byte("v3")}, "not_targeted")
		expect(t, plan, "override", &Request{User: []byte("at")}, "e/b override")
	}
	other, err := fromFile(t, decodeYAML(t, text), map[string]*List{"users": newTestList(t, "v1"), "same": newTestList(t, "de", "at")})
	if err != nil || other.Digest() == p.Digest() {
		t.Errorf("a list without a value has the same digest, or %v", err)
	}
	held, err := Compile(Config{ListFiles: map[string]string{"x": "x.txt"}}.WithListFiles(map[string]*List{"x": newTestList(t, "a")}).WithHolds([]Hold{{Experiment: "e"}}))
	if err != nil || len(held.lists) != 1 {
		t.Errorf("with holds: %v", err)
	}
}

func TestListFilesThatAreWrong(t *testing.T) {
	half := &List{end: make([]uint32, MaxListValues/2+1)}
	small := newTestList(t, "a")
	many := map[string]string{}
	contents := map[string]*List{}
	for i := range MaxLists {
		many[fmt.Sprint("x", i)], contents[fmt.Sprint("x", i)] = "x.txt", small
	}
	for _, c := range []struct {
		about    string
		cfg      Config
		contents map[string]*List
		want     string
	}{
		{"not read", Config{ListFiles: map[string]string{"x": "x.txt"}}, nil, "list_files.x: was not read"},
		{"name", Config{ListFiles: map[string]string{"x y": "x.txt"}}, map[string]*List{"x y": small}, `list_files.'x y': "x y": a name starts`},
		{"twice", Config{Lists: map[string][]string{"x": {"a"}}, ListFiles: map[string]string{"x": "x.txt"}}, map[string]*List{"x": small}, `list_files.x: "x" is declared under lists, too`},
		{"values", Config{ListFiles: map[string]string{"x": "x.txt", "y": "y.txt"}}, map[string]*List{"x": half, "y": half}, "list_files: more than 1000000 values in all"},
		{"lists", Config{Lists: map[string][]string{"y": {"a"}}, ListFiles: many}, contents, "lists: 1001 entries, the limit is 1000"},
		{"overrides", with(func(e *ExperimentConfig) { e.OverrideLists = map[string][]string{"a": {"x"}} }).filed("x"), map[string]*List{"x": half}, "experiments: 500001 overrides in all, the limit is 100000"},
	} {
		_, err := Compile(c.cfg.WithListFiles(c.contents))
		var ps Problems
		if !errors.As(err, &ps) || len(ps) != 1 || !strings.HasPrefix(ps[0].String(), c.want) {
			t.Errorf("%s: %v, want %s", c.about, err, c.want)
		}
	}
}

// filed adds a list file.
func (c Config) filed(name string) Config {
	c.ListFiles = map[string]string{name: name + ".txt"}
	return c
}

func TestAnUnusedListFileIsReported(t *testing.T) {
	p, err := Compile(Config{}.filed("idle").WithListFiles(map[string]*List{"idle": newTestList(t, "a")}))
	if err != nil {
		t.Fatal(err)
	}
	if all := p.Lint(0); len(all) != 1 || all[0].Path != "list_files.idle" || all[0].Code != "unused" {
		t.Errorf("%+v", all)
	}
}

// longList is of ids such as those of a real programme.
func longList(n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("%016x-%d", fmix64(uint64(i)), i%97)
	}
	return values
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		values := longList(n)
		b.Run(fmt.Sprintf("compile %d", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var l *List
			for b.Loop() {
				l = newList(values)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/value")
			runtime.KeepAlive(l)
		})
		l := newList(values)
		for _, c := range []struct{ about, suffix string }{{"in", ""}, {"not in", "x"}} {
			asked := make([][]byte, 1<<16)
			for i := range asked {
				asked[i] = []byte(values[i*7919%n] + c.suffix)
			}
			b.Run(fmt.Sprintf("%s of %d", c.about, n), func(b *testing.B) {
				i, found := 0, 0
				for b.Loop() {
					if l.Contains(asked[i&(1<<16-1)]) {
						found++
					}
					i++
				}
				if (found > 0) != (c.suffix == "") {
					b.Fatal(found)
				}
			})
		}
	}
}
