package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load is a load on one gateway's /predict.
type load struct {
	addr string
	// rate is in requests a second, planned in advance and kept whatever the
	// answers do, as far as there are connections; 0: each connection sends when
	// it has its answer.
	rate  float64
	conns int
	// total ends the load by itself; 0: it goes on until stop.
	total int
	// body makes request number i: the whole JSON but for its request_id, from
	// the user on, and whom it is for.
	body func(i int) (user, rest string)
	// header holds whole lines.
	header []string
	// judge, if set, looks at every good answer at once. What passes is counted
	// and not kept, since a long load would fill the memory.
	judge func(a *answer) error
}

// answer is what became of one request.
type answer struct {
	seq    int
	user   string
	sent   time.Time
	took   time.Duration
	reply  reply
	err    error
	parsed prediction
}

// running is a load on its way.
type running struct {
	load
	start   time.Time
	next    atomic.Int64
	stopped atomic.Bool
	stopCh  chan struct{}
	workers sync.WaitGroup
	mu      sync.Mutex
	answers []answer
	passed  []time.Duration
}

// begin starts a load; the caller stops or waits for it.
func (l load) begin(t *testing.T) *running {
	r := &running{load: l, start: time.Now(), stopCh: make(chan struct{})}
	for range l.conns {
		r.workers.Go(r.work)
	}
	t.Cleanup(func() { r.halt(); r.workers.Wait() })
	return r
}

func (r *running) halt() {
	if r.stopped.CompareAndSwap(false, true) {
		close(r.stopCh)
	}
}

// work is one connection, made again when the gateway closes it.
func (r *running) work() {
	var c *wire
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var own []answer
	var passed []time.Duration
	defer func() {
		r.mu.Lock()
		r.answers, r.passed = append(r.answers, own...), append(r.passed, passed...)
		r.mu.Unlock()
	}()
	for !r.stopped.Load() {
		seq := int(r.next.Add(1)) - 1
		if r.total > 0 && seq >= r.total || !r.await(timer, seq) {
			return
		}
		a := r.one(&c, seq)
		if r.judge != nil && a.err == nil && a.parse() == nil && a.reply.status == 200 && r.judge(&a) == nil {
			passed = append(passed, a.took)
		} else {
			own = append(own, a)
		}
		if errors.Is(a.err, syscall.ECONNREFUSED) {
			return // nobody listens any more
		}
	}
}

// await waits for the planned time; false when the load is stopped meanwhile.
func (r *running) await(timer *time.Timer, seq int) bool {
	if r.rate == 0 {
		return true
	}
	timer.Reset(time.Until(r.start.Add(time.Duration(float64(seq) / r.rate * float64(time.Second)))))
	select {
	case <-timer.C:
		return true
	case <-r.stopCh:
		return false
	}
}

// one sends one request and reads its answer.
func (r *running) one(c **wire, seq int) answer {
	user, rest := r.body(seq)
	// The header's id is for the refusals that are made before the body is read.
	id := fmt.Sprintf("r-%d", seq)
	bytes := post("/predict", fmt.Sprintf(`{"request_id":%q,%s`, id, rest), append([]string{"X-Request-Id: " + id}, r.header...)...)
	a := answer{seq: seq, user: user}
	if *c != nil && (*c).closedByServer() {
		(*c).Close()
		*c = nil
	}
	if *c == nil {
		if *c, a.err = dialWire(r.addr); a.err != nil {
			*c, a.sent = nil, time.Now()
			return a
		}
	}
	a.sent = time.Now()
	a.reply, a.err = (*c).do(bytes, 30*time.Second)
	a.took = time.Since(a.sent)
	if a.err != nil || a.reply.closing {
		(*c).Close()
		*c = nil
	}
	return a
}

// stop ends the load, waits for what is on its way, and gives all answers in the
// order of their requests.
func (r *running) stop(t *testing.T) report {
	t.Helper()
	r.halt()
	return r.wait(t)
}

// wait waits for a load that ends by itself. It checks what holds for every
// answer of every load (I1, I3): there is exactly one, it parses, it is about
// this request, and an error is in the form and vocabulary of all errors.
func (r *running) wait(t *testing.T) report {
	t.Helper()
	r.workers.Wait()
	out := report{answers: r.answers, passed: r.passed, lasted: time.Since(r.start)}
	slices.SortFunc(out.answers, func(a, b answer) int { return a.seq - b.seq })
	bad := 0
	for i := range out.answers {
		a := &out.answers[i]
		if a.err != nil {
			continue // judged by the test: some may be lost by its own doing
		}
		if err := a.parse(); err != nil {
			if bad++; bad <= 5 {
				t.Errorf("request %d: %v in answer %d %s", a.seq, err, a.reply.status, a.reply.body)
			}
		}
	}
	return out
}

// parse decodes the body and checks its form.
func (a *answer) parse() error {
	if err := json.Unmarshal(a.reply.body, &a.parsed); err != nil {
		return err
	}
	p, want := &a.parsed, fmt.Sprintf("r-%d", a.seq)
	if got := a.reply.header["content-type"]; got != "application/json" {
		return fmt.Errorf("content type %q", got)
	}
	if got := a.reply.header["x-degraded"]; got != strings.Join(p.Degraded, ",") && got != strings.Join(p.Degraded, ", ") {
		return fmt.Errorf("X-Degraded %q beside degraded %v", got, p.Degraded)
	}
	switch {
	case a.reply.status == 200 && (p.RequestID != want || p.Model == "" || p.Outputs == nil || p.Error.Code != ""):
		return fmt.Errorf("want a prediction for %s", want)
	case a.reply.status != 200 && (p.Error.RequestID != want || p.Error.Code == "" || p.Error.Message == ""):
		return fmt.Errorf("want an error for %s", want)
	case a.reply.status == 503 && a.reply.header["retry-after"] == "":
		return errors.New("a 503 without Retry-After")
	}
	return nil
}

// report is all answers of a load.
type report struct {
	answers []answer
	// passed are how long those took that a judge let pass; they are not among the
	// answers.
	passed []time.Duration
	lasted time.Duration
}

// code is ok, an error's code, or lost for a request without an answer.
func (a *answer) code() string {
	switch {
	case errors.Is(a.err, syscall.ECONNREFUSED):
		return "refused"
	case a.err != nil:
		return "lost"
	case a.reply.status == 200:
		return "ok"
	}
	return a.parsed.Error.Code
}

func (r report) codes() map[string]int {
	m := map[string]int{}
	for i := range r.answers {
		m[r.answers[i].code()]++
	}
	return m
}

// lostBy are the reasons of lost requests.
func (r report) lostBy() map[string]int {
	m := map[string]int{}
	for i := range r.answers {
		if err := r.answers[i].err; err != nil {
			m[err.Error()]++
		}
	}
	return m
}

// onlyCodes fails the test when another code was seen.
func (r report) onlyCodes(t *testing.T, allowed ...string) {
	t.Helper()
	for code, n := range r.codes() {
		if !slices.Contains(allowed, code) {
			t.Errorf("%d of %d requests ended as %s, want only %v (%v)%s", n, len(r.answers), code, allowed, r.codes(), r.example(code))
		}
	}
}

// example shows one answer of a code.
func (r report) example(code string) string {
	for i := range r.answers {
		if a := &r.answers[i]; a.code() == code {
			return fmt.Sprintf("; for example request %d of %s: %v %s", a.seq, a.user, a.err, a.reply.body)
		}
	}
	return ""
}

// where keeps some answers.
func (r report) where(keep func(a *answer) bool) report {
	out := report{lasted: r.lasted}
	for i := range r.answers {
		if keep(&r.answers[i]) {
			out.answers = append(out.answers, r.answers[i])
		}
	}
	return out
}

func (r report) after(at time.Time) report {
	return r.where(func(a *answer) bool { return a.sent.After(at) })
}

// quantile is that of the latency from sending to the whole answer.
func (r report) quantile(q float64) time.Duration {
	all := slices.Clone(r.passed)
	for i := range r.answers {
		all = append(all, r.answers[i].took)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

// slowest shows when the slow answers were asked for.
func (r report) slowest(limit time.Duration) string {
	var b strings.Builder
	n := 0
	for i := range r.answers {
		if a := &r.answers[i]; a.took > limit {
			if n++; n <= 10 {
				fmt.Fprintf(&b, "; request %d sent %s after the first took %s", a.seq, a.sent.Sub(r.answers[0].sent).Round(time.Millisecond), a.took.Round(time.Millisecond))
			}
		}
	}
	return fmt.Sprintf("%d slower than %s%s", n, limit, b.String())
}

// degraded says that a fallback was used.
func degraded(a *answer) bool { return len(a.parsed.Degraded) > 0 }

// addsUp compares the gateway's count of predictions by code with the client's
// (I8). before is a scrape from before the load.
func (r report) addsUp(t *testing.T, before, after metrics) {
	t.Helper()
	for code, n := range r.codes() {
		if code == "lost" || code == "refused" {
			continue
		}
		labels := []string{`route="predict"`, fmt.Sprintf("code=%q", code)}
		if got := after.sum("hotpath_requests_total", labels...) - before.sum("hotpath_requests_total", labels...); int(got) != n {
			t.Errorf("hotpath_requests_total counts %g more with code %s, the client saw %d", got, code, n)
		}
	}
	total := after.sum("hotpath_requests_total", `route="predict"`) - before.sum("hotpath_requests_total", `route="predict"`)
	if answered := len(r.where(func(a *answer) bool { return a.err == nil }).answers); int(total) != answered {
		t.Errorf("hotpath_requests_total counts %g more, the client saw %d answers", total, answered)
	}
}
