package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"hotpath/cmd/gateway/e2e/child"
)

// redisServer is a real redis-server on a port of its own.
type redisServer struct {
	*child.Process
	port, addr, dir string
}

// startRedis starts a redis-server and waits until it answers. args follow those
// that make it forget everything at exit.
func startRedis(t *testing.T, port string, args ...string) *redisServer {
	t.Helper()
	dir := t.TempDir()
	r := &redisServer{port: port, addr: "127.0.0.1:" + port, dir: dir}
	all := append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir}, args...)
	r.Process = child.Start(t, dir, []string{"PATH=" + os.Getenv("PATH")}, "redis-server", all...)
	within(t, 10*time.Second, "redis-server answers", func() bool { return r.try("PING") == nil })
	return r
}

// try sends one command over a connection of its own.
func (r *redisServer) try(args ...string) error {
	_, err := r.ask(args...)
	return err
}

func (r *redisServer) ask(args ...string) (rueidis.RedisMessage, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.addr}, ForceSingleClient: true, DisableCache: true, DisableRetry: true})
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return c.Do(ctx, c.B().Arbitrary(args[0]).Args(args[1:]...).Build()).ToMessage()
}

// must sends one command that has to work.
func (r *redisServer) must(t *testing.T, args ...string) {
	t.Helper()
	if err := r.try(args...); err != nil {
		t.Fatalf("redis %v: %v", args, err)
	}
}

// fill loads the demo's users with the gateway's own command.
func (r *redisServer) fill(t *testing.T, dir string, extra ...string) {
	t.Helper()
	args := append([]string{"features", "load", filepath.Join(dir, "features.csv"),
		"--schema", filepath.Join(dir, "features.yaml"), "--redis", r.addr}, extra...)
	if code, out, stderr := child.Run(t, time.Minute, dir, child.Environment(dir), child.Binary(), args...); code != 0 {
		t.Fatalf("features load: exit %d\n%s%s", code, out, stderr)
	}
}
