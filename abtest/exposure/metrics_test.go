package exposure_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hotpath/abtest/exposure"
)

func TestMetricsAreNamedByTheRules(t *testing.T) {
	_, reg := open(t, exposure.Options{Sinks: []exposure.Sink{discard{}, &lineCounter{}}})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
