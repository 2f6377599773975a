package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheHistoryOutlastsTheProcess(t *testing.T) {
	r := newRig(t, twoArms)
	r.saved(weighted(80, 20))
	r.write(weighted(70, 30))
	if err := r.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	r.write(weighted(60, 40)) // and nobody looks
	r.open()
	all := r.History()
	if len(all) != 4 || all[0].Via != ViaFile || all[0].Message != "changed while this gateway did not run" || all[1].Via != ViaFile || all[2].Who != "alice" {
		t.Fatalf("%+v", all)
	}
	one, err := r.Revision(3)
	if err != nil || one.Text != weighted(70, 30) || !strings.Contains(one.Diff, "+      - {name: treatment, weight: 30, version: 2}") || one.Added != 2 {
		t.Errorf("%+v %v", one, err)
	}
	if one, err = r.Revision(1); err != nil || one.Added != strings.Count(twoArms, "\n") || one.Removed != 0 {
		t.Errorf("%+v %v", one, err)
	}
	r.open() // nothing happened
	if len(r.History()) != 4 {
		t.Errorf("%+v", r.History())
	}
	_, err = r.Revision(5)
	refused(t, err, CodeUnknownRevision)
}

func TestWithoutADirectoryTheHistoryIsInMemory(t *testing.T) {
	r := newRig(t, twoArms)
	r.data = ""
	r.open()
	r.saved(weighted(80, 20))
	if one, err := r.Revision(1); err != nil || one.Text != twoArms {
		t.Errorf("%+v %v", one, err)
	}
	if d, err := r.Document(); err != nil || d.Stored || d.Revision != 2 {
		t.Errorf("%+v %v", d, err)
	}
	if !strings.Contains(r.log.String(), "in memory only") {
		t.Error("nothing is said of it")
	}
}

func TestTheHistoryIsBounded(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "history")} {
		h, err := openHistory(dir, func(m string, args ...any) { t.Error(m, args) })
		if err != nil {
			t.Fatal(err)
		}
		h.bytes = 1600
		for i := range 40 {
			text := []byte(fmt.Sprintf("%02d", i) + strings.Repeat("x", 98))
			if _, err := h.add(Revision{At: time.Now(), ETag: ETag(text)}, text); err != nil {
				t.Fatal(err)
			}
		}
		all := h.list()
		if len(all) != 16 || all[0].Number != 40 {
			t.Errorf("%d revisions, the newest is %d", len(all), all[0].Number)
		}
		if dir == "" {
			if len(h.texts) != 16 {
				t.Errorf("%d texts", len(h.texts))
			}
			continue
		}
		texts, _ := os.ReadDir(filepath.Join(dir, textsDir))
		metas, _ := filepath.Glob(filepath.Join(dir, "*.json"))
		if len(texts) != 16 || len(metas) != 16 {
			t.Errorf("%d texts and %d revisions are left on the disk", len(texts), len(metas))
		}
	}
}

func TestTheHistoryIsBoundedInNumber(t *testing.T) {
	h, err := openHistory("", func(m string, args ...any) { t.Error(m, args) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxRevisions + 20 {
		text := fmt.Appendf(nil, "%d", i)
		if _, err := h.add(Revision{ETag: ETag(text)}, text); err != nil {
			t.Fatal(err)
		}
	}
	if all := h.list(); len(all) != maxRevisions || all[0].Number != maxRevisions+20 || len(h.texts) != maxRevisions {
		t.Errorf("%d revisions, %d texts", len(all), len(h.texts))
	}
}

func TestDamageIsSaidAndLeftOut(t *testing.T) {
	r := newRig(t, twoArms)
	r.saved(weighted(80, 20))
	r.saved(weighted(70, 30))
	dir := filepath.Join(r.data, "history")
	if err := os.WriteFile(filepath.Join(dir, metaName(2)), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, textsDir, ETag([]byte(weighted(70, 30)))+textSuffix)
	if err := os.WriteFile(text, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "README"), []byte("not ours"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.open()
	if all := r.History(); len(all) != 2 || !strings.Contains(r.log.String(), metaName(2)) {
		t.Errorf("%+v, log: %s", all, r.log.String())
	}
	_, err := r.Revision(3)
	refused(t, err, CodeStorage, "was changed since it was written")
	r.saved(weighted(60, 40))
	if all := r.History(); all[0].Number != 4 {
		t.Errorf("%+v", all)
	}
	if _, err := os.Stat(filepath.Join(dir, "README")); err != nil {
		t.Error(err)
	}
}

// A save that a crash cut off after the file was replaced has its author all the same;
// one before that never happened.
func TestASaveCutOffIsRecovered(t *testing.T) {
	for _, replaced := range []bool{true, false} {
		r := newRig(t, twoArms)
		text := []byte(weighted(80, 20))
		if _, err := r.history.prepare(Revision{Who: "alice", Via: ViaAPI, ETag: ETag(text)}, text); err != nil {
			t.Fatal(err)
		}
		if replaced {
			r.write(string(text))
		}
		r.open()
		all := r.History()
		if replaced != (len(all) == 2) || replaced && (all[0].Who != "alice" || all[0].Number != 2) {
			t.Errorf("replaced %v: %+v", replaced, all)
		}
		if _, err := os.Stat(filepath.Join(r.data, "history", pendingFile)); err == nil {
			t.Error("the revision is still pending")
		}
	}
}

func TestAHistoryThatCannotBeWrittenRefusesTheEdit(t *testing.T) {
	r := newRig(t, twoArms)
	dir := filepath.Join(r.data, "history")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := r.Save(t.Context(), []byte(weighted(80, 20)), r.edit())
	refused(t, err, CodeStorage, "nothing was changed")
	if r.onTheDisk() != twoArms || r.weight("treatment") != 10 {
		t.Error("something changed")
	}
}
