package resilience

import (
	"errors"

	"github.com/failsafe-go/failsafe-go/budget"
)

// retryBudget is failsafe-go's budget as its own retry policy uses it: permits
// for retries, measured against the executions it was told of. A budget that is
// told of none compares the retries with themselves, and is no ratio at all.
type retryBudget interface {
	Permits
	RecordExecution()
	ReleaseExecution()
}

// newRetryBudget makes a budget for retries up to ratio of the calls in flight.
func newRetryBudget(ratio float64) (retryBudget, error) {
	b, ok := budget.NewBuilder().WithMaxRate(ratio).WithMinConcurrency(1).Build().(retryBudget)
	if !ok {
		return nil, errors.New("failsafe-go's budget no longer has permits: pin the version in go.mod")
	}
	if ratio == 0 {
		return noRetries{b}, nil
	}
	return b, nil
}

// noRetries is a budget of nothing: failsafe-go's would always allow one.
type noRetries struct{ retryBudget }

func (noRetries) TryAcquirePermit() bool { return false }
