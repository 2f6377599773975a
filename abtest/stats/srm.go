package stats

import "math"

// srmConcentration is how far shares are suspected to be off: like a sample of
// so many units does by chance. An alarm needs few units for a gross mismatch
// and, for a small one, not many more than any test.
const srmConcentration = 1000

// SRM is a sequential test of a sample ratio mismatch: that units do not come to
// the arms with the chances that they should. It follows Lindon and Malek
// (2022), and can be asked after every unit: if the shares are right, the chance
// that P is ever at most alpha is at most alpha.
//
// Every unit multiplies the evidence e by the chance that was predicted for its
// arm over the arm's share. The prediction for share p_i, before the unit, is
//
//	p_i*r_i / sum(p_j*r_j),  r_i = (k*p_i + counted_i) / (k*p_i + expected_i)
//
// For shares that stay it is (k*p_i + counted_i)/(k + counted), so that e is the
// ratio of a Dirichlet-multinomial likelihood to the multinomial one. As the
// counts are compared with what the shares of their time let expect, the test
// neither alarms nor tires when shares change.
//
// An SRM is not safe for use by several goroutines at once.
type SRM struct {
	counts, expected []float64
	log, most        float64 // ln e, and its largest so far
}

// NewSRM makes a test of so many arms.
func NewSRM(arms int) *SRM {
	both := make([]float64, 2*arms)
	return &SRM{counts: both[:arms:arms], expected: both[arms:]}
}

// Add counts a unit of an arm. shares are the chances with which the arms got
// units when this one was assigned, in any unit: weights do. A unit whose arm
// had no share is not counted, and Add returns false: it was not drawn.
func (s *SRM) Add(arm int, shares []float64) bool {
	if !(shares[arm] > 0) {
		return false
	}
	var total, predicted, own float64
	for _, share := range shares {
		total += share
	}
	for i, share := range shares {
		if !(share > 0) {
			continue
		}
		p := share / total
		ratio := (srmConcentration*p + s.counts[i]) / (srmConcentration*p + s.expected[i])
		predicted += p * ratio
		if i == arm {
			own = ratio
		}
	}
	for i, share := range shares {
		s.expected[i] += share / total
	}
	s.counts[arm]++
	s.log += math.Log(own / predicted)
	s.most = max(s.most, s.log)
	return true
}

// P is the anytime-valid p-value, one over the largest e so far.
func (s *SRM) P() float64 { return math.Exp(-s.most) }

// Count is the number of units of an arm.
func (s *SRM) Count(arm int) float64 { return s.counts[arm] }

// Expected is the number of units that an arm should have.
func (s *SRM) Expected(arm int) float64 { return s.expected[arm] }

// ChiSquare is Pearson's test of the same counts, which holds for one look.
func (s *SRM) ChiSquare() (statistic, p float64) { return ChiSquareTest(s.counts, s.expected) }
