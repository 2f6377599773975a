package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/models/strictyaml"
)

func TestSaveServesAndIsARevision(t *testing.T) {
	r := newRig(t, twoArms)
	before := ETag([]byte(twoArms))
	out := r.saved(weighted(80, 20))
	if r.weight("treatment") != 20 || r.onTheDisk() != weighted(80, 20) || out.Revision != 2 || out.ETag == before || out.Added != 2 || out.Removed != 2 {
		t.Errorf("%+v", out)
	}
	if !strings.Contains(out.Diff, "-      - {name: control, weight: 90, version: 1}\n") || !strings.HasPrefix(out.Diff, "--- ") {
		t.Errorf("diff:\n%s", out.Diff)
	}
	all := r.History()
	if len(all) != 2 || all[0].Who != "alice" || all[0].Via != ViaAPI || all[0].Message != "why" || all[0].ETag != out.ETag ||
		all[0].Digest != r.world.State().Plan.Digest().String() || all[1].Via != ViaStart || all[1].ETag != before {
		t.Errorf("%+v", all)
	}
	if info, err := os.Stat(r.file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// The watch has nothing to do: the file is as it was saved.
	taken := r.world.set
	if err := r.Reload(t.Context(), false); err != nil || r.world.set != taken || len(r.History()) != 2 {
		t.Errorf("read again: %v, %d plans, history %d", err, r.world.set-taken, len(r.History()))
	}
	if got := r.plans[len(r.plans)-1]; got != r.world.State().Plan {
		t.Error("OnPlan did not hear of the plan that serves")
	}
	// The same once more changes nothing.
	if out := r.saved(weighted(80, 20)); out.Revision != 0 || out.Diff != "" || len(r.History()) != 2 {
		t.Errorf("%+v", out)
	}
}

func TestOfTwoEditorsTheLaterHearsOfTheEarlier(t *testing.T) {
	r := newRig(t, twoArms)
	mine := r.edit()
	mine.Author.Who = "bob"
	out := r.saved(weighted(80, 20))
	_, err := r.Save(t.Context(), []byte(weighted(70, 30)), mine)
	if e := refused(t, err, CodePrecondition, "alice", "revision 2", out.ETag); e.ETag != out.ETag {
		t.Errorf("etag %q", e.ETag)
	}
	if r.weight("treatment") != 20 || r.onTheDisk() != weighted(80, 20) {
		t.Error("the later edit did something")
	}
	// One with an editor on the disk counts too, before the watch has seen it.
	mine = r.edit()
	r.write(weighted(60, 40))
	_, err = r.Save(t.Context(), []byte(weighted(70, 30)), mine)
	refused(t, err, CodePrecondition, "edit of the file")
	mine.IfMatch = ""
	_, err = r.Save(t.Context(), []byte(weighted(70, 30)), mine)
	refused(t, err, CodeNoPrecondition, "If-Match")
	mine.IfMatch = AnyETag
	if _, err = r.Save(t.Context(), []byte(weighted(70, 30)), mine); err != nil || r.weight("treatment") != 30 {
		t.Errorf("%v", err)
	}
}

func TestABrokenEditIsRefusedWithEveryProblem(t *testing.T) {
	r := newRig(t, twoArms)
	text := strings.Replace(weighted(80, 30), "model: risk", "modle: risk", 1) + "  - {name: x, model: risk, state: off, variants: []}\n"
	_, err := r.Save(t.Context(), []byte(text), r.edit())
	e := refused(t, err, CodeBadExperiments, "unknown key; did you mean model?")
	if problems, ok := e.Err.(strictyaml.Problems); !ok || problems[0].Line != 4 {
		t.Errorf("%#v", e.Err)
	}
	_, err = r.Save(t.Context(), []byte(weighted(80, 30)+"  - {name: x, model: risk, state: off, variants: []}\n"), r.edit())
	refused(t, err, CodeBadExperiments, "weights add up to 110.00", "experiments[1].state", "experiments[1].variants")
	if r.onTheDisk() != twoArms || len(r.History()) != 1 || r.weight("treatment") != 10 {
		t.Error("something changed")
	}
}

// What cannot be read neither hides what is wrong elsewhere nor makes up more of it.
func TestProblemsOfBothKindsAreReportedTogether(t *testing.T) {
	for text, want := range map[string][]string{
		"experiments:\n" +
			"  - {name: a, modle: m, variants: [{name: x, weight: 50}]}\n" +
			"  - {name: b, model: m, variants: [{name: x, weight: 60}, {name: y, weight: 30}]}\n": {
			"experiments[0].modle", "experiments[0].variants", "experiments[1].variants"},
		"experiments:\n" +
			"  - {name: a, model: m, layer: gone, variants: [{name: x, weight: ten}, {name: 'y z', weight: 50}]}\n": {
			"experiments[0].layer", "experiments[0].variants[0].weight", "experiments[0].variants[1].name"},
		"experiments:\n" +
			"  - {name: a, modle: m, salt: '', variants: [{name: x, weight: 50}]}\n": {"experiments[0].modle", "experiments[0].variants"},
		"layrs: []\nexperiments:\n" +
			"  - {name: a, model: m, layer: gone, variants: [{name: x, weight: 100}]}\n": {"layrs", "experiments[0].layer"},
		"experiments: 5\n": {"experiments"},
		"- experiments\n":  {""},
	} {
		_, err := Compile("e.yaml", []byte(text))
		var problems strictyaml.Problems
		if !errors.As(err, &problems) {
			t.Fatalf("%s%v", text, err)
		}
		var got []string
		for _, p := range problems {
			if p.Line == 0 {
				t.Errorf("%s has no line", p)
			}
			got = append(got, p.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s%q, want %q", text, got, want)
		}
	}
}

func TestASaveLoadsWhatItNames(t *testing.T) {
	r := newRig(t, twoArms)
	text := strings.Replace(twoArms, "version: 2", "version: 3", 1)
	dry := r.edit()
	dry.DryRun = true
	out, err := r.Save(t.Context(), []byte(text), dry)
	if err != nil || len(out.NotLoaded) != 1 || out.NotLoaded[0] != (NotLoaded{"risk", 3}) || !out.DryRun {
		t.Errorf("%+v %v", out, err)
	}
	_, err = r.Save(t.Context(), []byte(text), r.edit())
	refused(t, err, CodeBadExperiments, "experiments[0].variants[1].version: is not loaded", ":7:", "version 3 is not on the disk")
	if w := r.world; w.wanted != w.active || w.wantedErr != nil || r.onTheDisk() != twoArms || len(r.History()) != 1 {
		t.Error("the refused edit is remembered")
	}
	r.onDisk[3] = true
	if out = r.saved(text); out.NotLoaded != nil || r.world.State().Plan.Experiment("gbm").Variant("treatment").Version() != 3 {
		t.Errorf("%+v", out)
	}
}

// A refused edit must leave alone what the file waits for.
func TestARefusedEditKeepsWhatIsWaitedFor(t *testing.T) {
	r := newRig(t, twoArms)
	waiting := strings.Replace(twoArms, "version: 2", "version: 3", 1)
	r.write(waiting)
	if err := r.Reload(t.Context(), false); err == nil {
		t.Fatal("served without its version")
	}
	_, err := r.Save(t.Context(), []byte(strings.Replace(twoArms, "version: 2", "version: 4", 1)), r.edit())
	refused(t, err, CodeBadExperiments)
	r.world.arrive(3)
	if got := r.world.State().Plan.Experiment("gbm").Variant("treatment").Version(); got != 3 {
		t.Errorf("version %d serves", got)
	}
	if err := r.Reload(t.Context(), false); err != nil || len(r.History()) != 2 || r.History()[0].Via != ViaFile {
		t.Errorf("%v, %+v", err, r.History())
	}
}

func TestSymbolicLinksAreFollowed(t *testing.T) {
	r := newRig(t, twoArms)
	target := filepath.Join(t.TempDir(), "real.yaml")
	if err := os.Rename(r.file, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, r.file); err != nil {
		t.Fatal(err)
	}
	r.saved(weighted(80, 20))
	if info, err := os.Lstat(r.file); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != weighted(80, 20) {
		t.Errorf("%s %v", data, err)
	}
}

func TestAFileThatIsGoneIsPutBackFirst(t *testing.T) {
	r := newRig(t, twoArms)
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	_, err := r.Save(t.Context(), []byte(weighted(80, 20)), Edit{IfMatch: AnyETag})
	refused(t, err, CodeStorage, "history REVISION", "no such file")
	if r.weight("treatment") != 10 {
		t.Error("something else serves")
	}
}

func TestAReadOnlyFileIsNotReplaced(t *testing.T) {
	r := newRig(t, twoArms)
	if d, err := r.Document(); err != nil || d.ReadOnly != nil || d.Revision != 1 || !d.Stored {
		t.Errorf("%+v %v", d, err)
	}
	if err := os.Chmod(r.file, 0o444); err != nil {
		t.Fatal(err)
	}
	_, err := r.Save(t.Context(), []byte(weighted(80, 20)), r.edit())
	refused(t, err, CodeReadOnly, "ConfigMap", r.file)
	if d, err := r.Document(); err != nil || d.ReadOnly == nil {
		t.Errorf("%+v %v", d, err)
	}
	if r.weight("treatment") != 10 || r.onTheDisk() != twoArms {
		t.Error("something changed")
	}
}

// Somebody edits the file by hand while a save loads a model: the save is taken back,
// and nobody hears of a plan without the experiments of before.
func TestASaveThatIsTakenBackIsNotTold(t *testing.T) {
	r := newRig(t, twoArms)
	o := r.options()
	o.Load = func(_ context.Context, _ string, version int) error {
		r.write(weighted(70, 30))
		r.world.arrive(version)
		return nil
	}
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	told := len(r.plans)
	other := strings.NewReplacer("gbm", "other", "version: 2", "version: 3").Replace(twoArms)
	_, err = k.Save(t.Context(), []byte(other), r.edit())
	refused(t, err, CodePrecondition)
	if r.weight("treatment") != 10 || r.onTheDisk() != weighted(70, 30) {
		t.Error("the save was not taken back")
	}
	for _, p := range r.plans[told:] {
		if p.Experiment("gbm") == nil {
			t.Error("OnPlan heard of a plan that was taken back")
		}
	}
}

// A save that waited for another gateway's serves nothing before it looks again.
func TestASaveLooksAgainAfterItWaited(t *testing.T) {
	r := newRig(t, twoArms)
	unlock, err := lockFile(t.Context(), filepath.Join(filepath.Dir(r.file), ".experiments.yaml.lock"))
	if err != nil {
		t.Fatal(err)
	}
	e, set := r.edit(), r.world.set
	done := make(chan error)
	go func() {
		_, err := r.Save(context.Background(), []byte(weighted(80, 20)), e)
		done <- err
	}()
	for until := time.Now().Add(5 * time.Second); len(r.editing) > 0 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(5 * lockEvery) // it has read the file, and waits for the lock
	r.write(weighted(70, 30))
	unlock()
	refused(t, <-done, CodePrecondition)
	if r.world.set != set {
		t.Error("what is refused served for a moment")
	}
}

func TestAnEditWaitsForTheModels(t *testing.T) {
	r := newRig(t, twoArms)
	r.world.started = false
	_, err := r.Save(t.Context(), []byte(weighted(80, 20)), r.edit())
	refused(t, err, CodeNotReady)
}

func TestAnEditWaitsNoLongerThanItMay(t *testing.T) {
	r := newRig(t, twoArms)
	<-r.changing
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := r.Save(ctx, []byte(weighted(80, 20)), r.edit())
	refused(t, err, CodeDeadline)
	r.unlock()
	unlock, err := lockFile(t.Context(), filepath.Join(filepath.Dir(r.file), ".experiments.yaml.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = r.Save(ctx, []byte(weighted(80, 20)), r.edit())
	refused(t, err, CodeDeadline, "another process")
}

// Many edit at once, each reads again where it came too late: no edit is lost.
func TestAStormOfPatchesLosesNone(t *testing.T) {
	r := newRig(t, twoArms)
	other, err := Open(r.options()) // another gateway, of the same file and directory
	if err != nil {
		t.Fatal(err)
	}
	const editors, each = 6, 4
	var wg sync.WaitGroup
	for i := range editors {
		k := []*Keeper{r.Keeper, other}[i%2]
		wg.Go(func() {
			for j := range each {
				patch := fmt.Sprintf(`{"experiments":{"e-%d-%d":{"model":"m-%d","variants":{"a":{"weight":100}}}}}`, i, j, i)
				for {
					d, err := k.Document()
					if err != nil {
						t.Error(err)
						return
					}
					_, err = k.Patch(context.Background(), []byte(patch), Edit{IfMatch: d.ETag, Author: Author{Who: fmt.Sprint(i), Via: ViaAPI}})
					if err == nil {
						break
					}
					if refused(t, err, CodePrecondition); t.Failed() {
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if err := r.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	plan := r.world.State().Plan
	if n := len(plan.Experiments()); n != editors*each+1 {
		t.Errorf("%d experiments are left", n)
	}
	if text := r.onTheDisk(); !strings.Contains(text, "- name: gbm   # boosting\n") {
		t.Error("a comment is lost")
	}
	seen := map[int]bool{}
	for _, rev := range r.History() {
		if seen[rev.Number] {
			t.Errorf("revision %d is there twice", rev.Number)
		}
		seen[rev.Number] = true
	}
	if len(seen) < editors*each+1 {
		t.Errorf("%d revisions", len(seen))
	}
}

func TestRestoreIsOneCall(t *testing.T) {
	r := newRig(t, twoArms)
	r.saved(weighted(80, 20))
	e := r.edit()
	e.Author.Via = ViaRestore
	out, err := r.Restore(t.Context(), 1, e)
	if err != nil || out.Revision != 3 || r.onTheDisk() != twoArms || r.weight("treatment") != 10 {
		t.Errorf("%+v %v", out, err)
	}
	_, err = r.Restore(t.Context(), 9, r.edit())
	refused(t, err, CodeUnknownRevision, "1 to 3")
	e.IfMatch = "stale"
	_, err = r.Restore(t.Context(), 1, e)
	refused(t, err, CodePrecondition)
}

func TestReplaceKeepsComments(t *testing.T) {
	r := newRig(t, twoArms)
	document := `{"experiments":[{"name":"gbm","model":"risk","variants":[{"name":"control","weight":50,"version":1},{"name":"treatment","weight":50,"version":2}]}]}`
	if _, err := r.Replace(t.Context(), []byte(document), r.edit()); err != nil || r.onTheDisk() != weighted(50, 50) {
		t.Errorf("%v\n%s", err, r.onTheDisk())
	}
	_, err := r.Replace(t.Context(), []byte("{"), r.edit())
	refused(t, err, CodeBadRequest, "not valid")
	_, err = r.Patch(t.Context(), []byte("[]"), r.edit())
	refused(t, err, CodeBadRequest, "want an object")
	// A broken file cannot be patched, but it can be replaced.
	r.write("experiments: [")
	_, err = r.Patch(t.Context(), []byte("{}"), r.edit())
	refused(t, err, CodeConflict, "cannot be edited")
	if _, err := r.Replace(t.Context(), []byte(document), r.edit()); err != nil || r.weight("treatment") != 50 {
		t.Errorf("%v\n%s", err, r.onTheDisk())
	}
}

func TestWithoutAFileNothingCanBeEdited(t *testing.T) {
	r := newRig(t, twoArms)
	o := r.options()
	o.File = ""
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Save(t.Context(), nil, Edit{})
	refused(t, err, CodeNoFile, "experiments.file")
	_, err = k.Document()
	refused(t, err, CodeNoFile)
	_, err = k.Lint(t.Context())
	refused(t, err, CodeNoFile)
	refused(t, k.Reload(t.Context(), true), CodeNoFile)
	if len(k.History()) != 0 || len(k.Holds()) != 0 {
		t.Error("there is something")
	}
}
