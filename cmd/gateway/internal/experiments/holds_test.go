package experiments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
)

var (
	operator  = Author{Who: "carol", Via: ViaOperator, Message: "complaints"}
	guardrail = Author{Who: "guardrail", Via: ViaGuardrail, Message: "error_rate 5 % over 1 %"}
	treatment = abtest.Hold{Experiment: "gbm", Variant: "treatment"}
	whole     = abtest.Hold{Experiment: "gbm"}
)

func TestAHoldServesAtOnceAndIsShown(t *testing.T) {
	r := newRig(t, twoArms)
	if err := r.Hold(t.Context(), treatment, guardrail); err != nil {
		t.Fatal(err)
	}
	if r.weight("treatment") != 0 || r.weight("control") != 100 || r.onTheDisk() != twoArms {
		t.Error("the variant is not held back")
	}
	if got := r.plans[len(r.plans)-1]; got != r.world.State().Plan {
		t.Error("OnPlan did not hear of it")
	}
	// A guardrail says it again and again.
	if err := r.Hold(t.Context(), treatment, guardrail); err != nil {
		t.Fatal(err)
	}
	held, all := r.Holds(), r.History()
	if len(held) != 1 || held[0].Hold != treatment || held[0].Who != "guardrail" || held[0].Text != guardrail.Message || held[0].At.IsZero() {
		t.Errorf("%+v", held)
	}
	if len(all) != 2 || *all[0].Hold != treatment || all[0].Via != ViaGuardrail || all[0].ETag != ETag([]byte(twoArms)) ||
		all[0].Digest != r.world.State().Plan.Digest().String() || all[0].Released {
		t.Errorf("%+v", all)
	}
	if err := r.Hold(t.Context(), whole, operator); err != nil {
		t.Fatal(err)
	}
	if s := r.world.State().Plan.Experiment("gbm").State(); s != abtest.Paused {
		t.Errorf("the experiment is %s", s)
	}
	n, err := r.Release(t.Context(), "gbm", operator)
	if err != nil || n != 2 || r.weight("treatment") != 10 || len(r.Holds()) != 0 {
		t.Errorf("released %d, %v", n, err)
	}
	if all := r.History(); len(all) != 5 || !all[0].Released || !all[1].Released || all[0].Who != "carol" {
		t.Errorf("%+v", all)
	}
	if n, err := r.Release(t.Context(), "gbm", operator); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

// Whoever sees a hold listed must not meet the variant any more, and the other way
// round after a release.
func TestAHoldIsInForceBeforeItIsListed(t *testing.T) {
	r := newRig(t, twoArms)
	var listed []int
	r.world.onSet = func() { listed = append(listed, len(r.Holds())) }
	if err := r.Hold(t.Context(), treatment, guardrail); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Release(t.Context(), "gbm", operator); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(listed, []int{0, 1}) {
		t.Errorf("holds listed when the plans were taken: %v", listed)
	}
}

func TestHoldsThatDoNothingAreRefused(t *testing.T) {
	r := newRig(t, twoArms+"      - {name: s, shadow: true, version: 2}\n")
	for _, c := range []struct {
		hold abtest.Hold
		code Code
		text string
	}{
		{abtest.Hold{Experiment: "absent"}, CodeUnknownExperiment, "absent"},
		{abtest.Hold{Experiment: "gbm", Variant: "absent"}, CodeUnknownVariant, "absent"},
		{abtest.Hold{Experiment: "gbm", Variant: "control"}, CodeConflict, "is the control"},
		{abtest.Hold{Experiment: "gbm", Variant: "s"}, CodeConflict, "shadow"},
	} {
		refused(t, r.Hold(t.Context(), c.hold, operator), c.code, c.text)
	}
	_, err := r.Release(t.Context(), "absent", operator)
	refused(t, err, CodeUnknownExperiment)
	if len(r.Holds()) != 0 || len(r.History()) != 1 {
		t.Error("something is held")
	}
}

func TestHoldsOutlastRestartsAndEdits(t *testing.T) {
	r := newRig(t, twoArms)
	if err := r.Hold(t.Context(), treatment, operator); err != nil {
		t.Fatal(err)
	}
	r.saved(weighted(80, 20))
	if r.weight("treatment") != 0 {
		t.Error("an edit ended the hold")
	}
	r.write(weighted(70, 30))
	if err := r.Reload(t.Context(), false); err != nil || r.weight("treatment") != 0 {
		t.Errorf("an edit of the file ended the hold: %v", err)
	}
	// Away and back again.
	r.saved("experiments: []\n")
	r.saved(twoArms)
	if r.weight("treatment") != 0 {
		t.Error("the experiment came back without its hold")
	}
	r.world = newWorld(t, 1, 2)
	r.open()
	if r.weight("treatment") != 0 || len(r.Holds()) != 1 {
		t.Error("a restart ended the hold")
	}
}

// What waits for a model keeps waiting, and what serves meanwhile is held.
func TestAHoldWhileAFileWaits(t *testing.T) {
	r := newRig(t, twoArms)
	r.write(strings.Replace(weighted(80, 20), "version: 2", "version: 3", 1))
	if err := r.Reload(t.Context(), false); err == nil {
		t.Fatal("served without its version")
	}
	if err := r.Hold(t.Context(), treatment, guardrail); err != nil || r.weight("treatment") != 0 || r.weight("control") != 100 {
		t.Errorf("%v", err)
	}
	if _, err := r.Last(); err == nil {
		t.Error("the file that waits is forgotten")
	}
	r.world.arrive(3)
	if v := r.world.State().Plan.Experiment("gbm").Variant("treatment"); v.Version() != 3 || v.Weight() != 0 {
		t.Errorf("version %d, weight %d", v.Version(), v.Weight())
	}
}

// Nothing serves and nothing waits, as the file never fitted the models and is broken
// now; a hold of before can be let go.
func TestAHoldIsReleasedWhereNothingServes(t *testing.T) {
	r := newRig(t, twoArms)
	if err := r.Hold(t.Context(), whole, operator); err != nil {
		t.Fatal(err)
	}
	r.world = newWorld(t)
	r.world.started = false
	r.open()
	if err := r.world.start(); err == nil {
		t.Fatal("the experiments serve without their versions")
	}
	r.write("experiments: [")
	if err := r.Reload(t.Context(), false); err == nil {
		t.Error("a broken file is fine")
	}
	if n, err := r.Release(t.Context(), "gbm", operator); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if last := r.History()[0]; !last.Released || last.ETag != ETag([]byte(twoArms)) || len(r.Holds()) != 0 {
		t.Errorf("%+v", last)
	}
}

func TestHoldsOfAnotherGatewayAreTakenUp(t *testing.T) {
	r := newRig(t, twoArms)
	o := r.options()
	world := newWorld(t, 1, 2)
	o.World = world
	other, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Hold(t.Context(), treatment, operator); err != nil {
		t.Fatal(err)
	}
	if err := other.Hold(t.Context(), whole, guardrail); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context(), false); err != nil || len(r.Holds()) != 2 {
		t.Errorf("%v, holds %+v", err, r.Holds())
	}
	if s := r.world.State().Plan.Experiment("gbm").State(); s != abtest.Paused {
		t.Errorf("the experiment is %s", s)
	}
	if n := len(r.History()); n != 3 {
		t.Errorf("%d revisions", n)
	}
}

func TestAHoldThatCannotBeWrittenIsInForce(t *testing.T) {
	r := newRig(t, twoArms)
	if err := os.Mkdir(filepath.Join(r.data, "holds.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	refused(t, r.Hold(t.Context(), treatment, guardrail), CodeStorage, "it is in force")
	if r.weight("treatment") != 0 || len(r.Holds()) != 1 {
		t.Error("it is not in force")
	}
	if err := r.Reload(t.Context(), true); err != nil || r.weight("treatment") != 0 {
		t.Errorf("the next look ended it: %v", err)
	}
}

// What is too large to be read again would keep the gateway from starting.
// slow is a keeper whose loads wait for the test, and say when they have begun.
func (r *rig) slow() (k *Keeper, begun, load chan struct{}) {
	r.t.Helper()
	o := r.options()
	begun, load = make(chan struct{}), make(chan struct{})
	o.Load = func(_ context.Context, _ string, version int) error {
		close(begun)
		<-load
		r.world.arrive(version)
		return nil
	}
	k, err := Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return k, begun, load
}

// A model that takes a minute to load keeps nobody from rolling a variant back.
func TestAHoldWhileAModelIsLoaded(t *testing.T) {
	third := strings.Replace(weighted(80, 20), "version: 2", "version: 3", 1)
	for name, change := range map[string]func(*rig, *Keeper) error{
		"save": func(r *rig, k *Keeper) error {
			_, err := k.Save(context.Background(), []byte(third), r.edit())
			return err
		},
		"reload": func(r *rig, k *Keeper) error {
			r.write(third)
			return k.Reload(context.Background(), false)
		},
	} {
		r := newRig(t, twoArms)
		k, begun, load := r.slow()
		done := make(chan error)
		go func() { done <- change(r, k) }()
		<-begun
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := k.Hold(ctx, treatment, guardrail)
		if cancel(); err != nil || r.weight("treatment") != 0 {
			t.Errorf("%s: %v, weight %d", name, err, r.weight("treatment"))
		}
		if last := r.plans[len(r.plans)-1]; last != r.world.State().Plan {
			t.Errorf("%s: OnPlan did not hear of it", name)
		}
		close(load)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v := r.world.State().Plan.Experiment("gbm").Variant("treatment")
		if v.Version() != 3 || v.Weight() != 0 || len(k.Holds()) != 1 {
			t.Errorf("%s: version %d with weight %d serves, holds %v", name, v.Version(), v.Weight(), k.Holds())
		}
		if last := r.plans[len(r.plans)-1]; last != r.world.State().Plan {
			t.Errorf("%s: OnPlan did not hear of the new version", name)
		}
		if n := len(k.History()); n != 3 {
			t.Errorf("%s: %d revisions", name, n)
		}
	}
}

// A save that is taken back after it has waited for a model leaves the holds that were
// set meanwhile.
func TestAHoldOutlastsASaveThatIsTakenBack(t *testing.T) {
	r := newRig(t, twoArms)
	k, begun, load := r.slow()
	e := r.edit()
	done := make(chan error)
	go func() {
		_, err := k.Save(context.Background(), []byte(strings.Replace(weighted(80, 20), "version: 2", "version: 3", 1)), e)
		done <- err
	}()
	<-begun
	if err := k.Hold(t.Context(), treatment, operator); err != nil {
		t.Error(err)
	}
	r.write(weighted(60, 40))
	close(load)
	refused(t, <-done, CodePrecondition)
	if v := r.world.State().Plan.Experiment("gbm").Variant("treatment"); v.Version() != 2 || v.Weight() != 0 {
		t.Errorf("version %d with weight %d serves", v.Version(), v.Weight())
	}
	if _, err := k.Release(t.Context(), "gbm", operator); err != nil || r.weight("treatment") != 10 {
		t.Errorf("%v, weight %d", err, r.weight("treatment"))
	}
}

func TestAFileOfHoldsStaysReadable(t *testing.T) {
	h := openHolds(t.TempDir())
	few := []Held{{Hold: treatment, Who: "carol"}}
	if err := h.change(func([]Held) []Held { return few }); err != nil {
		t.Fatal(err)
	}
	many := make([]Held, maxHolds/2)
	for i := range many {
		many[i] = Held{Hold: treatment, Text: strings.Repeat("x", 1000)}
	}
	refused(t, h.change(func([]Held) []Held { return many }), CodeStorage, "it is in force", "more than the 4194304 that are read")
	if n := len(h.list()); n != len(many) {
		t.Errorf("%d are in force", n)
	}
	again := openHolds(h.dir)
	if err := again.read(); err != nil || len(again.list()) != 1 {
		t.Errorf("%v, %d holds after a restart", err, len(again.list()))
	}
}

// What could not be written down is in force until it can be, whatever is written
// before, by this gateway or another.
func TestAHoldThatCouldNotBeWrittenIsNotForgotten(t *testing.T) {
	r := newRig(t, strings.Replace(twoArms, "weight: 10, version: 2}", "weight: 5, version: 2}\n      - {name: third, weight: 5, version: 2}", 1))
	third := abtest.Hold{Experiment: "gbm", Variant: "third"}
	if err := r.Hold(t.Context(), third, operator); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(r.data, "holds.json")
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	broken := func() {
		t.Helper()
		if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	broken()
	refused(t, r.Hold(t.Context(), treatment, guardrail), CodeStorage, "it is in force")
	// Another gateway writes the file.
	if err := errors.Join(os.Remove(name), os.WriteFile(name, append(before, ' '), 0o644), r.Reload(t.Context(), false)); err != nil {
		t.Fatal(err)
	}
	if r.weight("treatment") != 0 || r.weight("third") != 0 {
		t.Errorf("weights %d and %d after another gateway's write", r.weight("treatment"), r.weight("third"))
	}
	// This one writes it.
	if err := r.Hold(t.Context(), whole, operator); err != nil {
		t.Fatal(err)
	}
	r.open()
	if n := len(r.Holds()); n != 3 || r.weight("treatment") != 0 {
		t.Errorf("%d holds are written, weight %d", n, r.weight("treatment"))
	}
	broken()
	_, err = r.Release(t.Context(), "gbm", operator)
	refused(t, err, CodeStorage)
	if err := errors.Join(os.Remove(name), os.WriteFile(name, append(before, ' ', ' '), 0o644), r.Reload(t.Context(), false)); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Holds()); n != 0 || r.weight("treatment") == 0 {
		t.Errorf("%d holds came back, weight %d", n, r.weight("treatment"))
	}
}

func TestAFileOfHoldsThatIsWrongIsAStartError(t *testing.T) {
	r := newRig(t, twoArms)
	for text, want := range map[string]string{"{": "unexpected end", `{"format":9}`: "format 9 is unknown"} {
		if err := os.WriteFile(filepath.Join(r.data, "holds.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(r.options()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "experiments.data_dir") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
