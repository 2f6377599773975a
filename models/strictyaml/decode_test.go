package strictyaml

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected files in testdata")

// level reads a word, levels one or several of them.
type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return fmt.Errorf("unknown level %q; known are low, high", b)
	}
	return nil
}

type levels []level

func (l *levels) UnmarshalYAML(unmarshal func(any) error) error {
	var one level
	if unmarshal(&one) == nil {
		*l = levels{one}
		return nil
	}
	var many []level
	err := unmarshal(&many)
	*l = many
	return err
}

type base struct {
	Name    string
	Quoted  string
	Country string
}

type port struct {
	Port uint16 `yaml:"port" json:"port"`
}

type target struct {
	Base      base              `yaml:",inline"`
	Enabled   bool              `yaml:"enabled"`
	Count     int               `yaml:"count"`
	Big       int64             `yaml:"big"`
	Ratio     float64           `yaml:"ratio"`
	Whole     float32           `yaml:"whole"`
	Wait      time.Duration     `yaml:"wait"`
	Instant   time.Duration     `yaml:"instant"`
	Size      Bytes             `yaml:"size"`
	PlainSize Bytes             `yaml:"plain_size"`
	Level     level             `yaml:"level"`
	Tags      []string          `yaml:"tags"`
	Grid      [][]int           `yaml:"grid"`
	Pair      [2]int            `yaml:"pair"`
	Labels    map[string]string `yaml:"labels"`
	ByNumber  map[int]string    `yaml:"by_number"`
	Nested    struct {
		Inner  *port `yaml:"inner"`
		Shared port  `yaml:"shared"`
		Again  port  `yaml:"again"`
	} `yaml:"nested"`
	Section     struct{ A int } `yaml:"section"`
	Any         any             `yaml:"any"`
	Text        string          `yaml:"text"`
	LevelOrList levels          `yaml:"level_or_list"`
}

func compareWithFile(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, want)
	}
}

func fixtures(t *testing.T, pattern string, f func(t *testing.T, file string, data []byte)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f(t, file, data)
		})
	}
}

func TestGoodFiles(t *testing.T) {
	fixtures(t, "testdata/good/*.yaml", func(t *testing.T, file string, data []byte) {
		var dst target
		if err := Decode(file, data, &dst); err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(dst, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		compareWithFile(t, strings.TrimSuffix(file, ".yaml")+".json", append(got, '\n'))
	})
}

func TestBadFilesReportEverything(t *testing.T) {
	fixtures(t, "testdata/bad/*.yaml", func(t *testing.T, file string, data []byte) {
		var dst target
		err := Decode(filepath.Base(file), data, &dst)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("got %v, want Problems", err)
		}
		compareWithFile(t, strings.TrimSuffix(file, ".yaml")+".want", []byte(err.Error()+"\n"))
	})
}

func TestDecodeKeepsWhatTheFileDoesNotMention(t *testing.T) {
	dst := target{Count: 3, Tags: []string{"a", "b"}, Labels: map[string]string{"x": "y"}}
	dst.Nested.Inner = &port{1}
	if err := Decode("f", []byte("tags: [c]\nnested: {shared: {port: 2}}\nlabels: {z: w}\n"), &dst); err != nil {
		t.Fatal(err)
	}
	if dst.Count != 3 || dst.Nested.Inner.Port != 1 || dst.Nested.Shared.Port != 2 {
		t.Errorf("unmentioned values changed: %+v", dst)
	}
	if !reflect.DeepEqual(dst.Tags, []string{"c"}) || !reflect.DeepEqual(dst.Labels, map[string]string{"z": "w"}) {
		t.Errorf("mentioned list and map are not replaced: %v %v", dst.Tags, dst.Labels)
	}
}

func TestDecodeRefusesTooMuch(t *testing.T) {
	deepIndent := &strings.Builder{}
	for i := range 200 {
		deepIndent.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, c := range map[string]struct{ data, want string }{
		"size":         {strings.Repeat("#", MaxBytes+1), "more than the limit of 4194304"},
		"flow":         {"any: " + strings.Repeat("[", 200_000), "1:70: more than 64 levels"},
		"keys":         {"any:\n" + strings.Repeat(" k: v\n", MaxKeys+1), "10002:3: more than 10000 keys in one map"},
		"anchors":      {"any:\n" + strings.Repeat(" &a k: v # c\n# c\n", MaxKeys+1), "20002:6: more than 10000 keys in one map"},
		"questions":    {"any:\n" + strings.Repeat(" ?\n  k\n : v\n", MaxKeys+1), "30004:2: more than 10000 keys in one map"},
		"several maps": {"any:\n" + strings.Repeat("- a:\n"+strings.Repeat("   k: v\n", 5000), 5), "more than 10000 keys in one map, or several"},
		"all keys":     {"any: [" + strings.Repeat("{k: v}, ", MaxAllKeys) + "]", "more than 100000 keys"},
		"inline":       {"any:\n " + strings.Repeat("- ", 100_000) + "x", "more than 64 levels"},
		"indent":       {"any:\n " + strings.ReplaceAll(deepIndent.String(), "\n", "\n "), "more than 64 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			var dst target
			err := Decode("f.yaml", []byte(c.data), &dst)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.200v, want …%s…", err, c.want)
			}
		})
	}
}

func TestDecodeDestination(t *testing.T) {
	for _, dst := range []any{nil, target{}, (*target)(nil)} {
		if err := Decode("f", nil, dst); err == nil || !strings.Contains(err.Error(), "non-nil pointer") {
			t.Errorf("%T: got %v", dst, err)
		}
	}
	var ch struct{ C chan int }
	if err := Decode("f", []byte("c: 1"), &ch); err == nil || !strings.Contains(err.Error(), "cannot fill a chan int") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var dst target
		var problems Problems
		if err := Decode("f", data, &dst); err != nil && !errors.As(err, &problems) {
			t.Errorf("got %T, want Problems", err)
		}
		var free any
		_ = Decode("f", data, &free)
		Locate(data, "nested.inner.port")
	})
}
