package readout

import (
	"encoding/binary"
	"math"
	"runtime"
	"testing"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/stats"
)

// consistent checks what is counted against the units that are kept.
func consistent(t testing.TB, r *Readout) {
	t.Helper()
	type key struct {
		experiment uint16
		variant    uint8
	}
	units, entries := map[key]int64{}, map[uint16]int{}
	sums := 0
	for i := range r.units.units.n {
		u := r.units.units.at(uint32(i))
		if r.byID[u.experiment] == nil {
			for s := u.sums; s != 0; s = r.units.sums.at(s - 1).next {
				sums++
			}
			continue
		}
		if !r.byID[u.experiment].sampled(u.key) {
			t.Fatal("a unit outside of the sample is kept")
		}
		if r.units.find(u.key, u.experiment) != u {
			t.Fatal("a unit is not found")
		}
		units[key{u.experiment, u.variant}]++
		entries[u.experiment]++
		for s := u.sums; s != 0; s = r.units.sums.at(s - 1).next {
			entries[u.experiment]++
			sums++
		}
	}
	if sums != r.units.sums.n-r.units.freed {
		t.Fatalf("%d sums are in use, %d were added and %d freed", sums, r.units.sums.n, r.units.freed)
	}
	if n := r.units.units.n + sums; n > r.units.most {
		t.Fatalf("%d entries in room for %d", n, r.units.most)
	}
	for _, x := range r.experiments {
		if x.entries != entries[x.id] {
			t.Fatalf("%s: %d entries, counted %d", x.def.Name(), entries[x.id], x.entries)
		}
		for i := range x.arms {
			if x.arms[i].units != units[key{x.id, uint8(i)}] {
				t.Fatalf("%s: %d units, counted %d", x.arms[i].name, units[key{x.id, uint8(i)}], x.arms[i].units)
			}
		}
	}
}

// Large experiments are halved until all fits. What is left is a random sample: of
// both variants, of early and late units, of those who convert and those who do not.
func TestSampleIsUnbiased(t *testing.T) {
	cfg := split(purchases)
	small := split(func(e *abtest.ExperimentConfig) { e.Name, e.Model = "small", "rank" }).Experiments[0]
	cfg.Experiments = append(cfg.Experiments, small)
	const users, room = 60_000, 4000
	l := newLab(t, Options{Units: room}, cfg)
	truth := map[string]*[2]float64{"control": {}, "treatment": {}} // units, conversions
	for i := range users {
		e := *l.serve(user(i))
		truth[e.Assigned][0]++
		if l.random.Float64() < map[string]float64{"control": 0.3, "treatment": 0.4}[e.Assigned] {
			truth[e.Assigned][1]++
			l.report(user(i), "purchase", 1)
			l.report(user(i), "revenue", 10)
		}
		if i%500 == 0 {
			e.Experiment = "small"
			l.readout.Exposed(&e, true)
			consistent(t, l.readout)
		}
	}
	p := l.see()
	if p.Sample > 1.0/8 || p.Sample < 1.0/64 {
		t.Errorf("sample %v", p.Sample)
	}
	var kept, expected []float64
	for _, name := range [...]string{"control", "treatment"} {
		o, v := p.outcome("purchase", name), p.variant(name)
		share := truth[name][1] / truth[name][0]
		if off := math.Abs(*o.Mean - share); off > 4*math.Sqrt(share*(1-share)/float64(o.Units)) {
			t.Errorf("%s: of the sample %v convert, of all %v", name, *o.Mean, share)
		}
		if off := math.Abs(float64(v.Units)/truth[name][0] - 1); off > 0.15 {
			t.Errorf("%s: %d units are estimated, there are %v", name, v.Units, truth[name][0])
		}
		if r := p.outcome("revenue", name); *r.Mean != 10**o.Mean {
			t.Errorf("%s: revenue %v", name, *r.Mean)
		}
		kept, expected = append(kept, float64(o.Units)), append(expected, truth[name][0])
	}
	if _, chance := stats.ChiSquareTest(kept, expected); chance < 0.001 {
		t.Errorf("kept %v of %v: p %v", kept, expected, chance)
	}
	if p.SRM.Alert || p.SRM.Units >= users {
		t.Errorf("%+v", p.SRM)
	}
	if q, _ := l.readout.Report("small"); q.Sample != 1 || q.variant("control").Units+q.variant("treatment").Units != users/500 {
		t.Errorf("the small experiment: %+v", q)
	}
	earlyAndLate(l, users)
}

// chosenID is an id of eight bytes whose digest without a seed is key.
func chosenID(key uint64) []byte {
	inverse := func(odd uint64) uint64 {
		x := odd
		for range 6 {
			x *= 2 - odd*x
		}
		return x
	}
	h := key ^ key>>33
	h *= inverse(0xc4ceb9fe1a85ec53)
	h = (h ^ h>>33) * inverse(0xff51afd7ed558ccd)
	h ^= h >> 33
	h = (h ^ h>>32) * inverse(mixPrime)
	return binary.LittleEndian.AppendUint64(nil, h^digestPrefix("user")^8)
}

// Clients who choose their ids must not be able to keep theirs in the sample: others
// would be pushed out, and the table would be searched for room with every unit.
func TestASeedKeepsIdsFromBeingChosen(t *testing.T) {
	const most = 1000
	kept := func(seed uint64) (sample float64) {
		l := newLab(t, Options{Units: most, Seed: seed}, split())
		for i := range uint64(2 * most) {
			l.serve(string(chosenID((i + 1) << maxHalvings)))
		}
		return l.see().Sample
	}
	if sample := kept(0); sample > 1e-6 {
		t.Fatalf("a sample of %v without a seed: the ids are not chosen well", sample)
	}
	if sample := kept(0x9d3f_5ae1_0c77_b2d4); sample < 1.0/8 {
		t.Errorf("a sample of %v: the ids push out all others", sample)
	}
}

// earlyAndLate checks that of the units that are kept half came in the first half.
func earlyAndLate(l *lab, users int) {
	l.Helper()
	early := 0
	x := l.readout.experiments["checkout"]
	for i := range users / 2 {
		if l.readout.units.find(x.key([]byte(user(i))), x.id) != nil {
			early++
		}
	}
	units := x.arms[0].units + x.arms[1].units
	if _, chance := stats.ChiSquareTest([]float64{float64(early), float64(units) - float64(early)}, []float64{1, 1}); chance < 0.001 {
		l.Errorf("%d of %d units are of the first half", early, units)
	}
}

// The digest that chooses the sample says nothing about the bucket, and its bits
// nothing about each other.
func TestSampleIsIndependentOfAssignment(t *testing.T) {
	l := newLab(t, Options{}, split())
	x := l.readout.experiments["checkout"]
	for _, id := range []func(int) string{user, func(i int) string { return string(rune('a'+i%26)) + user(i/26) }} {
		for bits := range 5 {
			var cells [4]float64
			for i := range 40_000 {
				e := l.event(id(i))
				cell := 0
				if e.Bucket >= abtest.Buckets/2 {
					cell = 1
				}
				if x.key([]byte(id(i)))>>bits&1 == 1 {
					cell += 2
				}
				cells[cell]++
			}
			rows, columns := [2]float64{cells[0] + cells[1], cells[2] + cells[3]}, [2]float64{cells[0] + cells[2], cells[1] + cells[3]}
			var expected [4]float64
			for i := range expected {
				expected[i] = rows[i/2] * columns[i%2]
			}
			if statistic, _ := stats.ChiSquareTest(cells[:], expected[:]); statistic > 15 {
				t.Errorf("bit %d: %v, chi-square %v", bits, cells, statistic)
			}
		}
	}
}

// What is forgotten makes room before anything is halved.
func TestForgottenUnitsMakeRoom(t *testing.T) {
	l := newLab(t, Options{Units: 1000}, split(purchases))
	for round := range 5 {
		for i := range 900 {
			l.serve(user(i))
			l.report(user(i), "purchase", 1)
		}
		if p := l.see(); p.Sample != 1 || p.variant("control").Units+p.variant("treatment").Units != 900 {
			t.Fatalf("round %d: sample %v", round, p.Sample)
		}
		consistent(t, l.readout)
		l.edit(split(purchases, func(e *abtest.ExperimentConfig) { e.Salt = user(round) }))
	}
}

// Ids of experiments are given to others in time.
func TestIDsOfExperimentsAreReused(t *testing.T) {
	l := newLab(t, Options{}, split(purchases))
	for i := range 2*idsToSpare + 10 {
		l.readout.mu.Lock()
		l.readout.forget("checkout")
		l.readout.mu.Unlock()
		l.readout.SetPlan(l.plan)
		if i%1000 == 0 {
			l.serve(user(i))
			l.report(user(i), "revenue", 1)
		}
	}
	if n := len(l.readout.byID); n > idsToSpare+2 {
		t.Errorf("%d ids for one experiment", n)
	}
	e := l.serve("anna")
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.RequestID = e.RequestID }))
	if l.see().Feedback.Counted != 1 {
		t.Error("a request leads to another experiment")
	}
	consistent(t, l.readout)
}

// Options promises some 40 bytes for a unit and up to 64 for a request; lists grow in
// pieces and indexes in powers of two.
func TestMemoryIsBounded(t *testing.T) {
	units, requests := 100_000, 50_000
	if raceEnabled {
		units, requests = 20_000, 10_000
	}
	l := newLab(t, Options{Units: units, Requests: requests}, split(purchases))
	before := heap()
	for i := range 3 * units {
		l.serve(user(i))
		if i%3 == 0 {
			l.report(user(i), "revenue", 1)
		}
	}
	used := heap() - before
	const variants = 100_000 // two with their windows and sketches
	if most := int64(units*50 + requests*66 + variants); used > most {
		t.Errorf("%d bytes are in use, want at most %d", used, most)
	}
	t.Logf("%.1f bytes for each of %d units and %d requests", float64(used)/float64(units), units, requests)
	consistent(t, l.readout)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
