package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hotSwaps is row 24: versions come and go while requests go on.
type hotSwaps struct {
	swaps, warmup int
	rate          float64
	// size of each model file in bytes.
	size int
	// settings of the gateway beside the usual ones.
	settings []string
}

// TestHotSwaps is a short form of row 24.
func TestHotSwaps(t *testing.T) {
	hotSwaps{swaps: byRace(100, 200), warmup: 20, rate: byRace(300.0, 2000.0), size: byRace(1<<20, 4<<20),
		settings: []string{"--set", "models.trial_process=false"}}.run(t)
}

// swappers is how many goroutines swap, over two models.
const swappers = 8

// swapModel is one of the models that are swapped.
type swapModel struct {
	name string
	next atomic.Int64 // the version published last
}

// swapping publishes versions in a gateway's repository.
type swapping struct {
	g      *gateway
	size   int
	client http.Client
	models [2]swapModel
	// longest is that of the operations, in nanoseconds.
	longest atomic.Int64
}

// run swaps under load and checks that nothing failed, no answer was wrong, and
// the process then holds what it held before.
func (h hotSwaps) run(t *testing.T) {
	dir := t.TempDir()
	s := &swapping{size: h.size, client: http.Client{Timeout: time.Minute}}
	defer s.client.CloseIdleConnections()
	for i := range s.models {
		m := &s.models[i]
		m.name = "swap_" + string(rune('a'+i))
		write(t, filepath.Join(dir, "repository", m.name, "config.yaml"), "max_batch_size: 16\nbatch_sizes: [1, 4, 16]\nrun_timeout: 5s\n")
		if err := publishVersion(dir, m.name, int(m.next.Add(1)), h.size); err != nil {
			t.Fatal(err)
		}
	}
	s.g = startGateway(t, dir, append(fixtureArgs(dir), h.settings...)...)
	l := load{addr: s.g.Traffic, rate: h.rate, conns: 48, body: swapBody, judge: judgeSwap}.begin(t)
	within(t, scaled(10*time.Second), "some load ran", func() bool { return l.next.Load() > int64(h.rate)/2 })

	s.swap(t, h.warmup)
	before := s.settled(t)
	start := time.Now()
	s.swap(t, h.swaps)
	took := time.Since(start)
	// The race detector keeps memory of its own about what was freed.
	after := s.backTo(t, before, before.rss+byRace(64<<20, 2*h.size))
	r := l.stop(t)

	r.onlyCodes(t) // what passed is not among the answers
	versions := h.warmup + h.swaps + 2*swappers + len(s.models)
	verdict(t, fmt.Sprintf("%d hot swaps of %.1f MiB by %d goroutines under %.0f req/s", h.swaps, float64(h.size)/(1<<20), swappers, h.rate),
		"0 failed, 0 wrong, RSS grows by less than 2 models, everything else as before",
		"%d answers, %d of them bad; %d versions, %.0f ms a swap, longest operation %s; p50 %s p99 %s p99.9 %s max %s; RSS %.1f -> %.1f MiB, goroutines %d -> %d, threads %d -> %d, fds %d -> %d",
		len(r.passed)+len(r.answers), len(r.answers), versions, took.Seconds()*1000/float64(h.swaps), time.Duration(s.longest.Load()).Round(time.Millisecond),
		r.quantile(.5).Round(10*time.Microsecond), r.quantile(.99).Round(10*time.Microsecond), r.quantile(.999).Round(10*time.Microsecond), r.quantile(1).Round(time.Millisecond),
		mib(before.rss), mib(after.rss), before.goroutines, after.goroutines, before.threads, after.threads, before.fds, after.fds)
	s.g.Stop(t)
}

func mib(n int) float64 { return float64(n) / (1 << 20) }

// judgeSwap checks that the row came back to whom it belongs, and that the
// version that the answer names made it.
func judgeSwap(a *answer) error {
	id, isID := number(a.parsed.Outputs, "id_out")
	sum, isSum := number(a.parsed.Outputs, "sum")
	made, isMade := number(a.parsed.Outputs, "made_by")
	if isID && isSum && isMade && id == float64(a.seq) && sum == float64(a.seq%1000)+3.5 && made == float64(a.parsed.Version) {
		return nil
	}
	return fmt.Errorf("wrong row or version")
}

// publishVersion puts a version's folder into the repository whole.
func publishVersion(dir, model string, version, size int) error {
	name := strconv.Itoa(version)
	made := filepath.Join(dir, "making", model, name)
	if err := os.MkdirAll(made, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(made, "model.onnx"), []byte(signedEcho(version, size)), 0o644); err != nil {
		return err
	}
	return os.Rename(made, filepath.Join(dir, "repository", model, name))
}

// swap makes n swaps. Each goroutine publishes a new version, loads it, and takes
// out the one that it published before. In the end only the newest are loaded.
func (s *swapping) swap(t *testing.T, n int) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for i := range swappers {
		all.Go(func() {
			m, own := &s.models[i%len(s.models)], 0
			for left.Add(-1) >= 0 && !t.Failed() {
				version := int(m.next.Add(1))
				if err := s.exchange(m.name, version, own); err != nil {
					t.Errorf("%s: %v", m.name, err)
					return
				}
				own = version
			}
		})
	}
	all.Wait()
	for i := range s.models {
		m := &s.models[i]
		version := int(m.next.Add(1))
		if err := s.exchange(m.name, version, 0); err != nil {
			t.Fatal(err)
		}
		// All others, loaded or not: where one goes, the next older one that is on
		// disk would be loaded in its place.
		for _, v := range s.g.model(t, m.name).Versions {
			if v.Version != version {
				if err := s.retire(m.name, v.Version); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// exchange brings a version in and another one, unless it is 0, out.
func (s *swapping) exchange(model string, in, out int) error {
	if err := publishVersion(s.g.Dir, model, in, s.size); err != nil {
		return err
	}
	if err := s.operate(model, "load", in); err != nil {
		return err
	}
	if out == 0 {
		return nil
	}
	return s.retire(model, out)
}

func (s *swapping) retire(model string, version int) error {
	if err := s.operate(model, "unload", version); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.g.Dir, "repository", model, strconv.Itoa(version)))
}

// operate asks the admin port.
func (s *swapping) operate(model, verb string, version int) error {
	start := time.Now()
	resp, err := s.client.Post(fmt.Sprintf("http://%s/admin/models/%s/%s?version=%d", s.g.Admin, model, verb, version), "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if took := int64(time.Since(start)); took > s.longest.Load() {
		s.longest.Store(took)
	}
	gone := verb == "unload" && resp.StatusCode == http.StatusNotFound
	if resp.StatusCode != http.StatusOK && !gone {
		return fmt.Errorf("%s %d: %d %s", verb, version, resp.StatusCode, body)
	}
	return nil
}

// settled reads what the process holds once nothing of the old versions is left.
func (s *swapping) settled(t *testing.T) usage {
	t.Helper()
	within(t, scaled(20*time.Second), "one session a model is left", func() bool {
		m := s.g.metrics(t)
		return m.sum("hotpath_model_loads_total", `result="ok"`)-m.sum("hotpath_model_versions_retired_total") == float64(len(s.models))
	})
	s.collect(t)
	return s.g.usage(t)
}

// collect makes the gateway collect its garbage: what the Go runtime keeps of a
// load for the next one is no growth.
func (s *swapping) collect(t *testing.T) {
	t.Helper()
	if status, _, _ := request(t, "GET", "http://"+s.g.Admin+"/debug/pprof/heap?gc=1", ""); status != 200 {
		t.Fatalf("collecting garbage: status %d", status)
	}
}

// backTo waits until the process holds what it did before.
func (s *swapping) backTo(t *testing.T, before usage, rss int) (u usage) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		u = s.settled(t)
		if u.rss <= rss && u.goroutines <= before.goroutines+5 && u.fds <= before.fds+5 && u.threads <= before.threads+5 {
			return u
		}
		if time.Since(start) > scaled(20*time.Second) {
			t.Errorf("after: RSS %.1f MiB, %d goroutines, %d threads, %d fds; before: RSS %.1f MiB, at most %.1f wanted, %d goroutines, %d threads, %d fds",
				mib(u.rss), u.goroutines, u.threads, u.fds, mib(before.rss), mib(rss), before.goroutines, before.threads, before.fds)
			return u
		}
	}
}
