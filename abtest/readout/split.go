package readout

import (
	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// sharesOf are the shares of the experiment's arms in the plan that an event came
// from; nil: not known. Not ours: the experiment was another one then.
func (r *Readout) sharesOf(x *experiment, e *exposure.Event) (shares []float64, ours bool) {
	if slot, known := r.plans.find(e.Plan); known {
		return x.shares[slot], x.shares[slot] != nil
	}
	switch {
	case x.def.Bucket(e.Unit) != e.Bucket:
		return nil, false // the salt was another one
	case x.weighedOtherwise(e):
		return nil, true
	}
	return x.weights, true
}

// stranger is a plan that the readout was never given, as in a log of last month.
type stranger struct {
	plan abtest.Digest
	// otherwise: it weighed the experiment's variants differently.
	otherwise bool
}

// maxStrangers of an experiment are told apart.
const maxStrangers = 64

// weighedOtherwise says whether an event of a stranger shows, or an earlier one has
// shown, that its plan had other weights. The weights fix which bucket belongs to
// which variant, so a unit in a bucket of another variant gives them away. The more
// the weights differ, the sooner that comes.
func (x *experiment) weighedOtherwise(e *exposure.Event) bool {
	s := x.stranger(e.Plan)
	if s == nil {
		return true // one too many
	}
	if e.Reason == abtest.ReasonSplit && x.def.VariantAt(e.Bucket).Name() != e.Assigned {
		s.otherwise = true
	}
	return s.otherwise
}

// stranger finds or remembers a plan; nil when there are too many.
func (x *experiment) stranger(plan abtest.Digest) *stranger {
	for i := range x.strangers {
		if x.strangers[i].plan == plan {
			return &x.strangers[i]
		}
	}
	if len(x.strangers) == maxStrangers {
		return nil
	}
	x.strangers = append(x.strangers, stranger{plan: plan})
	return &x.strangers[len(x.strangers)-1]
}

// test counts a new unit in the test of the split, if it was dealt by known shares.
func (x *experiment) test(arm int, reason abtest.Reason, shares []float64) {
	switch {
	case reason != abtest.ReasonSplit:
	case shares == nil:
		x.untested++
	case !x.srm.Add(arm, shares):
		x.weightless++
	}
}
