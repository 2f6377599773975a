package abtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew; a change of old vectors moves users")

const vectorsFile = "testdata/vectors.json"

// vectors is the file that pins every rule of doc.go. testdata/reference.py
// reads it too.
type vectors struct {
	Hashes []hashVector `json:"hashes"`
	Costs  []costVector `json:"costs"`
	Slots  []slotVector `json:"slots"`
	Plans  []planVector `json:"plans"`
}

type hashVector struct {
	Key     string `json:"key"`
	UnitHex string `json:"unit_hex"`
	Digest  string `json:"digest"`
	Bucket  uint16 `json:"bucket"`
}

type costVector struct {
	Variant string `json:"variant"`
	Slot    int    `json:"slot"`
	Cost    int64  `json:"cost"`
}

// slotVector's SHA256 is that of the 10,000 owners' names, joined by newlines.
type slotVector struct {
	BasisPoints map[string]int `json:"basis_points"`
	SHA256      string         `json:"sha256"`
}

type planVector struct {
	Name        string             `json:"name"`
	Config      Config             `json:"config"`
	Digest      string             `json:"digest"`
	Assignments []assignmentVector `json:"assignments"`
}

type assignmentVector struct {
	Model      string       `json:"model"`
	Unit       string       `json:"unit"`
	Attributes attributes   `json:"attributes,omitempty"`
	Forced     string       `json:"forced,omitempty"`
	Want       answerVector `json:"want"`
}

type answerVector struct {
	Experiment    string   `json:"experiment"`
	Variant       string   `json:"variant"`
	Bucket        uint16   `json:"bucket"`
	Reason        string   `json:"reason"`
	ForcedUnknown bool     `json:"forced_unknown"`
	Shadows       []string `json:"shadows"`
}

func answer(a Assignment, unit string) answerVector {
	v := answerVector{Bucket: a.Bucket, Reason: a.Reason.String(), ForcedUnknown: a.ForcedUnknown, Shadows: []string{}}
	if a.Experiment != nil {
		v.Experiment, v.Variant = a.Experiment.Name(), a.Variant.Name()
		for i, s := range a.Experiment.Shadows() {
			if a.Experiment.ShadowHit(i, []byte(unit)) {
				v.Shadows = append(v.Shadows, s.Name())
			}
		}
	}
	return v
}

func hashVectors() (out []hashVector) {
	units := []string{"", "u1", "user-1", "user-2", "0", "00", "Zoë", "日本語", "a\x00b", "\xff\xfe", strings.Repeat("k", 256),
		"5f2b6c1e-8d1f-4c3a-9a57-0b1e2d3c4f5a"}
	for _, key := range []string{"assign\x00risk-v2-2026", "layer\x00risk-layer", "shadow\x00risk-v2-2026\x00candidate", "assign\x00Größe"} {
		domain, salt, _ := strings.Cut(key, "\x00")
		for _, unit := range units {
			u := hashUnit([]byte(unit))
			out = append(out, hashVector{key, hex.EncodeToString([]byte(unit)), fmt.Sprintf("%016x", u), bucketOf(hashKey(domain, salt), u)})
		}
	}
	return out
}

func costVectors() (out []costVector) {
	for _, name := range []string{"control", "treatment", "c"} {
		for _, s := range []int{0, 1, 2, 5000, 9999} {
			out = append(out, costVector{name, s, slotCost(costs(), hashKey(domainSlot, name), s)})
		}
	}
	return out
}

func slotVectors() (out []slotVector) {
	for _, sh := range [][]share{
		shares("only", 10000), shares("control", 5000, "treatment", 5000), shares("control", 9999, "treatment", 1),
		shares("A", 3333, "B", 3333, "C", 3334), shares("a", 100, "b", 200, "c", 300, "d", 400, "e", 9000), shares("control", 8000, "x", 1000, "y", 1000),
	} {
		v := slotVector{BasisPoints: map[string]int{}}
		names := make([]string, Buckets)
		for s, o := range deal(sh) {
			names[s] = sh[o].name
		}
		for _, x := range sh {
			v.BasisPoints[x.name] = x.slots
		}
		v.SHA256 = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(names, "\n"))))
		out = append(out, v)
	}
	return out
}

const vectorPlan = `
layers: [{name: risk, salt: risk-layer}, {name: other}]
experiments:
  - name: risk-v2
    model: risk
    salt: risk-v2-2026
    layer: risk
    range: [0, 6000]
    targeting: {all: [{attribute: country, in: [de, at]}, {not: {attribute: age, lt: 18}}]}
    overrides: {treatment: [user-1, user-2], control: [user-3]}
    fallback: control
    variants:
      - {name: control, weight: 50, version: 1}
      - {name: treatment, weight: 50, version: 2}
      - {name: candidate, shadow: true, version: 3, sample: 10}
  - name: risk-three
    model: risk
    layer: risk
    range: [6000, 10000]
    targeting: {any: [{attribute: tier, prefix: gold}, {attribute: beta, eq: true}, {attribute: age, gte: 18, lte: 99.5}]}
    variants:
      - {name: zeta, weight: 33.33}
      - {name: alpha, weight: 33.33}
      - {name: mid, weight: 33.34}
      - {name: none, weight: 0}
      - {name: all, shadow: true}
  - {name: digits, model: digits, variants: [{name: on, weight: 0.01}, {name: "off", weight: 99.99}]}
  - {name: old, model: retired, enabled: false, variants: [{name: a, weight: 100}]}
`

func planVectors(t *testing.T) []planVector {
	cfg := decodeYAML(t, vectorPlan)
	v := planVector{Name: "risk", Config: cfg}
	p, err := Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	v.Digest = p.Digest().String()
	add := func(model, unit string, attrs attributes, forced string) {
		a := p.Assign(model, []byte(unit), &attrs, []byte(forced))
		v.Assignments = append(v.Assignments, assignmentVector{model, unit, attrs, forced, answer(a, unit)})
	}
	contexts := []attributes{nil, {"country": "de"}, {"country": "at", "age": 17.0}, {"country": "de", "age": 40.0}, {"beta": true}, {"tier": "gold-1", "country": 1.0}, {"age": 99.5}}
	for i := range 60 {
		add("risk", fmt.Sprint("user-", i), contexts[i%len(contexts)], "")
		add("digits", fmt.Sprint("user-", i*i), nil, "")
	}
	for _, forced := range []string{"treatment", "risk-three/none", "none", "candidate", "risk-v2/alpha", "typo", "digits/on"} {
		add("risk", "user-1", nil, forced)
		add("risk", "Zoë", contexts[3], forced)
	}
	add("retired", "user-1", nil, "a")
	add("unknown", "user-1", nil, "")
	return []planVector{v}
}

// TestVectors pins the rules: whoever changes them moves users of running
// experiments, in every job that recomputes assignments too.
func TestVectors(t *testing.T) {
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(vectors{hashVectors(), costVectors(), slotVectors(), planVectors(t)}); err != nil {
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
			got := answer(p.Assign(a.Model, []byte(a.Unit), &a.Attributes, []byte(a.Forced)), a.Unit)
			if fmt.Sprint(got) != fmt.Sprint(a.Want) {
				t.Errorf("%s, %s: %+v, committed %+v", v.Name, a.Unit, got, a.Want)
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

// The second implementation agrees, where there is a Python to run it.
func TestReferenceAgrees(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("no python3: the reference was not run")
		return
	}
	out, err := exec.Command(python, "-B", "testdata/reference.py", vectorsFile).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "vectors agree\n") {
		t.Errorf("%v: %s", err, out)
	}
}
