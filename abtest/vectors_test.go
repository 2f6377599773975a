package abtest

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew; a change of old vectors moves users")

const vectorsFile = "testdata/vectors.json"

// vectors is the file that pins every rule of doc.go. testdata/reference.py
// reads it too.
type vectors struct {
	Hashes  []hashVector   `json:"hashes"`
	Costs   []costVector   `json:"costs"`
	Slots   []slotVector   `json:"slots"`
	Moments []momentVector `json:"moments"`
	// Versions are in the order of precedence, no two equal.
	Versions []string      `json:"versions"`
	Tokens   []tokenVector `json:"tokens"`
	Plans    []planVector  `json:"plans"`
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

type momentVector struct {
	Text string `json:"text"`
	Unix int64  `json:"unix"`
}

type tokenVector struct {
	Key     string `json:"key"`
	Forced  string `json:"forced"`
	Expires int64  `json:"expires"`
	Token   string `json:"token"`
}

type planVector struct {
	Name        string             `json:"name"`
	Config      Config             `json:"config"`
	Digest      string             `json:"digest"`
	Assignments []assignmentVector `json:"assignments"`
}

// requestVector is a Request and the model that it is about.
type requestVector struct {
	Model      string            `json:"model"`
	User       string            `json:"user,omitempty"`
	Units      map[string]string `json:"units,omitempty"`
	Attributes attributes        `json:"attributes,omitempty"`
	Forced     string            `json:"forced,omitempty"`
	Stored     map[string]string `json:"stored,omitempty"`
	Now        int64             `json:"now,omitempty"`
}

type assignmentVector struct {
	requestVector
	Want answerVector `json:"want"`
}

type answerVector struct {
	Experiment    string   `json:"experiment"`
	Variant       string   `json:"variant"`
	Bucket        uint16   `json:"bucket"`
	Reason        string   `json:"reason"`
	ForcedUnknown bool     `json:"forced_unknown"`
	Shadows       []string `json:"shadows"`
}

func (v requestVector) request() *Request {
	r := &Request{User: []byte(v.User), Attributes: &v.Attributes, Forced: []byte(v.Forced), Now: v.Now}
	units, put := entities{}, stored{}
	for name, id := range v.Units {
		units[name] = []byte(id)
	}
	for name, variant := range v.Stored {
		put[name] = []byte(variant)
	}
	r.Units, r.Stored = units, put
	return r
}

// answer is what a plan says of a request.
func (v requestVector) answer(p *Plan) answerVector {
	a := p.Assign(v.Model, v.request())
	w := answerVector{Bucket: a.Bucket, Reason: a.Reason.String(), ForcedUnknown: a.ForcedUnknown, Shadows: []string{}}
	if a.Experiment != nil {
		w.Experiment, w.Variant = a.Experiment.Name(), a.Variant.Name()
		for i, shadow := range a.Experiment.Shadows() {
			if a.ShadowHit(i) {
				w.Shadows = append(w.Shadows, shadow.Name())
			}
		}
	}
	return w
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
		for s, o := range deal(sh, columns{}) {
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

func momentVectors(t *testing.T) (out []momentVector) {
	for _, text := range []string{"1970-01-01T00:00:00Z", "2027-01-31T08:00:00+01:00", "2024-02-29T23:59:59-12:45", "1969-12-31T23:59:59Z"} {
		unix, err := parseMoment(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, momentVector{text, unix})
	}
	return out
}

func versionVectors() (out []string) {
	for _, equal := range versionOrder {
		out = append(out, strings.Fields(equal)[0])
	}
	return out
}

func tokenVectors(t *testing.T) []tokenVector {
	token, err := ForceToken(tokenKey, "risk-v2", "treatment", 1798761600)
	if err != nil {
		t.Fatal(err)
	}
	return []tokenVector{{string(tokenKey), "risk-v2/treatment", 1798761600, token}}
}
