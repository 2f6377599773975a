package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStagedIsInPlaceOnCommit(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	s, err := Stage(name, ".file-*.tmp", []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "old" {
		t.Errorf("before the commit it holds %q", got)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	s.Abort() // after a commit it does nothing
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got, _ := os.ReadFile(name); string(got) != "new" {
		t.Errorf("after the commit it holds %q", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
}

func TestAnAbortedStageLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := Stage(filepath.Join(dir, "file"), ".file-*.tmp", []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	s.Abort()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
	if _, err := Stage(filepath.Join(dir, "nowhere", "file"), "t*", nil); err == nil {
		t.Error("a file was made in a directory that is not there")
	}
	if err := s.Commit(); err == nil {
		t.Error("nothing was committed")
	}
}
