package abtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var assignments = flag.Int("assignments", 5000, "how many assignments the reference recomputes")

// TestVectors pins the rules: whoever changes them moves users of running
// experiments, in every job that recomputes assignments too.
func TestVectors(t *testing.T) {
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(vectors{hashVectors(), costVectors(), slotVectors(), momentVectors(t), versionVectors(), tokenVectors(t), planVectors(t)}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorsFile, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Fatalf("%s:%d: computed %s, committed %s", vectorsFile, i+1, g[i], w[i])
			}
		}
		t.Fatalf("%s: computed %d lines, committed %d", vectorsFile, len(g), len(w))
	}
}

// The committed configuration, read back from JSON, decides as committed.
func TestVectorsDecideAsCommitted(t *testing.T) {
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file vectors
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	for _, v := range file.Plans {
		p, err := Compile(v.Config)
		if err != nil {
			t.Fatal(err)
		}
		if p.Digest().String() != v.Digest {
			t.Errorf("%s: digest %s, committed %s", v.Name, p.Digest(), v.Digest)
		}
		for _, a := range v.Assignments {
			if got := a.answer(p); fmt.Sprint(got) != fmt.Sprint(a.Want) {
				t.Errorf("%s, %+v: %+v, committed %+v", v.Name, a.requestVector, got, a.Want)
			}
			reasons[a.Want.Reason] = true
		}
	}
	for _, r := range Reasons() {
		if !reasons[r.String()] {
			t.Errorf("no vector has the reason %s", r)
		}
	}
}

// script runs one of the programs in testdata, where there is a Python for it.
func script(t *testing.T, want, name string, args ...string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Logf("no python3: testdata/%s was not run", name)
		return
	}
	out, err := exec.Command(python, append([]string{"-B", "testdata/" + name}, args...)...).CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("%s: %v: %s", name, err, out)
	}
}

// The second implementation agrees on the published vectors.
func TestReferenceAgrees(t *testing.T) {
	t.Parallel()
	var v vectors
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	n := 2*len(v.Hashes) + len(v.Costs) + len(v.Slots) + len(v.Moments) + len(v.Versions) - 1 + len(v.Tokens)
	for _, p := range v.Plans {
		n += len(p.Assignments)
	}
	script(t, fmt.Sprintf("%d vectors agree\n", n), "reference.py", vectorsFile)
}

// The second implementation agrees on assignments of all kinds of plans, bit for
// bit: make assignments compares a million.
func TestReferenceRecomputes(t *testing.T) {
	t.Parallel()
	const each = 500
	g, plans := newGenerator(7), (*assignments+each-1)/each
	file := written(t, func(enc *json.Encoder) error {
		for range plans {
			cfg := g.plan()
			p := under(t, cfg)
			if err := enc.Encode(map[string]Config{"config": cfg}); err != nil {
				return err
			}
			for range each {
				r := g.request()
				if err := enc.Encode(assignmentVector{r, r.answer(p)}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	script(t, fmt.Sprintf("%d assignments agree\n", plans*each), "reference.py", "--recompute", file)
}

// written is a file with what write encodes, for a script to read.
func written(t *testing.T, write func(*json.Encoder) error) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "assignments")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(write(json.NewEncoder(w)), w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}
