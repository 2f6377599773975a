package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hotpath/models/strictyaml"
)

func TestLoadOrder(t *testing.T) {
	file := write(t, "gateway.yaml", "server:\n  listen: \":1\"\n  lame_duck: 3s\nlog: {level: warn}\ndeadline:\n")
	env := []string{"HOTPATH_LOG_LEVEL=error", "HOTPATH_SERVER_LISTEN=:2", "HOTPATH_FEATURES_REDIS_ADDRESSES=a:1, b:2",
		"HOTPATH_FEATURES_REDIS_MODE=cluster", "PATH=/bin", EnvFile + "=other.yaml"}
	c, sources, err := Load(file, env, Override{Path: "server.listen", Value: ":3", Flag: "--listen"},
		Override{Path: "server.max_body_bytes", Value: "1KiB"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Server.Listen != ":3" || c.Log.Level != "error" || c.Server.LameDuck != 3*time.Second || c.Server.MaxBodyBytes != 1024 {
		t.Errorf("got %+v %+v", c.Server, c.Log)
	}
	if !reflect.DeepEqual(c.Features.Redis.Addresses, []string{"a:1", "b:2"}) {
		t.Errorf("got addresses %q", c.Features.Redis.Addresses)
	}
	for path, want := range map[string]string{
		"server.listen": "flag --listen", "server.max_body_bytes": "flag --set", "log.level": "env HOTPATH_LOG_LEVEL",
		"server.lame_duck": file + ":3", "deadline.max": "default", "log.format": "default",
	} {
		if got := sources.Of(path).String(); got != want {
			t.Errorf("source of %s is %s, want %s", path, got, want)
		}
	}
}

func TestLoadNothingIsDefault(t *testing.T) {
	c, sources, err := Load("", nil)
	if err != nil || !reflect.DeepEqual(c, Default()) || len(sources) != 0 {
		t.Errorf("got %+v %v %v", c, sources, err)
	}
}

func TestLoadGoodFiles(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.good.yaml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		c, sources, err := Load(file, nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var b strings.Builder
		if err := Dump(&b, c, sources); err != nil {
			t.Fatal(err)
		}
		expect(t, strings.TrimSuffix(file, ".yaml")+".dump", []byte(b.String()))
	}
}

func TestLoadBadFilesReportEverything(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		c, sources, err := Load(file, nil)
		var problems strictyaml.Problems
		if !errors.As(err, &problems) || c != nil || sources != nil {
			t.Errorf("%s: got %v %v %v", file, c, sources, err)
			continue
		}
		expect(t, strings.TrimSuffix(file, ".yaml")+".want", []byte(err.Error()+"\n"))
	}
}

func TestLoadNamesTheSourceOfAMistake(t *testing.T) {
	file := write(t, "gateway.yaml", "deadline:\n  max: 50ms\n")
	_, _, err := Load(file, []string{"HOTPATH_LOG_LEVEL=loud", "HOTPATH_SERVER_MAX_CONECTIONS=3", "HOTPATH_MODELS_TRIAL_PROCESS=1"},
		Override{Path: "server.listn", Value: ":3"}, Override{Path: "features.budget", Value: "5", Flag: "--budget"})
	wantLines(t, err,
		file+":1:1: deadline.default: 100ms is above deadline.max 50ms",
		`env HOTPATH_LOG_LEVEL: log.level: "loud" is not one of debug, info, warn, error`,
		`env HOTPATH_MODELS_TRIAL_PROCESS: models.trial_process: want true or false, got "1"`,
		`env HOTPATH_SERVER_MAX_CONECTIONS: there is no such configuration key; did you mean HOTPATH_SERVER_MAX_CONNECTIONS?`,
		`flag --budget: features.budget: want a duration with a unit such as 250ms, 1.5s or 2h, got "5"`,
		`flag --set: server.listn: there is no such configuration key; did you mean server.listen?`,
	)
}

func TestLoadIgnoresKubernetesServiceVariables(t *testing.T) {
	env := []string{"HOTPATH_SERVICE_HOST=10.0.0.1", "HOTPATH_SERVICE_PORT=80", "HOTPATH_SERVICE_PORT_HTTP=80",
		"HOTPATH_PORT=tcp://10.0.0.1:80", "HOTPATH_PORT_80_TCP=tcp://10.0.0.1:80", "HOTPATH_PORT_80_TCP_ADDR=10.0.0.1",
		"HOTPATH_ADMIN_SERVICE_HOST=10.0.0.2", "HOTPATH_ADMIN_PORT_9090_TCP_PROTO=tcp"}
	if _, _, err := Load("", env); err != nil {
		t.Error(err)
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "configuration file: open ") {
		t.Errorf("got %v", err)
	}
}

func TestSecrets(t *testing.T) {
	secret := write(t, "password", "s3cret\n")
	c, sources, err := Load("", []string{"HOTPATH_FEATURES_REDIS_PASSWORD_FILE=" + secret})
	if err != nil {
		t.Fatal(err)
	}
	if c.Features.Redis.Password.Reveal() != "s3cret" {
		t.Errorf("got %q", c.Features.Redis.Password.Reveal())
	}
	if got := sources.Of("features.redis.password").String(); got != "env HOTPATH_FEATURES_REDIS_PASSWORD_FILE" {
		t.Errorf("source is %s", got)
	}
	var b strings.Builder
	if err := Dump(&b, c, sources); err != nil {
		t.Fatal(err)
	}
	asJSON, _ := json.Marshal(c)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "config", c.Features.Redis, "password", c.Features.Redis.Password)
	fmt.Fprintf(&b, "%v %+v %#v %s %q %s", c, c, c, c.Features.Redis.Password, c.Features.Redis.Password, asJSON)
	if text := b.String(); strings.Contains(text, "s3cret") || strings.Count(text, "***") < 6 {
		t.Errorf("secret is shown, or not shown as ***:\n%s", text)
	}
}

func TestSecretMistakes(t *testing.T) {
	file := write(t, "gateway.yaml", "features: {redis: {password: 081, password_file: /none}}\n")
	_, _, err := Load(file, nil)
	wantLines(t, err, file+":1:50: features.redis.password_file: cannot be used together with features.redis.password; remove one of them")
	missing := filepath.Join(t.TempDir(), "none")
	_, _, err = Load("", nil, Override{Path: "features.redis.sentinel_password_file", Value: missing})
	wantLines(t, err, "flag --set: features.redis.sentinel_password_file: open "+missing+": no such file or directory")
	if err := os.WriteFile(missing, make([]byte, maxSecretBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = Load("", nil, Override{Path: "features.redis.password_file", Value: missing})
	wantLines(t, err, "flag --set: features.redis.password_file: "+missing+" has more than 65536 bytes")
}

func TestCheckLooksAtTheFilesNamed(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "gateway.yaml", fmt.Sprintf("models: {dir: %q}\nexperiments:\n  file: /none.yaml\nfeatures: {schema: %q}\n", dir, dir))
	_, _, err := Check(file, []string{"HOTPATH_RUNTIME_LIBRARY=" + file})
	wantLines(t, err,
		file+":3:9: experiments.file: stat /none.yaml: no such file or directory",
		file+":4:20: features.schema: "+dir+" is a directory, want a file")
	_, _, err = Check("", nil, Override{Path: "models.dir", Value: file, Flag: "--models"})
	wantLines(t, err, "flag --models: models.dir: "+file+" is not a directory")
	if _, _, err = Check("", nil, Override{Path: "models.dir", Value: dir}); err != nil {
		t.Error(err)
	}
	if _, _, err = Check("", nil, Override{Path: "log.level", Value: "x"}); err == nil {
		t.Error("what Load refuses is accepted")
	}
}

func TestSourcesProblems(t *testing.T) {
	_, sources, err := Load("", []string{"HOTPATH_LOG_LEVEL=warn"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sources.Problems(nil); err != nil {
		t.Error(err)
	}
	wantLines(t, sources.Problems([]Problem{{"log.level", "a"}, {"log.format", "b"}}), "log.format: b", "env HOTPATH_LOG_LEVEL: log.level: a")
}

// A file with mistakes of both kinds must need one round, not two.
func TestCheckReportsMissingFilesBesideOtherMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "g.yaml")
	if err := os.WriteFile(file, []byte("server: {listn: \":1\"}\nfeatures: {schema: /nope}\nmodels: {dir: \"/nope too\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := Check(file, nil)
	if c != nil || err == nil {
		t.Fatalf("config %v, error %v", c, err)
	}
	for _, want := range []string{"g.yaml:1:10: server.listn", "g.yaml:2:20: features.schema", "g.yaml:3:15: models.dir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
