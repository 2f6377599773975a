package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// everyCommand calls each for every command of the program.
func everyCommand(each func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		each(c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&app{}))
}

func TestHelpOfEveryCommand(t *testing.T) {
	t.Setenv("ONNXRUNTIME_LIB", "") // it is the default of a flag
	everyCommand(func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s lacks Short, Long or Example", c.CommandPath())
		}
		got := cli(t, append(path[1:], "--help")...)
		if got.code != 0 || got.stderr != "" {
			t.Errorf("%s --help: exit %d, %s", c.CommandPath(), got.code, got.stderr)
		}
		name := filepath.Join("testdata", "help", strings.Join(path, "_")+".txt")
		if *update {
			writeFile(t, filepath.Dir(name), filepath.Base(name), got.out)
		}
		want, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(want, []byte(got.out)) {
			t.Errorf("%s is out of date (go test ./cmd/gateway -update): %v\n%s", name, err, got.out)
		}
	})
}

func TestExamplesAreCommandLinesThatExist(t *testing.T) {
	everyCommand(func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, "#")
			line, _, _ = strings.Cut(line, "<")
			line, _, _ = strings.Cut(line, ">")
			args := strings.Fields(line)
			root := newRootCommand(&app{})
			found, rest, err := root.Find(args[1:])
			if err != nil {
				t.Errorf("%q: %v", line, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			if found.Args != nil {
				if err := found.Args(found, found.Flags().Args()); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			}
		}
	})
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args   string
		stderr string
	}{
		{"bogus", `unknown command "bogus" for "gateway"`},
		{"statsu", "did you mean status?"},
		{"models lst", "did you mean list?"},
		{"--bogus", "unknown flag: --bogus\nRun 'gateway --help' for usage."},
		{"version extra", `unknown command "extra" for "gateway version"`},
		{"models promote risk", "models promote takes MODEL VERSION, not 1 argument"},
		{"models promote risk 0", `"0" is no version`},
		{"models load ../etc", "is no model name"},
		{"models rollback risk 2", "models rollback takes MODEL, not 2 arguments"},
		{"models list -o yaml", "want json or table"},
		{"experiments assign", "at least one of the flags in the group [user users] is required"},
		{"experiments assign --user u --attr x", "is not name=value"},
		{"status --admin nonsense", "is not host:port"},
		{"config show --set nonsense", "is not key=value"},
		{"features load", "features load takes FILE.csv, not 0 arguments"},
		{"features load x.csv", "no feature schema is configured"},
		{"bench run --generator nope", "must be auto, vegeta or wire"},
		{"config show --set log.levl=debug", "flag --set: log.levl: there is no such configuration key; did you mean log.level?"},
	} {
		got := cli(t, strings.Fields(c.args)...)
		got.wants(t, 2, "", c.stderr)
		if got.out != "" {
			t.Errorf("%s: stdout has %s", c.args, got.out)
		}
	}
}

func TestAGroupAloneShowsItsHelp(t *testing.T) {
	cli(t).wants(t, 0, "Available Commands:", "")
	cli(t, "models").wants(t, 0, "gateway models [command]", "")
}

func TestVersion(t *testing.T) { cli(t, "version").wants(t, 0, "gateway "+version, "") }

func TestWhereTheConfigurationComesFrom(t *testing.T) {
	file := writeFile(t, t.TempDir(), "g.yaml", "log: {level: warn}\nserver: {admin_listen: \"127.0.0.1:7\"}\n")
	for _, c := range []struct {
		env  []string
		args []string
		want string
	}{
		{nil, []string{"--config", file}, "level: \"warn\""},
		{[]string{"HOTPATH_CONFIG=" + file}, nil, "level: \"warn\""},
		{[]string{"HOTPATH_LOG_LEVEL=debug"}, []string{"--config", file}, "level: \"debug\""},
		{[]string{"HOTPATH_LOG_LEVEL=debug"}, []string{"--set", "log.level=error"}, "level: \"error\""},
		{nil, []string{"--config", file, "--admin", "127.0.0.1:8"}, "# flag --admin"},
	} {
		cliWith(t, c.env, "", append([]string{"config", "show"}, c.args...)...).wants(t, 0, c.want, "")
	}
	cli(t, "config", "show", "--config", file+".gone").wants(t, 2, "", "no such file")
}

func TestConfigInitIsAcceptedByValidate(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	cli(t, "config", "init", "--output", "gateway.yaml").wants(t, 0, "", "")
	cli(t, "validate", "--config", "gateway.yaml").wants(t, 2, "", "models.dir: stat models: no such file or directory")
	if err := os.Mkdir("models", 0o755); err != nil {
		t.Fatal(err)
	}
	cli(t, "validate", "--config", "gateway.yaml").wants(t, 0, "ok: gateway.yaml; 0 models with 0 versions\n", "")
	cli(t, "config", "init", "--output", "gateway.yaml").wants(t, 1, "", "exists already")
	stdout := cli(t, "config", "init")
	file, err := os.ReadFile("gateway.yaml")
	if err != nil || stdout.out != string(file) {
		t.Errorf("standard output and --output differ: %v", err)
	}
	cli(t, "config", "docs").wants(t, 0, "# Configuration", "")
}

func TestBenchTargetsAndCompare(t *testing.T) {
	got := cli(t, "bench", "targets", "--users", "3", "--url", "http://127.0.0.1:1")
	if lines := strings.Count(got.out, "\n"); got.code != 0 || lines != 3 || !strings.Contains(got.out, `"url":"http://127.0.0.1:1/predict"`) {
		t.Errorf("%+v", got)
	}
	cli(t, "bench", "compare", "gone-a.json", "gone-b.json").wants(t, 1, "", "gone-a.json")
}
