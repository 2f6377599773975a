package bench

import (
	"context"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// answerTimeout is when a generator gives a request up.
const answerTimeout = 5 * time.Second

// attack is one run of a generator.
type attack struct {
	load        *load
	connections int
	// rate is requests a second; 0 is a closed loop: every connection sends its
	// next request when it has its answer.
	rate     float64
	duration time.Duration
}

// planned is the number of requests of an open loop.
func (a *attack) planned() int64 { return int64(a.rate*a.duration.Seconds() + 0.5) }

// due is when request n is to be sent, counted from the start.
func (a *attack) due(n int64) time.Duration {
	return time.Duration(float64(n) / a.rate * float64(time.Second))
}

// generator sends an attack's requests and measures the answers.
type generator interface {
	name() string
	run(ctx context.Context, a *attack) (*outcome, error)
}

// outcome is what a generator saw.
type outcome struct {
	// latency is from the planned send to the end of the answer. In a closed
	// loop there is no plan: it is from the actual send.
	latency *hdrhistogram.Histogram
	// lag is from the planned to the actual send.
	lag *hdrhistogram.Histogram
	// codes counts answers by status, and failures by kind.
	codes map[string]int64
	// sent counts the requests that went out before the planned end; the ones of
	// an open loop that went out after it are late.
	sent, late, answered int64
	took                 time.Duration
}

func newOutcome() *outcome {
	return &outcome{latency: newHistogram(), lag: newHistogram(), codes: make(map[string]int64)}
}

// send counts a request by the time that it went out, from the start. What is
// a hundredth of the duration past the end still counts as sent by the plan.
func (o *outcome) send(at time.Duration, a *attack) {
	if a.rate > 0 && at > a.duration+a.duration/100 {
		o.late++
		return
	}
	o.sent++
}

// answer counts one answer by its status code.
func (o *outcome) answer(code int) {
	o.answered++
	o.codes[strconv.Itoa(code)]++
}

// fail counts a request that got no answer.
func (o *outcome) fail(kind string) { o.codes[kind]++ }

// grace is how long after the planned end late requests still go out: enough for
// a stall near the end, not more than a server that does not keep up deserves.
func (a *attack) grace() time.Duration { return a.duration/10 + 200*time.Millisecond }

// failed is the number of requests without a 2xx answer.
func (o *outcome) failed() (n int64) {
	for code, count := range o.codes {
		if len(code) != 3 || code[0] != '2' {
			n += count
		}
	}
	return n
}
