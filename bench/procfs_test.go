package bench

import (
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat("42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 7 8 20 0 5 0 100 1000 200")
	if err != nil || got != 2*time.Second {
		t.Errorf("cpu = %v, %v", got, err)
	}
	for _, bad := range []string{"", "42 (x) S 1", "42 (x) S 1 42 42 0 -1 4194304 100 0 0 0 many 50 7 8"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	before, err := readUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if before.rss < 1<<20 {
		t.Errorf("rss = %d", before.rss)
	}
	for sum := 0; ; sum++ { // until two ticks are used up
		now, err := readUsage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now.cpu >= before.cpu+20*time.Millisecond {
			return
		}
	}
}

func TestParseBuckets(t *testing.T) {
	text := `# HELP hotpath_batch_size rows
# TYPE hotpath_batch_size histogram
hotpath_batch_size_bucket{model="a",le="1"} 10
hotpath_batch_size_bucket{model="a",le="2"} 14
hotpath_batch_size_bucket{model="a",le="+Inf"} 15
hotpath_batch_size_bucket{model="b",le="1"} 1
hotpath_batch_size_bucket{model="b",le="2"} 1
hotpath_batch_size_bucket{model="b",le="+Inf"} 1 1700000000
hotpath_batch_size_sum{model="a"} 30
hotpath_batch_size_other_bucket{le="1"} 9
`
	c, err := parseBuckets(strings.NewReader(text), batchMetric)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.since(nil), []Bucket{{1, 11}, {2, 4}, {0, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("buckets = %v, want %v", got, want)
	}
	if got, want := c.since(cumulative{1: 11, 2: 11, math.Inf(1): 11}), []Bucket{{2, 4}, {0, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("buckets since = %v, want %v", got, want)
	}
	for _, bad := range []string{
		`hotpath_batch_size_bucket{model="a"} 1`, `hotpath_batch_size_bucket{le="x"} 1`, `hotpath_batch_size_bucket{le="1"} x`,
	} {
		if _, err := parseBuckets(strings.NewReader(bad), batchMetric); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
