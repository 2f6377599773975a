package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

const fields = "f0,f1,f2,f3,f4,f5,f6,f7,f8,f9"

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// eventually polls until ok is nil.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for err := ok(); err != nil; err = ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func startRedis(t *testing.T) rueidis.Client {
	t.Helper()
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Setenv("FLOOR_TEST_REDIS", addr)
	var client rueidis.Client
	eventually(t, "redis", func() (err error) {
		client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
		return err
	})
	t.Cleanup(client.Close)
	return client
}

// goldenCase is a case of a model's golden.json.
type goldenCase struct {
	Inputs, Outputs map[string][]float64
}

func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	text, err := os.ReadFile("../testdata/repository/mid/1/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Cases []goldenCase }
	if err := json.Unmarshal(text, &g); err != nil || len(g.Cases) == 0 {
		t.Fatalf("%v, %d cases", err, len(g.Cases))
	}
	return g.Cases
}

// The floor does the whole path: its answers are the golden values, for users
// whose features are in Redis, also when requests share runs.
func TestFloorAnswersAreRight(t *testing.T) {
	client := startRedis(t)
	cases := goldenCases(t)
	for i, c := range cases {
		set := client.B().Hset().Key(fmt.Sprintf("features:user:u%d", i)).FieldValue()
		for k, v := range c.Inputs["x"] {
			set = set.FieldValue(fmt.Sprintf("f%d", k), fmt.Sprint(v))
		}
		if err := client.Do(context.Background(), set.Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	library := os.Getenv("ONNXRUNTIME_LIB")
	if library == "" {
		library = "../../.onnxruntime/" + runtime.GOOS + "-" + runtime.GOARCH + "/libonnxruntime.so.1"
	}
	listen := freeAddr(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", listen, "-redis", os.Getenv("FLOOR_TEST_REDIS"), "-lib", library,
			"-model", "../testdata/repository/mid/1/model.onnx", "-fields", fields})
	}()
	eventually(t, "floor", func() error {
		select {
		case err := <-ended:
			t.Fatal(err)
		default:
		}
		res, err := http.Get("http://" + listen + "/readyz")
		if err == nil {
			res.Body.Close()
		}
		return err
	})
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() { checkAnswer(t, listen, n%len(cases), cases[n%len(cases)].Outputs["y"][0]) })
	}
	all.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func checkAnswer(t *testing.T, listen string, user int, want float64) {
	body := strings.NewReader(fmt.Sprintf(`{"user_id":"u%d","model":"mid","request_id":"r"}`, user))
	res, err := http.Post("http://"+listen+"/predict", "application/json", body)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
		return
	}
	var got answer
	if err := json.Unmarshal(text, &got); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: %v: %s", res.Status, err, text)
		return
	}
	if math.Abs(float64(got.Prediction)-want) > 1e-5 || got.Outputs["y"] != got.Prediction || got.RequestID != "r" || got.Model != "mid" {
		t.Errorf("user %d: %s, want %v", user, text, want)
	}
}

func TestFlagsAreNeeded(t *testing.T) {
	if err := run(context.Background(), []string{"-model", "x"}); err == nil || !strings.Contains(err.Error(), "-fields") {
		t.Errorf("error = %v", err)
	}
}
