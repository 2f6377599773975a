package stats

import "math"

// Design is a comparison of one variant with the control that is planned. Counts
// of units are of both together.
type Design struct {
	Mean       float64 // the control's
	StdDev     float64 // of a unit's value, in both; of a proportion it follows from the mean
	Proportion bool    // Mean is a share of the units, from 0 to 1
	// Ratio is the number of the variant's units for each of the control's.
	Ratio float64
	Alpha float64
	// Power is the chance, such as 0.8, to tell an effect that is there from none.
	Power float64
	// Sequential plans for DifferenceSequence, tuned for TuneN, else for one look
	// by a z test. Power is that of a last look at the planned size, though the
	// sequence may well decide before.
	Sequential bool
	TuneN      float64
}

// mostUnits ends the search for a sample size.
const mostUnits = 1e18

// PowerAt is the chance to tell an effect, which is a difference of the means,
// from none with n units.
func (d Design) PowerAt(effect, n float64) float64 {
	control, variant := d.variance(d.Mean), d.variance(d.Mean+effect)
	nc := n / (1 + d.Ratio)
	nv := n - nc
	if !(nc > 0) || !(nv > 0) || !isLevel(d.Alpha) || !(control+variant > 0) {
		return 0
	}
	se := math.Sqrt(control/nc + variant/nv)
	bound := d.bound(effect, nc, nv, se)
	return normalCDF((math.Abs(effect)-bound)/se) + normalCDF((-math.Abs(effect)-bound)/se)
}

// bound is the observed difference that is told from none.
func (d Design) bound(effect, nc, nv, se float64) float64 {
	if d.Sequential {
		control, variant := d.variance(d.Mean), d.variance(d.Mean+effect)
		e := errorsOf(Moments{N: nc, Mean: d.Mean, M2: control * (nc - 1)}, Moments{N: nv, Mean: d.Mean + effect, M2: variant * (nv - 1)})
		x, ok := mixture(e.units, d.Alpha, d.TuneN)
		if !ok {
			return math.Inf(1)
		}
		return math.Sqrt(e.control+e.variant) * multiplier(x, d.Alpha)
	}
	if d.Proportion { // the z test pools the variances, as there is no effect to it
		pooled := d.variance(d.Mean + effect*nv/(nc+nv))
		se = math.Sqrt(pooled/nc + pooled/nv)
	}
	return normalCritical(d.Alpha) * se
}

func (d Design) variance(mean float64) float64 {
	if d.Proportion {
		return max(0, mean*(1-mean))
	}
	return d.StdDev * d.StdDev
}

// SampleSize is the number of units by which an effect is told from none with
// the design's power; infinite when no number does.
func (d Design) SampleSize(effect float64) float64 {
	if effect == 0 {
		return math.Inf(1)
	}
	return smallest(1, mostUnits, func(n float64) bool { return d.PowerAt(effect, n) >= d.Power })
}

// MinimumDetectableEffect is the smallest increase of the mean that n units tell
// from none with the design's power; infinite when there is none.
func (d Design) MinimumDetectableEffect(n float64) float64 {
	least, most := 1/mostUnits, 1-d.Mean
	if !d.Proportion {
		least, most = d.StdDev/mostUnits, d.StdDev*mostUnits
	}
	return smallest(least, most, func(effect float64) bool { return d.PowerAt(effect, n) >= d.Power })
}

// smallest is the smallest number between two positive ones for which a
// condition holds that stays true once it is; infinite when it never is.
func smallest(low, high float64, holds func(float64) bool) float64 {
	if !(high > 0) || !holds(high) {
		return math.Inf(1)
	}
	for range 200 { // halves the ratio's logarithm each time, far below rounding
		middle := math.Sqrt(low) * math.Sqrt(high)
		if middle <= low || middle >= high {
			break
		}
		if holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
