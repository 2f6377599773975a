package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
)

const (
	yamlBefore = `# Is gradient boosting better?
experiments:
  - name: risk-gbm
    model: risk
    variants:
      - {name: control, weight: 50, version: 1}
      - {name: treatment, weight: 50, version: 2}
    fallback: control
`
	yamlAfter = `# Is gradient boosting better?
experiments:
  - name: risk-gbm
    model: risk
    variants:
      - {name: control, weight: 80, version: 1}
      - {name: treatment, weight: 20, version: 2}
    fallback: control
`
)

func TestLintOfAFile(t *testing.T) {
	dir := t.TempDir()
	good := writeFile(t, dir, "good.yaml", yamlBefore)
	cli(t, "experiments", "lint", good).wants(t, 0, "nothing to say\n", "")
	cliWith(t, nil, yamlBefore, "experiments", "lint", "-").wants(t, 0, "nothing to say\n", "")

	// All mistakes, each with its line, and exit status 1.
	bad := writeFile(t, dir, "bad.yaml", strings.Replace(strings.Replace(yamlBefore, "weight: 50", "weight: 40", 1), "fallback: control", "fallback: nobody", 1))
	got := cli(t, "experiments", "lint", bad)
	got.wants(t, 1, bad+":5:5: experiments[0].variants: error: weights add up to 90.00, want exactly 100 (mistake)\n", "gateway: 2 errors\n")
	got.wants(t, 1, bad+":8:15: experiments[0].fallback: error: ", "")

	// A warning is said and is no failure.
	warned := writeFile(t, dir, "warned.yaml", yamlBefore+"lists:\n  staff: [u1]\n")
	got = cli(t, "experiments", "lint", warned)
	got.wants(t, 0, warned+":10:3: lists.staff: ", "")
	var findings []finding
	if err := json.Unmarshal([]byte(cli(t, "experiments", "lint", warned, "-o", "json").out), &findings); err != nil || len(findings) != 1 || findings[0].Line != 10 {
		t.Errorf("%v %+v", err, findings)
	}
	cli(t, "experiments", "lint", good+".gone").wants(t, 2, "", "no such file")
}

// List files are read beside the file that names them, and beside standard input in
// the present directory.
func TestListFilesOffline(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	text := "list_files: {staff: lists/staff.txt}\n" + strings.Replace(yamlBefore, "    fallback", "    override_lists: {treatment: [staff]}\n    fallback", 1)
	file := writeFile(t, dir, "listed.yaml", text)
	cli(t, "experiments", "lint", file).wants(t, 1, file+":1:21: list_files.staff: error: lists/staff.txt cannot be opened: no such file or directory (mistake)\n", "")
	list := writeFile(t, dir, "lists/staff.txt", "# staff\nuser-1\nuser-2\n")
	cli(t, "experiments", "lint", file).wants(t, 0, "nothing to say\n", "")
	cliWith(t, nil, text, "experiments", "lint", "-").wants(t, 0, "nothing to say\n", "")

	users := writeFile(t, dir, "ids.txt", "user-1\nuser-2\nuser-3\n")
	before := writeFile(t, dir, "before/listed.yaml", text)
	writeFile(t, dir, "before/lists/staff.txt", "user-3\n")
	cli(t, "experiments", "preview", file, "--against", before, "--users", users).wants(t, 0, "2 of 3 assignments of the given users move", "")
	cli(t, "experiments", "diff", before, file).wants(t, 0, "no line differs\n", "")

	writeFile(t, dir, "lists/staff.txt", "user-1\nuser\x00\n")
	cli(t, "experiments", "lint", file).wants(t, 1, list+":2:1: list_files.staff: error: \"user\\x00\" holds a control character", "")
	main := writeFile(t, dir, "gateway.yaml", "experiments: {file: listed.yaml}\n")
	cli(t, "validate", "--config", main).wants(t, 2, "", "lists/staff.txt:2:1: list_files.staff: \"user\\x00\" holds a control character")
}

func TestDiffAndPreviewOfTwoFiles(t *testing.T) {
	dir := t.TempDir()
	before, after := writeFile(t, dir, "before.yaml", yamlBefore), writeFile(t, dir, "after.yaml", yamlAfter)
	got := cli(t, "experiments", "diff", before, after)
	got.wants(t, 0, "--- "+before+"\n+++ "+after+"\n@@ -3,6 +3,6 @@\n", "")
	got.wants(t, 0, "-      - {name: control, weight: 50, version: 1}\n", "")
	got.wants(t, 0, after+":5:5: experiments[0].variants: info: the new weights move 30.00 percent", "")
	cli(t, "experiments", "diff", before, before).wants(t, 0, "no line differs\n", "")
	cli(t, "experiments", "diff", before, after+".gone").wants(t, 2, "", "no such file")

	ids := &strings.Builder{}
	moved := 0
	planBefore, planAfter := compiled(t, yamlBefore), compiled(t, yamlAfter)
	for i := range 1000 {
		id := fmt.Sprintf("user-%d", i)
		fmt.Fprintf(ids, "%s\n", id)
		r := abtest.Request{User: []byte(id)}
		if planBefore.Assign("risk", &r).Variant.Name() != planAfter.Assign("risk", &r).Variant.Name() {
			moved++
		}
	}
	list := writeFile(t, dir, "ids.txt", "# a comment\n\n"+ids.String())
	shown := cli(t, "experiments", "preview", after, "--against", before, "--users", list, "--samples", "1")
	shown.wants(t, 0, fmt.Sprintf("%d of 1000 assignments of the given users move", moved), "")
	if row(shown.out, fmt.Sprint(moved), fmt.Sprintf("%.3g%%", float64(moved)/10), "risk-gbm/treatment: risk 2 risk-gbm/control: risk 1 such as user-") == "" {
		t.Error(shown.out)
	}
	var c change
	answer := cliWith(t, nil, ids.String(), "experiments", "preview", after, "--against", before, "--users", "-", "-o", "json")
	if err := json.Unmarshal([]byte(answer.out), &c); err != nil || c.Preview == nil || c.Preview.Moved != moved || len(c.Preview.Flows) != 3 || len(c.Preview.Flows[0].Samples) != defaultSamples {
		t.Errorf("%v %+v", err, c.Preview)
	}
	cli(t, "experiments", "preview", after, "--against", before).wants(t, 2, "", "give --users")
	cli(t, "experiments", "preview", after, "--against", before, "--users", writeFile(t, dir, "none.txt", "#\n")).wants(t, 2, "", "names no users")
	long := writeFile(t, dir, "long.txt", "# ids\nu\n"+strings.Repeat("x", 257)+"\n")
	cli(t, "experiments", "preview", after, "--against", before, "--users", long).wants(t, 2, "", long+":3: an id of 257 bytes, the limit is 256")
}

func compiled(t *testing.T, text string) *abtest.Plan {
	t.Helper()
	plan, err := experimentsText{"e.yaml", []byte(text)}.compile()
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestTokenIsOneThatTheGatewayTakes(t *testing.T) {
	const key = "0123456789abcdef"
	file := writeFile(t, t.TempDir(), "force.key", key+"\nan older key, still taken\n")
	token := func(args ...string) result { return cli(t, append([]string{"experiments", "token"}, args...)...) }
	var made forcingToken
	got := token("risk-gbm/treatment", "--key-file", file, "--for", "1h", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &made); err != nil {
		t.Fatal(err, got)
	}
	forced, err := abtest.VerifyForceToken([]byte(key), []byte(made.Token), time.Now().Unix())
	if err != nil || string(forced) != "risk-gbm/treatment" || time.Until(made.Expires) > time.Hour {
		t.Errorf("%q %v %+v", forced, err, made)
	}
	if _, err := abtest.VerifyForceToken([]byte(key), []byte(made.Token), made.Expires.Unix()); err == nil {
		t.Error("it is good after its end")
	}
	text := token("risk-gbm/treatment", "--key-file", file)
	text.wants(t, 0, "curl -s http://127.0.0.1:8080/predict -H 'X-Hotpath-Variant: risk-gbm/treatment:", "")
	token("risk-gbm", "--key-file", file).wants(t, 2, "", "is not EXPERIMENT/VARIANT")
	token("risk-gbm/a b", "--key-file", file).wants(t, 2, "", "a forcing token is")
	token("a/b", "--key-file", file, "--for", "0s").wants(t, 2, "", "less than a second")
	token("a/b", "--key-file", writeFile(t, t.TempDir(), "short", "short")).wants(t, 2, "", "fewer than 16 bytes")
	token("a/b").wants(t, 2, "", `required flag(s) "key-file" not set`)
}

func TestSetReadsItsArguments(t *testing.T) {
	for _, c := range []struct {
		pairs string
		want  string // the patch of the experiment, or a part of the error
	}{
		{"state=paused", `{"state":"paused"}`},
		{"weight.control=80 weight.treatment=20%", `{"variants":{"control":{"weight":80},"treatment":{"weight":20}}}`},
		{"version.b=3 label.b=", `{"variants":{"b":{"label":null,"version":3}}}`},
		{"ramp=5,50@2027-02-01T08:00:00Z", `{"ramp":[{"share":5},{"at":"2027-02-01T08:00:00Z","share":50}]}`},
		{"ramp= end=", `{"end":null,"ramp":null}`},
		{"weight.a.b=1", `{"variants":{"a.b":{"weight":1}}}`},
		{"weight=5", "is no key that can be set"},
		{"weight.=5", "is no key that can be set"},
		{"state.a=5", "is no key that can be set"},
		{"salt=5", "is no key that can be set"},
		{"state", "is not key=value"},
		{"weight.a=x", `weight.a: "x" is not a share in percent`},
		{"weight.a=NaN", "is not a share"},
		{"weight.a=101", "is not a share"},
		{"version.a=-1", "is not a whole number"},
		{"state=paused state=running", "state is given twice"},
	} {
		patch, err := setPatch("e", strings.Fields(c.pairs))
		got := strings.TrimSuffix(strings.TrimPrefix(string(patch), `{"experiments":{"e":`), "}}")
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.pairs, got, c.want)
		}
	}
}
