package strictyaml

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const editedFile = `# Experiments of the risk team.
layers:
  - {name: risk, salt: risk-2026}   # one at a time
lists:
  staff: [u1, u2]

# The first one.
experiments:
  # compares boosting with the forest
  - name: gbm        # do not rename
    model: risk
    range: [0, 8000] # of 10000
    targeting:
      all:
        - {attribute: country, in: [de, at]}
    variants:
      - {name: control, weight: 90, version: 1}
      - {name: treatment, weight: 10, version: 2}   # new
    overrides: {treatment: [vip]}

  # later
  - name: next
    model: risk
    state: draft   # until March
    variants:
      - name: control
        weight: 100   # all
# the end
`

var editNames = []string{"experiments", "layers", "variants"}

func TestMergePatchKeepsTheRest(t *testing.T) {
	for name, c := range map[string]struct{ patch, before, after string }{
		"nothing":            {`{}`, "", ""},
		"what is so already": {`{"experiments":{"gbm":{"model":"risk","range":[0.0,8000]}}}`, "", ""},
		"a scalar": {`{"experiments":{"next":{"state":"running"}}}`,
			"state: draft   # until March", "state: running   # until March"},
		"a flow list": {`{"experiments":{"gbm":{"range":[0,9000]}}}`,
			"range: [0, 8000] # of", "range: [0, 9000] # of"},
		"inside of braces": {`{"experiments":{"gbm":{"variants":{"control":{"weight":80},"treatment":{"weight":20}}}}}`,
			"weight: 90, version: 1}\n      - {name: treatment, weight: 10,", "weight: 80, version: 1}\n      - {name: treatment, weight: 20,"},
		"a key more in braces": {`{"experiments":{"gbm":{"variants":{"treatment":{"canary":true}}}}}`,
			"version: 2}", "version: 2, canary: true}"},
		"a key less in braces": {`{"experiments":{"gbm":{"variants":{"treatment":{"version":null}}}}}`,
			"weight: 10, version: 2}", "weight: 10}"},
		"a variant more": {`{"experiments":{"gbm":{"variants":{"third":{"weight":0}}}}}`,
			"   # new\n", "   # new\n      - {name: third, weight: 0}\n"},
		"a variant less": {`{"experiments":{"gbm":{"variants":{"treatment":null}}}}`,
			"      - {name: treatment, weight: 10, version: 2}   # new\n", ""},
		"a key more": {`{"experiments":{"gbm":{"fallback":"control"}}}`,
			"[vip]}\n", "[vip]}\n    fallback: control\n"},
		"a key less": {`{"experiments":{"gbm":{"targeting":null}}}`,
			"    targeting:\n      all:\n        - {attribute: country, in: [de, at]}\n", ""},
		"a block for a block": {`{"experiments":{"gbm":{"targeting":{"all":null,"attribute":"age","gte":18}}}}`,
			"targeting:\n      all:\n        - {attribute: country, in: [de, at]}\n", "targeting:\n      attribute: age\n      gte: 18\n"},
		"an experiment less": {`{"experiments":{"gbm":null}}`,
			editedFile[strings.Index(editedFile, "  # compares"):strings.Index(editedFile, "\n  # later")], ""},
		"an experiment more": {`{"experiments":{"third":{"model":"risk","variants":[{"name":"a","weight":100}]}}}`,
			"   # all\n", "   # all\n  - name: third\n    model: risk\n    variants:\n      - {name: a, weight: 100}\n"},
		"the weight of a block": {`{"experiments":{"next":{"variants":{"control":{"weight":100.5}}}}}`, "weight: 100   #", "weight: 100.5   #"},
		"a section more":        {`{"holdout":{"share":5}}`, "   # all\n", "   # all\nholdout:\n  share: 5\n"},
		"a section less":        {`{"layers":null}`, "layers:\n  - {name: risk, salt: risk-2026}   # one at a time\n", ""},
		"a list":                {`{"lists":{"staff":["u1","u 3","true"]}}`, "[u1, u2]", `[u1, "u 3", "true"]`},
		"a layer":               {`{"layers":{"risk":{"salt":"2027"}}}`, "salt: risk-2026}", `salt: "2027"}`},
		"an absent thing":       {`{"experiments":{"absent":null},"holdout":null}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.before != "" && strings.Count(editedFile, c.before) != 1 {
				t.Fatalf("%q is %d times in the file", c.before, strings.Count(editedFile, c.before))
			}
			want := strings.Replace(editedFile, c.before, c.after, 1)
			got, err := new(Reader).MergePatch([]byte(editedFile), []byte(c.patch), editNames...)
			if err != nil || string(got) != want {
				t.Errorf("%v\ngot:\n%s\nwant:\n%s", err, got, want)
			}
		})
	}
}

func TestMergePatchOfUnusualFiles(t *testing.T) {
	for name, c := range map[string]struct{ file, patch, want string }{
		"empty":                    {"", `{"a":1}`, "a: 1\n"},
		"only a comment":           {"# c\n", `{"a":1}`, "a: 1\n"},
		"braces":                   {"{a: 1, b: 2}\n", `{"b":3}`, "a: 1\nb: 3\n"},
		"an empty list":            {"experiments: []   # none\n", `{"experiments":{"x":{"model":"m"}}}`, "experiments:\n  - {name: x, model: m}   # none\n"},
		"a missing list":           {"a: 1\n", `{"experiments":{"x":{"model":"m"}}}`, "a: 1\nexperiments:\n  - {name: x, model: m}\n"},
		"a key without a value":    {"a:\nb: 1\n", `{"a":2}`, "a: 2\nb: 1\n"},
		"no newline at the end":    {"a: 1", `{"b":2}`, "a: 1\nb: 2"},
		"an alias that others use": {"a: &x {k: 1}\nb: *x\n", `{"b":{"k":2}}`, "a:\n  k: 1\nb:\n  k: 2\n"},
		"an anchor beside it":      {"a: &x {k: 1}\nb: *x\nc: 1 # see\n", `{"c":2}`, "a: &x {k: 1}\nb: *x\nc: 2 # see\n"},
		"text of several lines":    {"a: |\n  one\n  # two\nb: 1\n", `{"a":"three"}`, "a: three\nb: 1\n"},
		"folded text":              {"a: one\n  two\nb: 1\n", `{"a":"x\ny"}`, "a: \"x\\ny\"\nb: 1\n"},
		"quotes":                   {"'a b': 'it''s # no' # c\n", `{"a b":"b: c"}`, "'a b': \"b: c\" # c\n"},
		"a dash of its own":        {"experiments:\n-\n  name: x # n\n  w: 1\n- name: y\n", `{"experiments":{"x":{"w":2},"y":null}}`, "experiments:\n-\n  name: x # n\n  w: 2\n"},
		"Windows":                  {"a: 1 # c\r\nb: 2\r\n", `{"a":3}`, "a: 3 # c\r\nb: 2\r\n"},
		"a byte order mark":        {"\ufeffa: 1\n", `{"a":2}`, "\ufeffa: 2\n"},
		"beyond ASCII":             {"é: 1\n\"ü\": {x: ö, y: 2}\n", `{"ü":{"y":3}}`, "é: 1\n\"ü\": {x: ö, y: 3}\n"},
		"a block that becomes one": {"a: # why\n  b: 1\nc: 2\n", `{"a":5}`, "a: 5 # why\nc: 2\n"},
		"one that becomes a block": {"a: 5 # why\nc: 2\n", `{"a":{"b":1}}`, "a:\n  b: 1 # why\nc: 2\n"},
		"numbers in quotes":        {"a: x\n", `{"a":"1e3","b":"0x1f","c":"12:30","d":"2026-11-01T08:00:00Z","e":"~","f":""}`, "a: \"1e3\"\nb: \"0x1f\"\nc: \"12:30\"\nd: 2026-11-01T08:00:00Z\ne: \"~\"\nf: \"\"\n"},
		"first and last go":        {"a: 1\nb: 2\n", `{"a":null,"b":null,"c":3}`, "c: 3\n"},
		"all go":                   {"a: 1\n", `{"a":null}`, "{}\n"},
	} {
		got, err := new(Reader).MergePatch([]byte(c.file), []byte(c.patch), editNames...)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\ngot:\n%s\nwant:\n%s", name, err, got, c.want)
		}
	}
}

func TestRewrite(t *testing.T) {
	document := `{"experiments":[{"name":"next","model":"risk","variants":[{"name":"control","weight":100}]}],"layers":[{"name":"risk","salt":"s"}]}`
	got, err := new(Reader).Rewrite([]byte(editedFile), []byte(document), editNames...)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Experiments of the risk team.\nlayers:\n  - {name: risk, salt: s}   # one at a time\n\n# The first one.\nexperiments:\n\n" +
		"  # later\n  - name: next\n    model: risk\n    variants:\n      - name: control\n        weight: 100   # all\n# the end\n"
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	// A file that nobody can read can be replaced.
	if got, err = new(Reader).Rewrite([]byte("a: ["), []byte(`{"a":1}`)); err != nil || string(got) != "a: 1\n" {
		t.Errorf("%v\n%s", err, got)
	}
	// Another order is another list.
	got, err = new(Reader).Rewrite([]byte("l: 1\nexperiments:\n  - {name: a} # x\n  - {name: b}\n"), []byte(`{"l":1,"experiments":[{"name":"b"},{"name":"a"}]}`), editNames...)
	if err != nil || string(got) != "l: 1\nexperiments:\n  - {name: b}\n  - {name: a}\n" {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestPatchesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, patch, want string }{
		"no JSON":        {"a: 1\n", `{a: 1}`, "invalid character"},
		"half":           {"a: 1\n", `{"a": [1`, "unexpected EOF"},
		"nothing":        {"a: 1\n", ``, "unexpected EOF"},
		"no object":      {"a: 1\n", `[1]`, "is a list, want an object"},
		"a key twice":    {"a: 1\n", `{"a":1,"a":2}`, `key "a" is given twice`},
		"more than one":  {"a: 1\n", `{} {}`, "something follows"},
		"too deep":       {"a: 1\n", strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), "more than 64 levels"},
		"a broken file":  {"a: [\n", `{"a":1}`, "cannot be edited"},
		"too large":      {"a: 1\n", `"` + strings.Repeat("x", MaxBytes) + `"`, "more than the limit"},
		"duplicate keys": {"a: 1\na: 2\n", `{"a":1}`, "cannot be edited"},
	} {
		if _, err := new(Reader).MergePatch([]byte(c.file), []byte(c.patch)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
}

// FuzzMergePatch proves that the result says what the patch wants of the file, for
// whatever the edits make of its text.
func FuzzMergePatch(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, []byte(`{"name":null,"tags":["x"],"nested":{"inner":{"port":1}},"labels":{"x":null,"new":{"a":[{"b":1}]}}}`))
		}
	}
	f.Add([]byte(editedFile), []byte(`{"experiments":{"gbm":{"variants":{"control":null,"x":{"weight":1}}},"y":{"a":1}}}`))
	f.Fuzz(func(t *testing.T, data, patch []byte) {
		got, err := new(Reader).MergePatch(data, patch, editNames...)
		if err != nil {
			return
		}
		root, _ := parse("", data)
		p, _ := parseJSON(patch)
		want := merger{editNames}.merge(root, p, "")
		is, problems := parse("", got)
		if len(problems) > 0 || !equal(is, want) {
			t.Errorf("%v: %q after %q became %q", problems, data, patch, got)
		}
	})
}

// The parser counts the lines of these otherwise than they stand there. What cannot be
// found is written anew, with the right meaning.
func TestEditsOfLinesThatAreNotWhereTheyShouldBe(t *testing.T) {
	for text, patch := range map[string]string{
		"#\r\n~  name: \"q\"": `{"experiments":{"z":{"name":"zz"}}}`,
		"~\"    k: v\n  #}\r\nexperiments: [{name: x, k: 1}, {name: y}]\n": `{"experiments":{"x":{"k":"new"}}}`,
	} {
		var r Reader
		got, err := r.MergePatch([]byte(text), []byte(patch), "experiments")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, problems := r.parse("", got); len(problems) > 0 || !strings.Contains(string(got), "z") && !strings.Contains(string(got), "new") {
			t.Errorf("%q became %q: %v", text, got, problems)
		}
	}
}
