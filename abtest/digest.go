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

func (d digester) texts(s []string) {
	d.number(uint64(len(s)))
	for _, x := range s {
		d.text(x)
	}
}

func (d digester) flag(b bool) {
	if b {
		d.number(1)
	} else {
		d.number(0)
	}
}

// float writes a number; adding 0 makes one zero of the two.
func (d digester) float(f float64) { d.number(math.Float64bits(f + 0)) }

// algorithm names the rules by which a plan decides. It changes with them, so
// that equal digests mean equal answers over releases too.
const algorithm = "hotpath abtest 2"

// digest fingerprints a plan and its overrides. It calls pause now and then.
func digest(p *Plan, listed []map[string]*Variant, pause func()) (out Digest) {
	d := planDigester{digester{sha256.New()}, p}
	d.text(algorithm)
	d.holdout(p.holdout)
	d.number(uint64(len(p.experiments)))
	for i, e := range p.experiments {
		d.experiment(e)
		d.number(uint64(len(listed[i])))
		for _, user := range slices.Sorted(maps.Keys(listed[i])) {
			d.text(user)
			d.number(uint64(listed[i][user].index))
		}
		pause()
	}
	copy(out[:], d.h.Sum(nil))
	return out
}

// planDigester knows the names of the plan's units.
type planDigester struct {
	digester
	plan *Plan
}

func (d planDigester) unit(slot uint8) { d.text(d.plan.units[slot]) }

func (d planDigester) holdout(h *holdout) {
	d.flag(h != nil)
	if h != nil {
		d.text(h.salt)
		d.unit(h.unit)
		d.number(uint64(h.share))
	}
}

func (d planDigester) experiment(e *Experiment) {
	for _, s := range [...]string{e.name, e.model, e.salt, e.Layer()} {
		d.text(s)
	}
	d.number(uint64(e.state))
	d.flag(e.sticky)
	d.unit(e.unit)
	if e.layer != nil {
		d.text(e.layer.salt)
		d.unit(e.layer.unit)
		d.holdout(e.layer.holdout)
	}
	d.number(uint64(e.low))
	d.number(uint64(e.high))
	d.schedule(&e.schedule)
	d.number(uint64(len(e.requires)))
	for _, r := range e.requires {
		d.text(r.experiment.name)
		d.number(r.variants)
	}
	d.targeting(e)
	d.number(uint64(len(e.variants)))
	for _, v := range e.variants {
		d.variant(v)
		d.flag(v == e.fallback)
	}
	if e.held {
		d.dealing(e)
	}
}

// dealing writes what a hold changes: whose slots who has.
func (d planDigester) dealing(e *Experiment) {
	d.number(math.MaxUint64) // nothing that could follow otherwise begins so
	for _, v := range e.variants {
		d.number(uint64(v.dealt))
	}
	d.number(uint64(e.control.index))
}

func (d planDigester) schedule(s *schedule) {
	d.number(uint64(s.start))
	d.number(uint64(s.end))
	d.number(uint64(len(s.ramp)))
	for _, step := range s.ramp {
		d.number(uint64(step.at))
		d.number(uint64(step.share))
	}
}

func (d planDigester) variant(v *Variant) {
	d.text(v.name)
	d.text(v.model)
	d.number(uint64(v.version))
	d.text(v.label)
	d.text(string(v.payload))
	d.number(uint64(v.weight))
	d.flag(v.canary)
	d.flag(v.shadow)
	d.number(uint64(v.sample))
}

func (d planDigester) targeting(e *Experiment) {
	d.flag(e.targeting != nil)
	if e.targeting != nil {
		d.node(e.targeting)
	}
}

// targetingDigest is that of the condition alone.
func (e *Experiment) targetingDigest() (out Digest) {
	d := planDigester{digester{sha256.New()}, e.plan.plan}
	d.targeting(e)
	copy(out[:], d.h.Sum(nil))
	return out
}

func (d planDigester) node(n *node) {
	d.number(uint64(n.kind))
	d.number(uint64(len(n.kids)))
	for i := range n.kids {
		d.node(&n.kids[i])
	}
	d.text(n.attribute)
	d.unit(n.unit)
	d.text(n.salt)
	d.number(uint64(n.share))
	d.number(uint64(len(n.tests)))
	for i := range n.tests {
		t := &n.tests[i]
		d.number(uint64(t.op))
		d.text(string(t.text))
		d.float(t.limit)
		d.flag(t.exists)
		d.flag(t.set != nil)
		if t.set != nil {
			d.set(t.set)
		}
	}
}

// set writes what a set holds, a named list by its digest: a list is the same
// under any name.
func (d digester) set(s *set) {
	if s.list != nil {
		d.text(string(s.list.digest))
	} else {
		d.text("")
		d.texts(s.strings)
	}
	d.number(uint64(len(s.numbers)))
	for _, f := range s.numbers {
		d.float(f)
	}
	d.flag(s.bools[0])
	d.flag(s.bools[1])
}
