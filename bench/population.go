package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// keyPrefix is the gateway's default hash layout for the entity user.
const keyPrefix = "features:user:"

// timestampField is the hash field with the time of the last write.
const timestampField = "_ts"

// startRedis starts a redis-server on a free port without persistence.
func startRedis(ctx context.Context, o Options, dir string) (*child, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", err
	}
	c, err := start("redis", dir, o.core(false), o.RedisServer,
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	if err != nil {
		return nil, "", err
	}
	err = c.ready(ctx, func(ctx context.Context) error {
		client, err := redisClient(addr)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Do(ctx, client.B().Ping().Build()).Error()
	})
	if err != nil {
		c.stop()
		return nil, "", err
	}
	return c, addr, nil
}

func redisClient(addr string) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true,
	})
}

// populate writes every user's features. Values depend on the user's number
// only, so that every run works on the same data.
func populate(ctx context.Context, addr string, users int, fields []string) error {
	client, err := redisClient(addr)
	if err != nil {
		return err
	}
	defer client.Close()
	const chunk = 500
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	cmds := make(rueidis.Commands, 0, chunk)
	for i := 0; i < users; {
		cmds = cmds[:0]
		for ; i < users && len(cmds) < chunk; i++ {
			r := rand.New(rand.NewPCG(uint64(i), 10))
			fv := client.B().Hset().Key(keyPrefix+string(appendUser(nil, i))).FieldValue().FieldValue(timestampField, now)
			for _, f := range fields {
				fv = fv.FieldValue(f, strconv.FormatFloat(r.NormFloat64(), 'f', 5, 64))
			}
			cmds = append(cmds, fv.Build())
		}
		for _, res := range client.DoMulti(ctx, cmds...) {
			if err := res.Error(); err != nil {
				return fmt.Errorf("load features into redis %s: %w", addr, err)
			}
		}
	}
	return nil
}
