package promotion

import (
	"fmt"
	"slices"

	"hotpath/models"
)

// Differences lists how the inputs and outputs of a version differ from those of
// the one that serves, for whoever calls it. Outputs that are added are none.
// partial is for a signature read from a file: a dimension of -1 and a missing
// shape are then unknown, and fit everything.
func Differences(serving, next models.Signature, partial bool) []string {
	var all []string
	if serving.Batched != next.Batched && !partial {
		all = append(all, fmt.Sprintf("a batch dimension: it was %t, it is %t", serving.Batched, next.Batched))
	}
	all = append(all, side("input", serving.Inputs, next.Inputs, partial)...)
	for _, p := range next.Inputs {
		if find(serving.Inputs, p.Name) == nil {
			all = append(all, fmt.Sprintf("input %s is new", p))
		}
	}
	return append(all, side("output", serving.Outputs, next.Outputs, partial)...)
}

// side lists the ports that are gone or others.
func side(what string, serving, next []models.Port, partial bool) (all []string) {
	for _, old := range serving {
		now := find(next, old.Name)
		switch {
		case now == nil:
			all = append(all, fmt.Sprintf("%s %s is gone", what, old))
		case now.DType != old.DType || !sameShape(old.Shape, now.Shape, partial):
			all = append(all, fmt.Sprintf("%s %s was %s%v and is %s%v", what, old.Name, old.DType, old.Shape, now.DType, now.Shape))
		}
	}
	return all
}

func find(ports []models.Port, name string) *models.Port {
	if i := slices.IndexFunc(ports, func(p models.Port) bool { return p.Name == name }); i >= 0 {
		return &ports[i]
	}
	return nil
}

func sameShape(old, now []int, partial bool) bool {
	if partial && now == nil {
		return true
	}
	return slices.EqualFunc(old, now, func(a, b int) bool { return a == b || partial && b < 0 })
}
