package abtest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"math"
	"slices"
)

// Digest is a fingerprint of a plan: half of a SHA-256.
type Digest [16]byte

// String is the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the hexadecimal form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// digester writes values so that no two sequences of them read alike: numbers
// have a fixed width, texts and lists begin with their length.
type digester struct{ h hash.Hash }

func (d digester) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	d.h.Write(b[:])
}

func (d digester) text(s string) {
	d.number(uint64(len(s)))
	d.h.Write([]byte(s))
}

func (d digester) flag(b bool) {
	if b {
		d.number(1)
	} else {
		d.number(0)
	}
}

// algorithm names the rules by which a plan decides. It changes with them, so
// that equal digests mean equal answers over releases too.
const algorithm = "hotpath abtest 1"

// digest fingerprints compiled experiments and their overrides.
func digest(experiments []*Experiment, listed []map[string]*Variant) (out Digest) {
	d := digester{sha256.New()}
	d.text(algorithm)
	d.number(uint64(len(experiments)))
	for i, e := range experiments {
		d.experiment(e)
		d.number(uint64(len(listed[i])))
		for _, unit := range slices.Sorted(maps.Keys(listed[i])) {
			d.text(unit)
			d.number(uint64(listed[i][unit].index))
		}
	}
	copy(out[:], d.h.Sum(nil))
	return out
}

func (d digester) experiment(e *Experiment) {
	for _, s := range [...]string{e.name, e.model, e.salt, e.layer} {
		d.text(s)
	}
	d.flag(e.enabled)
	d.number(e.layerKey)
	d.number(uint64(e.low))
	d.number(uint64(e.high))
	d.flag(e.targeting != nil)
	if e.targeting != nil {
		d.node(e.targeting)
	}
	d.number(uint64(len(e.variants)))
	for _, v := range e.variants {
		d.text(v.name)
		d.text(v.model)
		d.number(uint64(v.version))
		d.number(uint64(v.weight))
		d.flag(v.shadow)
		d.number(uint64(v.sample))
		d.flag(v == e.fallback)
	}
}

func (d digester) node(n *node) {
	d.number(uint64(n.kind))
	d.number(uint64(len(n.kids)))
	for i := range n.kids {
		d.node(&n.kids[i])
	}
	d.text(n.attribute)
	d.number(uint64(len(n.tests)))
	for i := range n.tests {
		t := &n.tests[i]
		d.number(uint64(t.op))
		d.number(uint64(len(t.strings)))
		for _, s := range t.strings {
			d.text(s)
		}
		d.number(uint64(len(t.numbers)))
		for _, f := range t.numbers {
			d.float(f)
		}
		d.flag(t.bools[0])
		d.flag(t.bools[1])
		d.text(string(t.prefix))
		d.float(t.limit)
		d.flag(t.exists)
	}
}

// float writes a number; adding 0 makes one zero of the two.
func (d digester) float(f float64) { d.number(math.Float64bits(f + 0)) }
