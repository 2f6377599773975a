package readout

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// naive counts what the readout counts, of one experiment, with maps and without
// bounds.
type naive struct {
	first     map[string]string // unit: variant
	at        map[string]int64
	moved     map[string]bool
	requests  map[string]string // id: unit
	converted map[string]bool
	sums      map[string]float64
	answers   map[string]*VariantReport
	feedback  FeedbackReport
	exposures int64
}

func newNaive() *naive {
	return &naive{map[string]string{}, map[string]int64{}, map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]float64{},
		map[string]*VariantReport{}, FeedbackReport{}, 0}
}

func (n *naive) exposed(e *exposure.Event) {
	if !e.Reason.Exposes() {
		return
	}
	n.exposures++
	u := string(e.Unit)
	if v, seen := n.first[u]; !seen {
		n.first[u], n.at[u] = e.Assigned, e.At
	} else if v != e.Assigned {
		n.moved[u] = true
	}
	n.requests[string(e.RequestID)] = u
	a := n.answers[e.Assigned]
	if a == nil {
		a = &VariantReport{}
		n.answers[e.Assigned] = a
	}
	if e.Via != exposure.Predict {
		return
	}
	a.Requests++
	switch {
	case e.Code == "bad_request":
		a.Rejected++
		return
	case e.Code != "ok":
		a.Errors++
	case e.Served != e.Assigned:
		a.Errors++
		if e.Served != "" {
			a.OtherServed++
		}
	}
	if len(e.Degraded) > 0 {
		a.Degraded++
	}
}

func (n *naive) reported(f *exposure.Feedback) {
	u, byRequest := string(f.Unit), false
	if len(f.RequestID) > 0 {
		if r, ok := n.requests[string(f.RequestID)]; ok {
			u, byRequest = r, true
		} else if u == "" {
			n.feedback.Unmatched.UnknownRequest++
			return
		}
	}
	if _, ok := n.first[u]; !ok {
		if len(f.RequestID) > 0 {
			n.feedback.Unmatched.UnknownRequest++
		} else {
			n.feedback.Unmatched.UnknownUnit++
		}
		return
	}
	outcome := string(f.Outcome)
	if outcome != "purchase" && outcome != "revenue" {
		n.feedback.NoMetric++
		return
	}
	switch {
	case !byRequest && f.At < n.at[u]:
		n.feedback.BeforeExposure++
	case outcome == "purchase" && f.At-n.at[u] > 60*second:
		n.feedback.OutsideWindow++
	case outcome == "revenue":
		n.sums[u] += f.Value
		n.feedback.Counted++
	case n.converted[u]:
		n.feedback.Repeated++
	default:
		n.converted[u] = true
		n.feedback.Counted++
	}
}

// Random events, feedback and edits lead to the same counts as in the naive model.
func TestAgainstANaiveModel(t *testing.T) {
	weigh := func(control float64, salt string) abtest.Config {
		return split(func(e *abtest.ExperimentConfig) {
			e.Metrics = []abtest.MetricConfig{{Name: "purchase", Within: "1m"}, {Name: "revenue", Kind: "value"}}
			e.Variants[0].Weight, e.Variants[1].Weight, e.Salt = ptr(control), ptr(100-control), salt
		})
	}
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 7))
		l, n := newLab(t, Options{}, weigh(50, "0")), newNaive()
		salt := "0"
		for range 3000 {
			u := user(random.IntN(400))
			switch dice := random.IntN(100); {
			case dice == 0:
				if random.IntN(3) == 0 {
					salt = strconv.Itoa(random.IntN(1e9))
					unmatched := n.feedback.Unmatched // outlives the experiment
					n = newNaive()
					n.feedback.Unmatched = unmatched
				}
				l.edit(weigh(25*float64(random.IntN(5)), salt))
			case dice <= 25:
				f := randomFeedback(random, l, u)
				l.readout.Reported(f)
				n.reported(f)
			default:
				n.exposed(l.serve(u, func(e *exposure.Event) { randomize(random, e) }))
			}
			l.at += random.Int64N(second / 10)
		}
		compareWithNaive(t, l, n)
		consistent(t, l.readout)
	}
}

func randomFeedback(random *rand.Rand, l *lab, u string) *exposure.Feedback {
	f := &exposure.Feedback{At: l.at - random.Int64N(second), Value: float64(random.IntN(10)),
		Outcome: []byte([]string{"purchase", "purchase", "revenue", "revenue", "click"}[random.IntN(5)])}
	if random.IntN(2) == 0 {
		f.RequestID = []byte("r" + strconv.Itoa(random.IntN(l.serial+1)))
	}
	if random.IntN(2) == 0 || f.RequestID == nil {
		f.Unit = []byte(u)
	}
	return f
}

func randomize(random *rand.Rand, e *exposure.Event) {
	switch random.IntN(12) {
	case 0:
		failing(e)
	case 1:
		e.Code = "bad_request"
	case 2:
		e.Served, e.Degraded = "other", []string{"fallback_variant"}
	case 3:
		e.Served, e.Degraded = "", []string{"static_answer"}
	case 4:
		e.Degraded = []string{"features"}
	case 5:
		e.Reason = []abtest.Reason{abtest.ReasonForced, abtest.ReasonOverride, abtest.ReasonPaused, abtest.ReasonSticky}[random.IntN(4)]
	case 6:
		e.Via, e.LatencyNS = exposure.Assign, 0
	}
}

func compareWithNaive(t *testing.T, l *lab, n *naive) {
	t.Helper()
	p := l.see()
	if p.Exposures != n.exposures || p.Moved != int64(len(n.moved)) || p.Feedback != n.feedback {
		t.Errorf("exposures %d, moved %d, feedback %+v,\nwant %d, %d, %+v", p.Exposures, p.Moved, p.Feedback, n.exposures, len(n.moved), n.feedback)
	}
	for i := range p.Variants {
		v := &p.Variants[i]
		var units, converted, valued int64
		var total float64
		for u, first := range n.first {
			if first != v.Name {
				continue
			}
			units++
			if n.converted[u] {
				converted++
			}
			if sum, ok := n.sums[u]; ok {
				valued++
				total += sum
			}
		}
		a := n.answers[v.Name]
		if a == nil {
			a = &VariantReport{}
		}
		if v.Units != units || v.Requests != a.Requests || v.Rejected != a.Rejected || v.Errors != a.Errors || v.OtherServed != a.OtherServed || v.Degraded != a.Degraded {
			t.Errorf("%+v,\nwant %d units, %+v", v, units, a)
		}
		purchase, revenue := p.outcome("purchase", v.Name), p.outcome("revenue", v.Name)
		if purchase.Converted != converted || revenue.Converted != valued || revenue.Mean != nil && math.Abs(*revenue.Mean*float64(units)-total) > 1e-6 {
			t.Errorf("%s: %+v, %+v, want %d, %d, %v", v.Name, purchase, revenue, converted, valued, total)
		}
	}
}

// The same with a table so small that samples are halved all the time.
func TestRandomEventsInASmallTable(t *testing.T) {
	cfg := split(purchases)
	for _, name := range []string{"search", "ranking"} {
		cfg.Experiments = append(cfg.Experiments, split(purchases, func(e *abtest.ExperimentConfig) { e.Name, e.Model = name, name }).Experiments[0])
	}
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 8))
		l := newLab(t, Options{Units: 300, Requests: 50}, cfg)
		for i := range 10_000 {
			e := l.event(user(random.IntN(3000)))
			randomize(random, &e)
			e.Experiment = []string{"checkout", "search", "ranking"}[random.IntN(3)]
			l.readout.Exposed(&e, true)
			if random.IntN(2) == 0 {
				l.readout.Reported(randomFeedback(random, l, user(random.IntN(3000))))
			}
			if i%100 == 0 {
				consistent(t, l.readout)
				l.see()
			}
		}
	}
}
