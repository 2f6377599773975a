package admin

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

func TestExperimentsAreListed(t *testing.T) {
	p := newPort(t)
	l := decode[ExperimentList](p, p.do("GET", "/admin/experiments", ""))
	if l.Digest != p.plan.Digest().String() || l.File != "experiments.yaml" || len(l.List) != 2 {
		t.Fatalf("%+v", l)
	}
	want := Experiment{Name: "adults", Model: "risk", State: "running", Salt: "adults", Unit: "user", Range: [2]int{0, 10000}, Ramp: 100, Targeted: true, Fallback: "a",
		Variants: []Variant{{Name: "a", Model: "risk", Weight: 50}, {Name: "b", Model: "risk", Version: 1, Weight: 50},
			{Name: "s", Model: "risk", Version: 1, Shadow: true, Sample: 10}}}
	if !reflect.DeepEqual(l.List[0], want) {
		t.Errorf("got  %+v\nwant %+v", l.List[0], want)
	}
	if off := l.List[1]; off.State != "stopped" || off.Layer != "l" || off.Range != [2]int{0, 100} {
		t.Errorf("%+v", off)
	}
}

func TestAssignSaysWhatAndWhy(t *testing.T) {
	p := newPort(t)
	off := Considered{Experiment: "off", Reason: "not_running"}
	for _, c := range []struct {
		query, variant, reason string
		version                int
		first                  Considered
	}{
		{"user_id=vip", "b", "override", 1, Considered{Experiment: "adults", Reason: "override", Variant: "b"}},
		{"user_id=u&model=risk", "", "not_targeted", 2, Considered{Experiment: "adults", Reason: "not_targeted"}},
		{"user_id=u&attr.age=17", "", "not_targeted", 2, Considered{Experiment: "adults", Reason: "not_targeted"}},
		{"user_id=u&attr.age=%2218%22", "", "not_targeted", 2, Considered{Experiment: "adults", Reason: "not_targeted"}},
		{"user_id=u&attr.age=18&attr.country=de", "split", "split", 0, Considered{Experiment: "adults", Reason: "split"}},
	} {
		a := decode[Assignment](p, p.do("GET", "/admin/experiments/assign?"+c.query, ""))
		if c.reason == "split" {
			// Whatever chance says, it must be what the plan says.
			v := p.plan.Experiments()[0].VariantAt(uint16(a.Considered[0].Bucket))
			c.variant, c.first.Variant, c.version = v.Name(), v.Name(), v.Version()
			if c.version == 0 {
				c.version = 2
			}
		}
		if a.Variant != c.variant || a.Reason != c.reason || a.ServedModel != "risk" || a.ServedVersion != c.version || a.Model != "risk" {
			t.Errorf("%s: %+v", c.query, a)
		}
		if len(a.Considered) != 2 {
			t.Fatalf("%s: %+v", c.query, a.Considered)
		}
		a.Considered[0].Bucket, a.Considered[1].Bucket = 0, 0
		if a.Considered[0] != c.first || a.Considered[1] != off {
			t.Errorf("%s: %+v", c.query, a.Considered)
		}
	}
}

func TestAttributesHaveTypes(t *testing.T) {
	q := queryAttributes{"attr.s": {"de"}, "attr.n": {"-1.5e2"}, "attr.b": {"true"}, "attr.q": {`"18"`}, "attr.null": {"null"}, "attr.list": {"[1]"}}
	for name, want := range map[string]abtest.Value{
		"s": {Kind: abtest.String, Str: []byte("de")}, "n": {Kind: abtest.Number, Num: -150}, "b": {Kind: abtest.Bool, Bool: true},
		"q": {Kind: abtest.String, Str: []byte("18")}, "null": {Kind: abtest.String, Str: []byte("null")}, "list": {Kind: abtest.String, Str: []byte("[1]")},
	} {
		if got, ok := q.Attribute(name); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if _, ok := q.Attribute("absent"); ok {
		t.Error("an attribute that was not given is there")
	}
}

func TestReloadAnswersWithEveryProblem(t *testing.T) {
	p := newPort(t)
	if l := decode[ExperimentList](p, p.do("POST", "/admin/reload", "")); len(l.List) != 2 {
		t.Errorf("%+v", l)
	}
	placed := strictyaml.Problem{File: "e.yaml", Line: 2, Column: 3, Path: "experiments[0].name", Message: "is missing"}
	for _, c := range []struct {
		err  error
		want []strictyaml.Problem
	}{
		{strictyaml.Problems{placed, placed}, []strictyaml.Problem{placed, placed}},
		{abtest.Problems{{Path: "layers", Message: "too many"}}, []strictyaml.Problem{{Path: "layers", Message: "too many"}}},
		{errors.Join(strictyaml.Problems{placed}, errors.New("version 3 is not there")), []strictyaml.Problem{placed, {Message: "version 3 is not there"}}},
		{fmt.Errorf("no file is configured"), nil},
	} {
		p.reloadErr = c.err
		d := p.refused(p.do("POST", "/admin/reload", ""), 422, "bad_experiments")
		if !reflect.DeepEqual(d.Problems, c.want) || d.Message != c.err.Error() {
			t.Errorf("%v: %+v", c.err, d)
		}
	}
}
