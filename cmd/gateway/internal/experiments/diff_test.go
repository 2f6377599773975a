package experiments

import (
	"strings"
	"testing"
)

func TestDiffIsUnified(t *testing.T) {
	lines := func(s string) string { return strings.ReplaceAll(s, " ", "\n") + "\n" }
	for name, c := range map[string]struct{ before, after, want string }{
		"equal":   {lines("a b"), lines("a b"), ""},
		"middle":  {lines("a b c d e f g h i"), lines("a b c d X f g h i"), "@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n"},
		"start":   {lines("a b"), lines("X a b"), "@@ -1,2 +1,3 @@\n+X\n a\n b\n"},
		"end":     {lines("a b"), lines("a"), "@@ -1,2 +1 @@\n a\n-b\n"},
		"all new": {"", lines("a"), "@@ -0,0 +1 @@\n+a\n"},
		"gone":    {lines("a"), "", "@@ -1 +0,0 @@\n-a\n"},
		"two hunks": {lines("a 1 2 3 4 5 6 7 b"), lines("A 1 2 3 4 5 6 7 B"),
			"@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
		"one hunk": {lines("a 1 2 3 4 5 6 b"), lines("A 1 2 3 4 5 6 B"), "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n"},
	} {
		want := c.want
		if want != "" {
			want = "--- old\n+++ new\n" + want
		}
		if got := diffLines([]byte(c.before), []byte(c.after)).unified("old", "new"); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// check reads both texts out of a difference.
func checkDiff(t *testing.T, before, after string) edits {
	t.Helper()
	es := diffLines([]byte(before), []byte(after))
	var a, b []string
	for _, e := range es {
		if e.kind != '+' {
			a = append(a, e.line)
		}
		if e.kind != '-' {
			b = append(b, e.line)
		}
	}
	if wantA, wantB := splitLines([]byte(before)), splitLines([]byte(after)); strings.Join(a, "\n") != strings.Join(wantA, "\n") || strings.Join(b, "\n") != strings.Join(wantB, "\n") {
		t.Fatalf("of %q and %q: %q and %q", before, after, a, b)
	}
	return es
}

func FuzzDiff(f *testing.F) {
	f.Add("abcabba", "cbabac")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, before, after string) {
		// A line for each byte, so that many are equal.
		split := func(s string) string { return strings.Join(strings.Split(s, ""), "\n") }
		checkDiff(t, split(before), split(after))
		checkDiff(t, before, after)
	})
}

func TestDiffIsShortest(t *testing.T) {
	split := func(s string) string { return strings.Join(strings.Split(s, ""), "\n") }
	added, removed := checkDiff(t, split("abcabba"), split("cbabac")).counts()
	if added+removed != 5 {
		t.Errorf("%d edits, the shortest way has 5", added+removed)
	}
}

// Texts without a common line must not take the memory of the square of them.
func TestDiffOfDifferentTextsIsBounded(t *testing.T) {
	added, removed := checkDiff(t, strings.Repeat("a\nb\n", 50_000), strings.Repeat("c\nd\n", 50_000)).counts()
	if added != 100_000 || removed != 100_000 {
		t.Errorf("+%d -%d", added, removed)
	}
}
