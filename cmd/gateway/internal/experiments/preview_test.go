package experiments

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
)

const targetedArms = `experiments:
  - name: gbm
    model: risk
    targeting: {attribute: country, in: [de, at]}
    variants:
      - {name: control, weight: 60, version: 1}
      - {name: treatment, weight: 20, version: 2}
      - {name: third, weight: 20, version: 2}
  - name: kept
    model: risk
    sticky: true
    unit: session
    variants:
      - {name: a, weight: 50, version: 1}
      - {name: b, weight: 50, version: 2}
`

// moves counts who goes where, by hand.
func moves(all []sampled, before, after *abtest.Plan, now time.Time) (map[[2]string]int, int) {
	count, moved := map[[2]string]int{}, 0
	for i := range all {
		name := func(p *abtest.Plan) string {
			a := p.Assign(all[i].model, all[i].assignable(now))
			if a.Variant == nil {
				return "-"
			}
			return a.Experiment.Name() + "/" + a.Variant.Name() + fmt.Sprint(a.Variant.Version())
		}
		from, to := name(before), name(after)
		count[[2]string{from, to}]++
		if from != to {
			moved++
		}
	}
	return count, moved
}

// What a preview says is what happens, with holds and with units that keep their
// variant.
func TestPreviewIsWhatHappens(t *testing.T) {
	r := newRig(t, targetedArms)
	if err := r.Hold(t.Context(), abtest.Hold{Experiment: "gbm", Variant: "third"}, operator); err != nil {
		t.Fatal(err)
	}
	before := r.world.State().Plan
	r.sample.letIn(1 << 20)
	for i := range 5000 {
		r.sample.Offer(exchange(before, fmt.Sprintf("user-%d", i), []string{"de", "at", "fr"}[i%3]))
	}
	for name, text := range map[string]string{
		"weights":    strings.Replace(strings.Replace(targetedArms, "weight: 60", "weight: 40", 1), "weight: 20, version: 2}\n      - {name: third", "weight: 40, version: 2}\n      - {name: third", 1),
		"targeting":  strings.Replace(targetedArms, "[de, at]", "[fr]", 1),
		"sticky":     strings.Replace(targetedArms, "{name: a, weight: 50, version: 1}\n      - {name: b, weight: 50", "{name: a, weight: 10, version: 1}\n      - {name: b, weight: 90", 1),
		"nobody":     strings.Replace(targetedArms, "experiments:", "# only a comment\nexperiments:", 1),
		"everything": "experiments: []\n",
	} {
		checked, err := r.Check(t.Context(), []byte(text), Subjects{})
		if err != nil {
			t.Fatal(err)
		}
		was := r.world.State().Plan
		out := r.saved(text)
		count, moved := moves(r.sample.read(), was, r.world.State().Plan, time.Now())
		for _, p := range []*Preview{checked.Preview, out.Preview} {
			if p.Requests != 5000 || p.Source != SourceTraffic || p.Moved != moved || p.From == nil || p.To.Before(*p.From) {
				t.Errorf("%s: %d of %d moved from %v to %v, %d did", name, p.Moved, p.Requests, p.From, p.To, moved)
			}
			if !reflect.DeepEqual(p.Models, []ModelPreview{{"risk", 5000, moved}}) {
				t.Errorf("%s: %+v", name, p.Models)
			}
			flows := map[[2]string]int{}
			for _, f := range p.Flows {
				at := func(p abtest.Place) string {
					if p.Experiment == "" {
						return "-"
					}
					return p.Experiment + "/" + p.Variant + fmt.Sprint(p.Version)
				}
				flows[[2]string{at(f.From), at(f.To)}] += f.Requests
			}
			if !reflect.DeepEqual(flows, count) {
				t.Errorf("%s: said %v, was %v", name, flows, count)
			}
		}
		if checked.DryRun != true || checked.Revision != 0 {
			t.Errorf("%s: a check saved something", name)
		}
		switch {
		case name == "sticky" && moved > 0:
			t.Errorf("%d units that keep their variant moved", moved)
		case (name == "weights" || name == "targeting") && moved == 0:
			t.Errorf("%s: nobody moved, so that nothing was tested", name)
		}
		r.saved(targetedArms)
	}
}

func TestPreviewOfIDs(t *testing.T) {
	r := newRig(t, targetedArms+"  - {name: other, model: rank, variants: [{name: x, weight: 100}]}\n")
	r.world.arrive(0)
	users := []string{"a", "b", "c", "d"}
	ask := func(s Subjects) *Preview {
		t.Helper()
		out, err := r.Check(t.Context(), []byte("experiments: []\n"), s)
		if err != nil {
			t.Fatal(err)
		}
		return out.Preview
	}
	german := []models.Value{{Key: []byte("country"), Kind: models.KindString, Raw: []byte("de")}}
	if p := ask(Subjects{Users: users}); p.Requests != 8 || p.Moved != 4 || p.Source != SourceIDs || p.From != nil || len(p.Models) != 2 {
		t.Errorf("without a context only those of rank move: %+v", p)
	}
	if p := ask(Subjects{Users: users, Model: "risk", Context: german, Samples: 2}); p.Requests != 4 || p.Moved != 4 || len(p.Flows[0].Samples) == 0 {
		t.Errorf("%+v", p)
	}
	session := []models.Value{{Key: []byte("session"), Kind: models.KindString, Raw: []byte("s")}}
	if p := ask(Subjects{Users: users, Model: "risk", Entities: session, Samples: NoSamples}); p.Moved != 4 || p.Flows[0].From.Experiment != "kept" || len(p.Flows[0].Samples) != 0 {
		t.Errorf("%+v", p)
	}
	if p := ask(Subjects{}); p.Requests != 0 || p.Source != SourceTraffic || len(p.Flows) != 0 || p.Models == nil {
		t.Errorf("%+v", p)
	}
	_, err := r.Check(t.Context(), []byte(twoArms), Subjects{Users: make([]string, maxPreviewUsers+1)})
	refused(t, err, CodeBadRequest, "100000")
	_, err = r.Check(t.Context(), []byte(twoArms), Subjects{Samples: maxSamples + 1})
	refused(t, err, CodeBadRequest, "100")
}

func TestFindingsHaveTheirPlace(t *testing.T) {
	r := newRig(t, twoArms)
	out, err := r.Check(t.Context(), []byte(weighted(80, 20)), Subjects{})
	if err != nil || len(out.Findings) != 1 || out.Findings[0].Code != "weights_move" || out.Findings[0].Line != 5 {
		t.Errorf("%+v %v", out.Findings, err)
	}
	r.saved(strings.Replace(twoArms, "experiments:", "lists: {unused: [a]}\nexperiments:", 1))
	findings, err := r.Lint(t.Context())
	if err != nil || len(findings) != 1 || findings[0].Line != 2 {
		t.Errorf("%+v %v", findings, err)
	}
}

// Nothing else can be changed while a preview is made, holds included: what would take
// minutes is refused.
func TestAPreviewOfTooMuchIsRefused(t *testing.T) {
	var many strings.Builder
	many.WriteString("experiments:\n")
	for i := range 100 {
		fmt.Fprintf(&many, "  - {name: e%d, model: m%d, variants: [{name: a, weight: 100}]}\n", i, i)
	}
	r := newRig(t, twoArms)
	s := Subjects{Users: make([]string, maxPreviewUsers)}
	_, err := r.Check(t.Context(), []byte(many.String()), s)
	refused(t, err, CodeBadRequest, "100000 users and 101 models", "name a model")
	s.Model = "m1"
	out, err := r.Check(t.Context(), []byte(many.String()), s)
	if err != nil || out.Preview.Requests != maxPreviewUsers {
		t.Errorf("%+v, %v", out, err)
	}
}
