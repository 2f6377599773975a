package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// edited is the admin port's answer to an edit, good or bad.
type edited struct {
	Revision int
	ETag     string
	Diff     string
	Preview  struct {
		Requests, Moved int
		Source          string
		Flows           []struct {
			From, To struct{ Experiment, Variant string }
			Requests int
		}
	}
	Error struct {
		Code, Message string
		Problems      []struct{ Path, Message string }
	}
}

// put saves a whole file through the admin port.
func (g *gateway) put(t *testing.T, text, etag, query string) (int, edited) {
	t.Helper()
	return g.edit(t, "PUT", "/admin/experiments"+query, text, "If-Match", etag, "Content-Type", "application/yaml", "X-Actor", "e2e")
}

func (g *gateway) edit(t *testing.T, method, path, body string, header ...string) (int, edited) {
	t.Helper()
	status, text, _ := request(t, method, "http://"+g.Admin+path, body, header...)
	var e edited
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Errorf("%s %s: %d %s: %v", method, path, status, text, err)
	}
	return status, e
}

// etag is that of the file that serves.
func (g *gateway) etag(t *testing.T) string {
	t.Helper()
	_, _, head := request(t, "GET", "http://"+g.Admin+"/admin/experiments", "")
	return head.Get("ETag")
}

// TestExperimentsEditedByEachWay edits under load through the admin API, whole and
// in part, and through the commands: the split follows within a second, and no
// request fails. The edit of the file itself is TestExperimentsEditedUnderLoad.
func TestExperimentsEditedByEachWay(t *testing.T) {
	g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.data_dir=data")...)
	before := g.variants(t)
	l := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 16, body: crowd}.begin(t)
	ways := []struct {
		how     string
		control int
		edit    func(control int)
	}{
		{"PUT", 80, func(control int) {
			if status, e := g.put(t, split(control), g.etag(t), "?message=more+control"); status != 200 {
				t.Errorf("PUT: %d %+v", status, e)
			}
		}},
		{"PATCH", 30, func(control int) {
			patch := fmt.Sprintf(`{"experiments":{"risk-gbm":{"variants":[{"name":"control","weight":%d,"version":1},{"name":"treatment","weight":%d,"version":2}]}}}`, control, 100-control)
			if status, e := g.edit(t, "PATCH", "/admin/experiments", patch, "If-Match", g.etag(t), "Content-Type", "application/json"); status != 200 {
				t.Errorf("PATCH: %d %+v", status, e)
			}
		}},
		{"gateway experiments apply", 60, func(control int) {
			write(t, filepath.Join(g.Dir, "next.yaml"), split(control))
			if code, out, stderr := g.cli(t, "experiments", "apply", "next.yaml", "--yes", "-m", "by the command"); code != 0 {
				t.Errorf("apply: exit %d\n%s%s", code, out, stderr)
			}
		}},
		{"gateway experiments set", 90, func(control int) {
			if code, out, stderr := g.cli(t, "experiments", "set", "risk-gbm", fmt.Sprintf("weight.control=%d", control), fmt.Sprintf("weight.treatment=%d", 100-control), "--yes"); code != 0 {
				t.Errorf("set: exit %d\n%s%s", code, out, stderr)
			}
		}},
		{"gateway experiments restore", 30, func(int) {
			if code, out, stderr := g.cli(t, "experiments", "restore", "3", "--yes"); code != 0 {
				t.Errorf("restore: exit %d\n%s%s", code, out, stderr)
			}
		}},
	}
	for _, w := range ways {
		was := g.digest(t)
		start := time.Now()
		w.edit(w.control)
		within(t, scaled(3*time.Second), "the new split serves", func() bool { return g.digest(t) != was })
		took := time.Since(start)
		after := g.variants(t)
		got, moves := share(after, "control"), moved(before, after)
		if want := float64(w.control) / 100; got < want-.04 || got > want+.04 || len(moves) != 1 {
			t.Errorf("%s: control has %.3f of the users, want %.2f; moved %v", w.how, got, want, moves)
		}
		verdict(t, "edit by "+w.how, "the split follows within a second, users move one way", "after %s, control %.3f, moved %v", took.Round(time.Millisecond), got, moves)
		before = after
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	verdict(t, "answers meanwhile", "0 failed", "%d answers, codes %v", len(r.answers), r.codes())
	g.Stop(t)
}

// TestTwoEditorsAtOnce is row 44: of edits that began from one text, one is saved,
// and the others hear of it.
func TestTwoEditorsAtOnce(t *testing.T) {
	g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.data_dir=data")...)
	const editors = 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	etag := g.etag(t)
	for i := range editors {
		wg.Go(func() {
			status, e := g.put(t, split(10+i), etag, "")
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			if status == 412 && !strings.Contains(e.Error.Message, "e2e") {
				t.Errorf("412 does not say who was first: %s", e.Error.Message)
			}
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[412] != editors-1 {
		t.Errorf("statuses %v, want one 200 and %d 412", statuses, editors-1)
	}
	if status, _ := g.edit(t, "PUT", "/admin/experiments", split(50), "Content-Type", "application/yaml"); status != 428 {
		t.Errorf("without If-Match: %d, want 428", status)
	}
	verdict(t, "editors at once", "one saves, the others get 412", "%v", statuses)
	g.Stop(t)
}

// TestBrokenEditIsRefused wants every mistake of an edit at once, and what serves to
// go on.
func TestBrokenEditIsRefused(t *testing.T) {
	g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.data_dir=data")...)
	digest := g.digest(t)
	broken := strings.NewReplacer("weight: 50, version: 1", "weight: 40, version: 1", "salt: risk-gbm-2026", "unit: ' '").Replace(split(50))
	status, e := g.put(t, broken, g.etag(t), "")
	if status != 422 || e.Error.Code != "bad_experiments" || len(e.Error.Problems) < 2 {
		t.Errorf("%d %+v, want 422 with both mistakes", status, e.Error)
	}
	if g.digest(t) != digest {
		t.Error("the experiments changed")
	}
	verdict(t, "broken edit", "422 with every mistake", "%v", e.Error.Problems)
	g.Stop(t)
}

// TestPreviewIsWhatHappens counts whom an edit moves before it is saved and after.
func TestPreviewIsWhatHappens(t *testing.T) {
	g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.data_dir=data")...)
	before := g.variants(t)
	next := strings.Replace(split(35), "    salt: risk-gbm-2026\n", "    salt: risk-gbm-2026\n    ramp: [{share: 60}]\n", 1)
	var users []string
	for u := range before {
		users = append(users, u)
	}
	ask, err := json.Marshal(map[string]any{"text": next, "users": users})
	if err != nil {
		t.Fatal(err)
	}
	status, checked := g.edit(t, "POST", "/admin/experiments/check", string(ask), "Content-Type", "application/json")
	if status != 200 || checked.Preview.Requests != len(users) {
		t.Fatalf("check: %d %+v", status, checked)
	}
	status, traffic := g.put(t, next, g.etag(t), "?dry_run=true")
	if status != 200 || traffic.Preview.Source != "traffic" || traffic.Preview.Requests == 0 {
		t.Errorf("dry run over the traffic: %d %+v", status, traffic)
	}
	if status, e := g.put(t, next, g.etag(t), ""); status != 200 {
		t.Fatalf("PUT: %d %+v", status, e)
	}
	happened, foretold := moved(before, g.variants(t)), map[string]int{}
	for _, f := range checked.Preview.Flows {
		if f.From != f.To {
			foretold[f.From.Variant+" to "+f.To.Variant] += f.Requests
		}
	}
	if fmt.Sprint(happened) != fmt.Sprint(foretold) {
		t.Errorf("foretold %v, happened %v", foretold, happened)
	}
	verdict(t, "preview", "what then happened", "%v of %d users, and %d of %d requests of the traffic", foretold, len(users), traffic.Preview.Moved, traffic.Preview.Requests)
	g.Stop(t)
}
