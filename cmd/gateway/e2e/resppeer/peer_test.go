package resppeer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAClientTakesItForRedis(t *testing.T) {
	p := Start(t)
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{p.Addr}, ForceSingleClient: true, DisableCache: true, DisableRetry: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ask := func() (rueidis.RedisMessage, error) {
		return c.Do(ctx, c.B().Hmget().Key("k").Field("a", "b").Build()).ToMessage()
	}
	m, err := ask()
	if list, _ := m.ToArray(); err != nil || len(list) != 2 || !list[0].IsNil() {
		t.Errorf("HMGET of two fields: %v %v", m, err)
	}
	p.Play(Answering("HMGET", "-BUSY in a script\r\n"))
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "BUSY") {
		t.Errorf("scripted: %v", err)
	}
	if n := p.Asked("HMGET"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	p.Play(Always("-LOADING\r\n"))
	if err := c.Do(ctx, c.B().Ping().Build()).Error(); err == nil || !strings.Contains(err.Error(), "LOADING") {
		t.Errorf("scripted for all: %v", err)
	}
	p.Drop()
	p.Play(Usual)
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := ask(); err == nil {
			break
		} else if time.Since(start) > 5*time.Second {
			t.Fatal(err)
		}
	}
}
