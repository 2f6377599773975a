package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidateTheDemo(t *testing.T) {
	dir := demoFiles(t)
	main := writeFile(t, dir, "gateway.yaml", "models: {dir: "+dir+"/repository, default: risk}\n"+
		"features: {schema: "+dir+"/features.yaml}\nexperiments: {file: "+dir+"/experiments.yaml}\n")
	want := "ok: " + main + "; 3 models with 4 versions; 1 experiment; 30 features of 1 entity\n"
	for _, args := range [][]string{{"validate", "--config", main}, {"validate", main}} {
		if got := cli(t, args...); got.code != 0 || got.out != want || got.stderr != "" {
			t.Errorf("%+v", got)
		}
	}
	if got := cli(t, "validate", main, main); got.out != want+want {
		t.Errorf("two files: %+v", got)
	}
}

// TestValidateReportsEverything has a mistake in every file that there is.
func TestValidateReportsEverything(t *testing.T) {
	dir := demoFiles(t)
	t.Chdir(dir)
	main := writeFile(t, dir, "gateway.yaml", "models: {dir: repository, default: rsk}\n"+
		"features: {schema: features.yaml}\nexperiments: {file: experiments.yaml}\n")
	writeFile(t, dir, "repository/risk/config.yaml", "max_batch_size: -1\ninputs:\n- {name: X, features: [user.mean_radis]}\n")
	writeFile(t, dir, "repository/digits/1/golden.json", `{"cases": []}`)
	writeFile(t, dir, "repository/progression/config.yaml", "inputs:\n- {name: X, features: [usr.age, user.mean_radis, request_only]}\n")
	writeFile(t, dir, "repository/torn/1/model.onnx", "not a model")
	writeFile(t, dir, "repository/empty/1/notes.txt", "nothing here yet")
	writeFile(t, dir, "repository/notes/README", "no version")
	writeFile(t, dir, "features.yaml", "entities:\n  user:\n    features:\n      mean_radius: {type: float, default: 1}\n")
	writeFile(t, dir, "experiments.yaml", "experiments:\n- name: x\n  model: risk\n  variants:\n  - {name: a, weight: 50, version: 7}\n"+
		"  - {name: b, weight: 50, version: 1}\n- name: y\n  model: gone\n  variants: [{name: a, weight: 100}]\n"+
		"- name: z\n  model: gone\n  state: draft\n  variants: [{name: a, weight: 100}]\n")

	got := cli(t, "validate", "--config", main)
	want := []string{
		"repository/risk/config.yaml:1:17: max_batch_size: -1 is outside 0 to 65536",
		"repository/digits/1: golden: cases is empty; add at least one, or remove the file",
		`repository/progression/config.yaml:2:24: inputs[0].features[0]: usr.age: the feature schema has no entity "usr"; did you mean "user"?`,
		`repository/progression/config.yaml:2:33: inputs[0].features[1]: user.mean_radis: entity user has no feature "mean_radis"; did you mean "mean_radius"?`,
		"repository/torn/1: not an ONNX model",
		"repository/empty/1: holds no model.onnx",
		`experiments.yaml:5:36: experiments[0].variants[0].version: model "risk" has no version 7 in repository`,
		`experiments.yaml:6:36: experiments[0].variants[1].version: version 1 of model "risk" cannot be loaded`,
		`experiments.yaml:9:15: experiments[1].variants[0].version: there is no model "gone" in repository`,
		main + `:1:36: models.default: there is no model "rsk" in repository`,
	}
	for _, line := range want {
		if strings.Count(got.stderr, line) != 1 {
			t.Errorf("want once: %s", line)
		}
	}
	lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
	if len(lines) != len(want)+1 || lines[len(lines)-1] != "gateway: 10 problems" || got.code != 2 || got.out != "" {
		t.Errorf("exit %d, stdout %q, stderr:\n%s", got.code, got.out, got.stderr)
	}
}

func TestValidateBrokenFiles(t *testing.T) {
	dir := demoFiles(t)
	t.Chdir(dir)
	base := []string{"validate", "--set", "models.dir=repository"}
	if err := os.Rename("features.yaml", "declared.yaml"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text, key, want string
	}{
		{"g.yaml", "server: {listen: 8080}\nlgo: {}\n", "", "g.yaml:1:18: server.listen: "},
		{"g.yaml", "server: {listen: 8080}\nlgo: {}\n", "", "g.yaml:2:1: lgo: "},
		{"features.yaml", "entities: {user: {features: {a: {type: flaot}}}}\n", "features.schema", `features.yaml:1:40: entities.user.features.a.type: "flaot" is not one of`},
		{"features.yaml", "entities: [", "features.schema", "features.yaml:1:11: not valid YAML"},
		{"experiments.yaml", "experiments: [{name: x, model: risk, variants: [{name: a, weight: 40}]}]\n", "experiments.file", "experiments.yaml:1:38: experiments[0].variants: weights add up to 40.00, want exactly 100"},
		{"keys.yaml", "callers: [{name: x, scopes: [predikt]}]\n", "auth.keys_file", `keys.yaml:1:21: callers[0].scopes: there is no scope "predikt"; did you mean predict?`},
		{"gone", "", "experiments.file", "experiments.file: stat gone: no such file or directory"},
	} {
		args := base
		if c.text != "" {
			writeFile(t, dir, c.name, c.text)
		}
		if c.key != "features.schema" {
			args = append(args, "--set", "features.schema=declared.yaml")
		}
		if c.key == "" {
			args = append(args, "--config", c.name)
		} else {
			args = append(args, "--set", c.key+"="+c.name)
		}
		got := cli(t, args...)
		got.wants(t, 2, "", c.want)
		if c.text == "" && !strings.HasSuffix(got.stderr, "gateway: 1 problem\n") {
			t.Errorf("a file that is not there is reported more than once:\n%s", got.stderr)
		}
	}
}

// Layers of config, policies and labels: each mistake at its place, and versions
// that the policy does not load are checked as well.
func TestValidateLayersPoliciesAndLabels(t *testing.T) {
	dir := demoFiles(t)
	t.Chdir(dir)
	config, err := os.ReadFile("repository/risk/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := func(model, version, experiment string, code int, want ...string) {
		t.Helper()
		writeFile(t, dir, "repository/risk/config.yaml", string(config)+model)
		writeFile(t, dir, "repository/risk/1/config.yaml", version)
		writeFile(t, dir, "experiments.yaml", "experiments: [{name: x, model: risk, variants: [{name: a, weight: 100, "+experiment+"}]}]\n")
		got := cli(t, "validate", "--set", "models.dir=repository", "--set", "features.schema=features.yaml", "--set", "experiments.file=experiments.yaml")
		if got.code != code {
			t.Errorf("exit %d, want %d: %s", got.code, code, got.stderr)
		}
		for _, line := range want {
			if strings.Count(got.stderr, line) != 1 {
				t.Errorf("want once: %s\nin: %s", line, got.stderr)
			}
		}
	}
	f("version_policy: {specific: [2]}\nlabels: {stable: 2}\n", "threads: 2\n", "label: stable", 0)
	f("", "threads: 2\n", "label: stable", 0, "note: label stable of model risk, which experiments.yaml names, is in no config.yaml")
	f("", "threads: 0\n", "version: 2", 2, "repository/risk/1/config.yaml:1:10: threads: 0 is outside", "gateway: 1 problem")
	f("version_policy: {specific: [2]}\n", "threads: 0\n", "version: 2", 2, "repository/risk/1/config.yaml:1:10: threads", "gateway: 1 problem")
	f("version_policy: {specific: [2, 9]}\nlabels: {stable: 2, next: 8}\n", "threads: 2\n", "label: next", 2,
		"version_policy.specific[1]: there is no version 9 in repository/risk (it has 1, 2)", "labels.next: there is no version 8 in repository/risk",
		"experiments[0].variants[0].label: model \"risk\" has no version 8", "gateway: 3 problems")
	f("version_policy: {latest: 0, all: true, specific: [1]}\n", "labels: {a: 1}\n", "version: 2", 2,
		"version_policy: latest, specific and all exclude one another", "repository/risk/1/config.yaml:1:1: labels: is about all versions of the model; it belongs into repository/risk/config.yaml")
	cli(t, "validate", "--set", "models.dir=repository", "--set", "models.mode=explicit", "--set", "models.load=risk,rsk").wants(t, 2, "", `models.load: there is no model "rsk" in repository`)
	cli(t, "validate", "--set", "models.dir=repository", "--set", "models.load=risk").wants(t, 2, "", "models.load: is for mode explicit, and models.mode is watch")
	cli(t, "validate", "--set", "models.dir=repository", "--set", "models.mode=polling").wants(t, 2, "", `models.mode: "polling" is not one of watch, poll, explicit`)
}

func TestValidateLeavesTheRepositoryAlone(t *testing.T) {
	dir := demoFiles(t)
	before := treeOf(t, dir)
	cli(t, "validate", "--set", "models.dir="+dir+"/repository", "--set", "features.schema="+dir+"/features.yaml").wants(t, 0, "ok", "")
	if after := treeOf(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func treeOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
