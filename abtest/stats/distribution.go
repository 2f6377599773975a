package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// normalCDF is the standard normal distribution function.
func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// normalBothTails is the chance that a standard normal is at least this far from 0.
func normalBothTails(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// normalCritical is the distance from 0 that a standard normal exceeds with
// chance alpha.
func normalCritical(alpha float64) float64 { return -mathext.NormalQuantile(alpha / 2) }

// manyDegrees is the number of degrees of freedom from which Student's t is
// taken from the normal distribution, with the first terms of the difference.
// What is left out is below 1e-11, while the incomplete beta function loses
// digits for such parameters.
const manyDegrees = 1e6

// studentBothTails is the chance that Student's t is at least this far from 0.
func studentBothTails(t, degrees float64) float64 {
	if degrees >= manyDegrees {
		return normalBothTails(t * (1 - 1/(4*degrees)) / math.Sqrt(1+t*t/(2*degrees)))
	}
	return mathext.RegIncBeta(degrees/2, 0.5, degrees/(degrees+t*t))
}

// studentCritical is the distance from 0 that Student's t exceeds with chance alpha.
func studentCritical(alpha, degrees float64) float64 {
	if degrees >= manyDegrees {
		z := normalCritical(alpha)
		return z * (1 + (z*z+1)/(4*degrees))
	}
	x := mathext.InvRegIncBeta(degrees/2, 0.5, alpha)
	return math.Sqrt(degrees * (1 - x) / x)
}

// chiSquareTail is the chance that chi-square is at least this large.
func chiSquareTail(x, degrees float64) float64 { return mathext.GammaIncRegComp(degrees/2, x/2) }

// isLevel says whether alpha is one.
func isLevel(alpha float64) bool { return alpha > 0 && alpha < 1 }
