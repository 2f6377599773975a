package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// split is an experiment between versions 1 and 2 with the control's weight in
// percent.
func split(control int) string {
	return fmt.Sprintf(`experiments:
  - name: risk-gbm
    model: risk
    salt: risk-gbm-2026
    variants:
      - {name: control, weight: %d, version: 1}
      - {name: treatment, weight: %d, version: 2}
`, control, 100-control)
}

// crowd is a load of many users without stored features: who is in which variant
// is what counts here.
func crowd(i int) (user, rest string) {
	user = fmt.Sprintf("crowd-%d", i%2000)
	return user, fmt.Sprintf(`"user_id":%q}`, user)
}

// variants is the variant of each user, asked one by one.
func (g *gateway) variants(t *testing.T) map[string]string {
	t.Helper()
	r := load{addr: g.Traffic, conns: 8, total: 2000, body: crowd}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	m := map[string]string{}
	for i := range r.answers {
		m[r.answers[i].user] = r.answers[i].parsed.Variant
	}
	return m
}

func share(variants map[string]string, name string) float64 {
	n := 0
	for _, v := range variants {
		if v == name {
			n++
		}
	}
	return float64(n) / float64(len(variants))
}

// moved counts the users by the way they changed variants.
func moved(before, after map[string]string) map[string]int {
	m := map[string]int{}
	for user, v := range before {
		if after[user] != v {
			m[v+" to "+after[user]]++
		}
	}
	return m
}

// digest names the experiments that serve.
func (g *gateway) digest(t *testing.T) string {
	t.Helper()
	var e struct{ Digest string }
	g.get(t, "/admin/experiments", &e)
	return e.Digest
}

// TestExperimentsEditedUnderLoad changes the split in each of the ways in which
// people replace a file (row 43), while requests go on.
func TestExperimentsEditedUnderLoad(t *testing.T) {
	g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.reload_interval=1s")...)
	file := filepath.Join(g.Dir, "experiments.yaml")
	before := g.variants(t)
	old := g.metrics(t)
	l := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 16, body: crowd}.begin(t)
	edits := []struct {
		how     string
		control int
		edit    func(t *testing.T, file, text string)
	}{
		{"by rename", 80, byRename}, {"by symlink swap", 30, bySymlink}, {"by symlink swap again", 50, bySymlink}, {"in place", 90, inPlace},
	}
	for _, e := range edits {
		was := g.digest(t)
		e.edit(t, file, split(e.control))
		took := within(t, scaled(3*time.Second), "the new split serves", func() bool { return g.digest(t) != was })
		after := g.variants(t)
		ways, got := moved(before, after), share(after, "control")
		if want := float64(e.control) / 100; got < want-.04 || got > want+.04 {
			t.Errorf("edited %s: control has %.3f of the users, want %.2f", e.how, got, want)
		}
		if len(ways) != 1 {
			t.Errorf("edited %s: users moved both ways: %v", e.how, ways)
		}
		verdict(t, "experiments edited "+e.how, fmt.Sprintf("%d/%d within about 1 s, users move one way", e.control, 100-e.control),
			"after %s, control %.3f, moved %v of %d", took.Round(time.Millisecond), got, ways, len(after))
		before = after
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	now := g.metrics(t)
	if n := now.sum("hotpath_experiments_reloads_total", `result="ok"`) - old.sum("hotpath_experiments_reloads_total", `result="ok"`); n != float64(len(edits)) {
		t.Errorf("%g good reloads counted, want %d", n, len(edits))
	}
	verdict(t, "answers meanwhile", "0 failed", "%d answers, codes %v", len(r.answers), r.codes())
	g.Stop(t)
}

func byRename(t *testing.T, file, text string) {
	t.Helper()
	write(t, file+".new", text)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// bySymlink does as Kubernetes does with a ConfigMap: the file is a link into a
// folder that is itself a link, and that one is replaced.
func bySymlink(t *testing.T, file, text string) {
	t.Helper()
	dir := filepath.Dir(file)
	data := fmt.Sprintf("..data_%d", time.Now().UnixNano())
	write(t, filepath.Join(dir, data, filepath.Base(file)), text)
	replaceLink(t, data, filepath.Join(dir, "..data"))
	replaceLink(t, filepath.Join("..data", filepath.Base(file)), file)
}

func replaceLink(t *testing.T, to, link string) {
	t.Helper()
	if err := os.Symlink(to, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

func inPlace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenExperimentsAreRefused is row 37.
func TestBrokenExperimentsAreRefused(t *testing.T) {
	g, _ := startOverRedis(t, split(50), calm...)
	file := filepath.Join(g.Dir, "experiments.yaml")
	before, digest := g.variants(t), g.digest(t)
	l := load{addr: g.Traffic, rate: 100, conns: 8, body: crowd}.begin(t)
	ok := func() float64 { return g.metrics(t).sum("hotpath_experiments_last_reload_ok") }
	for _, c := range []struct{ name, text, detail string }{
		{"weights that do not add up", strings.Replace(split(50), "weight: 50", "weight: 40", 1), "experiments.yaml:"},
		{"a misspelt key", strings.Replace(split(50), "salt:", "sallt:", 1), "sallt"},
		{"half a file", split(50)[:60], "experiments.yaml"},
		{"a version that is not there", strings.Replace(split(60), "version: 2", "version: 77", 1), "77"},
	} {
		byRename(t, file, c.text)
		within(t, scaled(3*time.Second), c.name+" is reported", func() bool { return ok() == 0 })
		_, ready := g.ready(t)
		d := ready.Dependencies["experiments"]
		if ready.Status != "ready" || d.Status != "degraded" || !strings.Contains(d.Detail, c.detail) {
			t.Errorf("%s: readiness %+v, want a detail with %q", c.name, ready, c.detail)
		}
		if g.digest(t) != digest {
			t.Errorf("%s: the experiments changed", c.name)
		}
		verdict(t, "experiments file with "+c.name, "refused, old split goes on, readyz says why", "%s", d.Detail)
		byRename(t, file, split(50))
		within(t, scaled(3*time.Second), "the good file is accepted", func() bool { return ok() == 1 })
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	within(t, scaled(3*time.Second), "the missing file is reported", func() bool { return ok() == 0 })
	if ways := moved(before, g.variants(t)); len(ways) > 0 {
		t.Errorf("users moved: %v", ways)
	}
	l.stop(t).onlyCodes(t, "ok")
	g.Stop(t)
}

// TestHangups sends SIGHUP a hundred times.
func TestHangups(t *testing.T) {
	g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.reload_interval=1h")...)
	reloads := func() float64 { return g.metrics(t).sum("hotpath_experiments_reloads_total") }
	before, digest := reloads(), g.digest(t)
	l := load{addr: g.Traffic, rate: 100, conns: 8, body: crowd}.begin(t)
	byRename(t, filepath.Join(g.Dir, "experiments.yaml"), split(80))
	for range 100 {
		g.Signal(t, sighup)
	}
	within(t, scaled(3*time.Second), "the new split serves", func() bool { return g.digest(t) != digest })
	if got := share(g.variants(t), "control"); got < .76 || got > .84 {
		t.Errorf("control has %.3f of the users, want 0.8", got)
	}
	n := reloads() - before
	if n < 1 || n > 100 {
		t.Errorf("%g reloads", n)
	}
	l.stop(t).onlyCodes(t, "ok")
	verdict(t, "100 SIGHUPs", "the file is read, signals coalesce, process lives", "%g reloads", n)
	g.Stop(t)
}

// TestExperimentNamesAnUnloadedVersion keeps only one version loaded, and has an
// experiment ask for one that lies on disk.
func TestExperimentNamesAnUnloadedVersion(t *testing.T) {
	o := theOracle(t)
	dir := demoFiles(t, noExperiments)
	copyFolder(t, filepath.Join(dir, "candidates/risk/3"), filepath.Join(dir, "repository/risk/3"))
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	g := startGateway(t, dir, append(demoArgs(dir, redis.addr), append(calm, "--set", "models.keep_versions=1")...)...)
	if state := g.model(t, "risk").version(1).State; state != "unloaded" {
		t.Fatalf("version 1 is %s, want unloaded", state)
	}
	l := load{addr: g.Traffic, rate: 100, conns: 8, body: o.body}.begin(t)
	byRename(t, filepath.Join(dir, "experiments.yaml"), strings.Replace(split(50), "version: 2", "version: 3", 1))
	took := within(t, scaled(5*time.Second), "version 1 answers", func() bool {
		status, p := g.predict(t, `{"user_id":"user-42"}`)
		return status == 200 && p.Version == 1
	})
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	verdict(t, "experiment names a version on disk", "loaded by the edit", "%s after %s", g.model(t, "risk").version(1).State, took.Round(time.Millisecond))
	g.Stop(t)
}

// TestShadow scores a shadow variant beside the answers.
func TestShadow(t *testing.T) {
	o := theOracle(t)
	text := split(50) + "      - {name: candidate, shadow: true, version: 3, sample: 100}\n"
	dir := demoFiles(t, text)
	copyFolder(t, filepath.Join(dir, "candidates/risk/3"), filepath.Join(dir, "repository/risk/3"))
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	g := startGateway(t, dir, append(demoArgs(dir, redis.addr), calm...)...)
	r := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 8, total: byRace(200, 1000), body: o.body}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	if versions := r.versions(); versions[3] > 0 || versions[1] == 0 || versions[2] == 0 {
		t.Errorf("answers by version: %v", versions)
	}
	scored := func() float64 {
		return g.metrics(t).sum("hotpath_shadow_total", `variant="candidate"`, `result="scored"`)
	}
	within(t, scaled(5*time.Second), "every request was offered to the shadow", func() bool {
		return g.metrics(t).sum("hotpath_shadow_total", `variant="candidate"`) >= float64(len(r.answers))
	})
	if n := scored(); n < .9*float64(len(r.answers)) {
		t.Errorf("%g of %d requests were scored by the shadow", n, len(r.answers))
	}
	if n := g.metrics(t).sum("hotpath_shadow_prediction_difference_count"); n != scored() {
		t.Errorf("%g differences for %g shadow scores", n, scored())
	}
	if status, p := g.predict(t, `{"user_id":"user-1"}`, "X-Hotpath-Variant", "candidate"); status != 400 {
		t.Errorf("a shadow was forced: %d %+v", status, p)
	}
	verdict(t, "shadow variant", "scored, never answers", "%d answers by %v, %g shadow scores", len(r.answers), r.versions(), scored())
	g.Stop(t)
}

// TestForcedVariantNeedsPermission sends the header with and without the setting.
func TestForcedVariantNeedsPermission(t *testing.T) {
	for _, c := range []struct {
		allow, variant, reason string
	}{{"true", "treatment", "forced"}, {"false", "control", "split"}} {
		g, _ := startOverRedis(t, split(50), append(calm, "--set", "experiments.allow_forced_variant="+c.allow)...)
		status, p := g.predict(t, `{"user_id":"user-42"}`, "X-Hotpath-Variant", "treatment")
		if status != 200 || p.Variant != c.variant || p.Reason != c.reason {
			t.Errorf("allow_forced_variant %s: %d %+v", c.allow, status, p)
		}
		verdict(t, "X-Hotpath-Variant: treatment, allow_forced_variant "+c.allow, c.variant+" by "+c.reason, "%s by %s", p.Variant, p.Reason)
		g.Stop(t)
	}
}
