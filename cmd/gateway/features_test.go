package main

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// startRedis runs a real redis-server for the length of a test.
func startRedis(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		} else if time.Now().After(end) {
			t.Fatalf("redis-server does not accept: %v", err)
		}
	}
}

func TestFeaturesLoadFillsRedis(t *testing.T) {
	dir, addr := demoFiles(t), startRedis(t)
	csv, schema := filepath.Join(dir, "features.csv"), filepath.Join(dir, "features.yaml")
	got := cli(t, "features", "load", csv, "--redis", addr, "--schema", schema)
	got.wants(t, 0, "loaded 500 rows with 15000 values into ["+addr+"] in ", "loaded 500 of 500 rows\n")
	if !strings.HasSuffix(got.out, "; user: 500\n") {
		t.Errorf("%q", got.out)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	do := func(c rueidis.Completed) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		v, err := client.Do(ctx, c).ToString()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := do(client.B().Hget().Key("features:user:user-1").Field("mean_radius").Build()); v != "17.99" {
		t.Errorf("user-1 has mean_radius %q", v)
	}
	// From standard input, whose length is not known, and named by the configuration.
	env := []string{"HOTPATH_FEATURES_REDIS_ADDRESSES=" + addr, "HOTPATH_FEATURES_SCHEMA=" + schema}
	cliWith(t, env, "entity,id,mean_radius\nuser,piped,2.5\n", "features", "load", "-").wants(t, 0, "loaded 1 row with 1 value into", "loaded 1 rows\n")
	if v := do(client.B().Hget().Key("features:user:piped").Field("mean_radius").Build()); v != "2.5" {
		t.Errorf("piped has mean_radius %q", v)
	}
	cliWith(t, env, "entity,id,mean_radius\nuser,a,1\nuser,b,wide\n", "features", "load", "-").wants(t, 1, "", "-: line 3, column 8: ")
}

func TestFeaturesLoadFails(t *testing.T) {
	dir := demoFiles(t)
	csv, schema := filepath.Join(dir, "features.csv"), filepath.Join(dir, "features.yaml")
	// A port that nobody listens on.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	cli(t, "features", "load", csv, "--redis", l.Addr().String(), "--schema", schema).wants(t, 1, "", "connection refused")
	cli(t, "features", "load", csv+".gone", "--redis", l.Addr().String(), "--schema", schema).wants(t, 1, "", "no such file")
	bad := writeFile(t, dir, "bad.yaml", "entities: {user: {features: {a: {type: x}}}}\n")
	cli(t, "features", "load", csv, "--schema", bad).wants(t, 2, "", bad+":1:40: entities.user.features.a.type: ")
	cli(t, "features", "load", csv, "--redis", "nonsense", "--schema", schema).wants(t, 2, "", "flag --redis: features.redis.addresses: ")
}

func TestProgressLinesAreFew(t *testing.T) {
	var b strings.Builder
	p := newProgress(&b)
	for done := 500; done <= 50_000; done += 500 {
		p.update(done, 50_000)
	}
	if n := strings.Count(b.String(), "\n"); n < 10 || n > 12 || !strings.HasSuffix(b.String(), "loaded 50000 of 50000 rows\n") {
		t.Errorf("%d lines:\n%s", n, b.String())
	}
	if err := p.finish(); err != nil {
		t.Error(err)
	}
}
