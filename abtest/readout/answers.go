package readout

import (
	"math"

	"hotpath/abtest/exposure"
	"hotpath/abtest/stats"
)

// answers are those of an arm.
type answers struct {
	requests, rejected, errors, otherServed, degraded, nonFinite int64

	latency    sketch // nanoseconds
	latencySum float64
	score      sketch
	scores     stats.Moments
}

// answer is what one event says about the arm that was assigned.
type answer struct {
	rejected, failed, otherServed, degraded, nonFinite bool
	scored                                             bool
	latency                                            int64 // 0: unknown
	score                                              float64
}

// answerOf judges an event. An arm that another one had to stand in for has failed,
// even if the client noticed nothing: it would have noticed without the other one.
func answerOf(e *exposure.Event) answer {
	if clientsFault(e.Code) {
		return answer{rejected: true}
	}
	ok, own := e.Code == "ok", e.Served == e.Assigned
	return answer{
		failed:      !ok || !own,
		otherServed: ok && !own && e.Served != "",
		degraded:    len(e.Degraded) > 0,
		nonFinite:   e.NonFinite,
		scored:      ok && own && e.HasScore && !math.IsNaN(e.Score) && !math.IsInf(e.Score, 0),
		latency:     e.LatencyNS,
		score:       e.Score,
	}
}

// clientsFault says whether an error is the client's doing: its names are those of
// the errors whose status is 4xx. All others, known or not, are the gateway's.
func clientsFault(code string) bool {
	switch code {
	case "bad_json", "bad_request", "forbidden", "unknown_model", "unknown_experiment", "not_found", "method_not_allowed",
		"client_too_slow", "body_too_large", "unsupported_encoding", "bad_features", "headers_too_large", "unauthenticated", "quota":
		return true
	}
	return false
}

// observe counts the answer to a request.
func (a *arm) observe(e *exposure.Event) {
	o := answerOf(e)
	a.requests++
	if o.rejected {
		a.rejected++
		return
	}
	a.errors += count(o.failed)
	a.otherServed += count(o.otherServed)
	a.degraded += count(o.degraded)
	a.nonFinite += count(o.nonFinite)
	if o.latency > 0 {
		a.latency.add(float64(o.latency))
		a.latencySum += float64(o.latency)
	}
	if o.scored {
		a.score.add(o.score)
		a.scores.Add(o.score)
	}
	for _, w := range a.windows {
		w.add(e.At, &o)
	}
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// answered are the requests that rates are of.
func (a *answers) answered() int64 { return a.requests - a.rejected }
