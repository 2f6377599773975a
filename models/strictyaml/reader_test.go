package strictyaml

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sameAsWhole reads a text item by item, twice, and whole.
func sameAsWhole(t *testing.T, r *Reader, text string) (byItems bool) {
	t.Helper()
	want, wantProblems := parse("f", []byte(text))
	for range 2 {
		got, problems := r.parse("f", []byte(text))
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(problems, wantProblems) {
			t.Fatalf("%q:\ngot  %+v %v\nwant %+v %v", text, got, problems, want, wantProblems)
		}
	}
	root, ok := r.byItems([]byte(text))
	return ok && root != nil
}

// A large file is read in pieces.
func TestReaderPauses(t *testing.T) {
	pauses := 0
	r := Reader{Pause: func() { pauses++ }}
	doc, err := r.Parse("f.yaml", []byte("list:\n"+strings.Repeat("  - {a: 1}\n", 100)))
	if err != nil {
		t.Fatal(err)
	}
	read := pauses
	var dst struct{ List []map[string]int }
	if err := doc.Decode(&dst); err != nil || len(dst.List) != 100 || read < 100 || pauses < read+100 {
		t.Errorf("%v, %d items, %d pauses while reading, %d with decoding", err, len(dst.List), read, pauses)
	}
}

func TestReadingByItemsIsReadingWhole(t *testing.T) {
	r := &Reader{}
	for text, byItems := range map[string]bool{
		editedFile: true,
		"a: 1\nl:\n- x: 1\n- y: 2 # c\n\n# d\n- z: [1,\n   2]\nb: 2\n": true,
		"l: # why\n\n  # first\n  - a\n  - b\nm:\n  - c\n":             true,
		"l:\n  - a\n  - b": true,
		"l:\n  - k: |\n      one\n      - two\n  - b\n": true,
		"l:\n  - k: \"x\n      y\"\n  - b\n":            true,
		"l:\n  - - a\n    - b\n  - c\n":                 true,
		"l:\n  - é: ü # ö\n  - b: é\n":                  true,
		"# head!\nl:\n  - a # 2 * 3 & 4!\n":             false,
		"l:\n  - a # done!\n":                           true,
		"":                                              false,
		"a: 1\n":                                        false,
		"l: []\n":                                       false,
		"l:\n  - &x a\n  - *x\n":                        false,
		"l:\n  - a\n - b\n":                             false,
		"l:\n  - a\n  b: 1\n":                           false,
		"l:\n  - a\nl:\n  - b\n":                        false,
		"l:\n  -\n    a: 1\n":                           false,
		"l:\n  - k: \"x\n  - y\"\n":                     false,
		"---\nl:\n  - a\n":                              false,
		"l:\r\n  - a\r\n":                               false,
		"a: \"x\nb:\n- y\n\"\nb:\n":                     false,
		"a: \"x\nb:\n- y\n\"\n":                         false,
		"l:\n  - a: 1\n    a: 2\n":                      false,
		"- a\n- b\n":                                    false,
		"l:\n  - a\nm: {\n":                             false,
		"l:\n  - " + strings.Repeat("[", 70):            false,
		"x:\n  l:\n    - a\n    - b\nm:\n  - c":         true,
	} {
		if got := sameAsWhole(t, r, text); got != byItems {
			t.Errorf("%q: by items is %v", text, got)
		}
	}
}

func TestItemsMayBeTooManyTogether(t *testing.T) {
	r := &Reader{}
	several := "any:\n" + strings.Repeat("- a:\n"+strings.Repeat("   k: v\n", 5000), 5)
	if sameAsWhole(t, r, several) {
		t.Error("read by items")
	}
}

// The reader must give the same after any edit, whatever it remembers.
func TestReadingAfterEdits(t *testing.T) {
	r := &Reader{}
	items := []string{"- {name: a, w: 1}", "- name: b # c\n    w: 2", "- x", "# comment\n  - y: [1, 2]"}
	for n := range 200 {
		var b strings.Builder
		b.WriteString("# " + fmt.Sprint(n) + "\n")
		for i := range n % 7 {
			b.WriteString("# more\n")
			_ = i
		}
		b.WriteString("list:\n")
		for i := range 1 + n%5 {
			b.WriteString("  " + items[(n*3+i*5)%len(items)] + "\n")
		}
		b.WriteString("other:\n  " + items[n%3] + "\n")
		if !sameAsWhole(t, r, b.String()) {
			t.Fatalf("%q was read whole", b.String())
		}
		if len(r.items) > 6 {
			t.Fatalf("%d items are remembered", len(r.items))
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data))
		}
	}
	f.Add(editedFile)
	f.Add("a: 1\nl:\n- x: 1\n- y: 2 # c\n\n# d\n- z: [1,\n   2]\nb:\n  - \"x\n    y\"\n  - |\n    k\n")
	f.Fuzz(func(t *testing.T, text string) {
		sameAsWhole(t, &Reader{}, text)
	})
}
