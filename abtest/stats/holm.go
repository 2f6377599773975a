package stats

import (
	"cmp"
	"slices"
)

// Holm corrects p-values for their number: reject what is at most alpha among
// the returned ones, which are in the order of p, and the chance of any false
// rejection is at most alpha, however the tests depend on each other. It keeps
// anytime-valid p-values anytime-valid.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted, last := make([]float64, len(p)), 0.0
	for rank, i := range order {
		last = max(last, min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = last
	}
	return adjusted
}
