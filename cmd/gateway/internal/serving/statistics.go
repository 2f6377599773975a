package serving

import (
	"math/bits"
	"sync/atomic"
	"time"

	"hotpath/router"
	"hotpath/router/oip"
)

// Batches up to exactSizes rows are counted by their size, larger ones in classes
// up to the powers of two, the last of which takes in the largest batch that a
// model may have.
const (
	exactSizes = 64
	exactBits  = 6
	numClasses = exactSizes + 10
)

// runCounters are added to after every run of one loaded version.
type runCounters struct {
	_       [64]byte // apart from what other cores write
	rows    atomic.Int64
	classes [numClasses]struct{ runs, ns atomic.Int64 }
	_       [64]byte
}

func (c *runCounters) add(rows int, run time.Duration) {
	c.rows.Add(int64(rows))
	class := &c.classes[sizeClass(rows)]
	class.runs.Add(1)
	class.ns.Add(int64(run))
}

func sizeClass(rows int) int {
	if rows <= exactSizes {
		return max(rows, 1) - 1
	}
	return min(exactSizes+bits.Len(uint(rows-1))-exactBits-1, numClasses-1)
}

// classSize is the largest size in a class.
func classSize(class int) uint64 {
	if class < exactSizes {
		return uint64(class + 1)
	}
	return 1 << (class - exactSizes + exactBits + 1)
}

// statistics are those of a loaded version. Its features are the preparation of
// the input; what copying results out takes is part of the run.
func (s *served) statistics() oip.ModelStatistics {
	requests := s.lane.Metrics.Requests()
	out := oip.ModelStatistics{InferenceCount: uint64(s.runs.rows.Load()), InferenceStats: inferStatistics(requests),
		BatchStats: []oip.BatchStatistic{}, MemoryUsage: []oip.MemoryUsage{}}
	if !requests.Last.IsZero() {
		out.LastInference = uint64(requests.Last.UnixMilli())
	}
	if s.info.MemoryBytes > 0 {
		out.MemoryUsage = append(out.MemoryUsage, oip.MemoryUsage{Type: "CPU", ByteSize: uint64(s.info.MemoryBytes)})
	}
	for i := range s.runs.classes {
		runs, ns := uint64(s.runs.classes[i].runs.Load()), uint64(s.runs.classes[i].ns.Load())
		if runs == 0 {
			continue
		}
		out.ExecutionCount += runs
		out.BatchStats = append(out.BatchStats, oip.BatchStatistic{BatchSize: classSize(i),
			ComputeInput: oip.Duration{Count: runs}, ComputeInfer: oip.Duration{Count: runs, Ns: ns}, ComputeOutput: oip.Duration{Count: runs}})
	}
	return out
}

func inferStatistics(r router.RequestSums) oip.InferStatistics {
	sum := func(d time.Duration) oip.Duration { return oip.Duration{Count: r.Answered, Ns: uint64(d)} }
	return oip.InferStatistics{Success: sum(r.AnsweredTime), Fail: oip.Duration{Count: r.Failed, Ns: uint64(r.FailedTime)},
		Queue: sum(r.Queue), ComputeInput: sum(r.Features), ComputeInfer: sum(r.Run), ComputeOutput: sum(0)}
}
