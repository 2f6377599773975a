package repository

import (
	"os"
	"testing"
)

// The demo models pass every check that needs no ONNX Runtime.
func TestDemoRepository(t *testing.T) {
	b := newBench(t)
	ok(t, os.CopyFS(b.path(), os.DirFS("../demo/repository")))
	b.openRepo()
	for _, m := range b.r.List().Models {
		for _, v := range m.Versions {
			if v.State != StateReady {
				t.Errorf("%s/%d: %+v", m.Name, v.Version, v)
			}
		}
	}
	risk := b.set.Load().Models["risk"].Version(2)
	c := risk.Served.(*fakeServed).c
	if b.current("risk") != 2 || len(c.Config.Inputs[0].Features) != 30 || len(c.Golden.Cases) == 0 || len(c.Scan.Outputs) != 2 {
		t.Errorf("risk: %+v", c.Config)
	}
	// The candidate of the README: copied in, it is promoted.
	ok(t, os.CopyFS(b.path("risk", "3"), os.DirFS("../demo/candidates/risk/3")))
	b.eventually("version 3 serves", func() bool { return b.current("risk") == 3 })
}
