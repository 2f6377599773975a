package admin

import (
	"testing"

	"hotpath/abtest"
	"hotpath/models/repository"
)

// A variant with a label is served by the version that the label names now.
func TestAssignFollowsLabels(t *testing.T) {
	p := newPort(t)
	all := 100.0
	plan, err := abtest.Compile(abtest.Config{Experiments: []abtest.ExperimentConfig{
		{Name: "e", Model: "risk", Variants: []abtest.VariantConfig{{Name: "a", Weight: &all, Label: "stable"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	p.plan = plan
	if l := decode[ExperimentList](p, p.do("GET", "/admin/experiments", "")); l.List[0].Variants[0].Label != "stable" {
		t.Errorf("%+v", l)
	}
	for _, version := range []int{1, 2, 0} {
		p.repo.status.Models[0].Labels = []repository.Label{{Label: "canary", Version: 9, Wanted: 9}, {Label: "stable", Version: version, Wanted: 2}}
		if a := decode[Assignment](p, p.do("GET", "/admin/experiments/assign?model=risk&user_id=u", "")); a.ServedVersion != version || a.Variant != "a" {
			t.Errorf("label at %d: %+v", version, a)
		}
	}
}
