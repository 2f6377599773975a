package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// batchMetric is the gateway's histogram of rows per run.
const batchMetric = "hotpath_batch_size"

// Bucket is one bar of the batch-size histogram.
type Bucket struct {
	// UpTo is the largest batch size of the bucket; 0 stands for no limit.
	UpTo float64 `json:"up_to"`
	Runs float64 `json:"runs"`
}

// cumulative maps a Prometheus bucket's upper bound to its cumulative count.
type cumulative map[float64]float64

// scrapeBuckets reads the cumulative buckets of a histogram, added up over its
// label sets. A gateway without the metric has none.
func scrapeBuckets(ctx context.Context, url, metric string) (cumulative, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := adminClient().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return parseBuckets(res.Body, metric)
}

func parseBuckets(r io.Reader, metric string) (cumulative, error) {
	out := make(cumulative)
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		rest, ok := strings.CutPrefix(sc.Text(), metric+"_bucket{")
		if !ok {
			continue
		}
		labels, value, ok := strings.Cut(rest, "} ")
		_, bound, hasBound := strings.Cut(labels, `le="`)
		bound, _, _ = strings.Cut(bound, `"`)
		if !ok || !hasBound {
			return nil, fmt.Errorf("metric line %q: no le label or no value", sc.Text())
		}
		le, err := strconv.ParseFloat(bound, 64)
		if err != nil {
			return nil, fmt.Errorf("metric line %q: %w", sc.Text(), err)
		}
		value, _, _ = strings.Cut(value, " ")
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("metric line %q: %w", sc.Text(), err)
		}
		out[le] += count
	}
	return out, sc.Err()
}

// since is the histogram of what was counted after before, without empty buckets.
func (c cumulative) since(before cumulative) []Bucket {
	bounds := make([]float64, 0, len(c))
	for le := range c {
		bounds = append(bounds, le)
	}
	slices.Sort(bounds)
	var out []Bucket
	last := 0.0
	for _, le := range bounds {
		total := c[le] - before[le]
		if runs := total - last; runs > 0 {
			b := Bucket{UpTo: le, Runs: runs}
			if math.IsInf(le, 1) {
				b.UpTo = 0
			}
			out = append(out, b)
		}
		last = total
	}
	return out
}
