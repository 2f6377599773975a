package serving

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"hotpath/models"
	"hotpath/models/onnxscan"
	"hotpath/models/promotion"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/router"
)

// Promotion shows deployments what is loaded, and the requests that it gets. It is
// their Checker and their Traffic.
type Promotion struct {
	World   *World
	Metrics *Metrics
	// Read are the options of the repository, for reading files as it does; Trial
	// among them may be nil.
	Read repository.Options
	// Bind reports inputs of a candidate that the feature schema cannot fill.
	Bind func(ctx context.Context, c repository.Candidate) error
	// Guard are the options of a mirror's guard.
	Guard resilience.Options
}

// find finds a loaded version; 0 is the current one.
func (w *World) find(model string, version int) (*repository.Loaded, *served) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.findLocked(model, version)
}

func (w *World) findLocked(model string, version int) (*repository.Loaded, *served) {
	m := w.mu.set.Models[model]
	if m != nil && version == 0 {
		version = m.Current
	}
	l := m.Version(version)
	if l == nil {
		return nil, nil
	}
	return l, l.Served.(*served)
}

// Check implements promotion.Checker.
func (p *Promotion) Check(ctx context.Context, dir, model string, version int) (promotion.Candidate, error) {
	o := p.Read
	o.Dir = dir
	c, err := repository.Read(o, model, version)
	if err != nil {
		return nil, err
	}
	return &candidate{p, c}, ctx.Err()
}

// candidate is a version whose files are in order.
type candidate struct {
	p *Promotion
	*repository.Candidate
}

func (c *candidate) SHA256() string { return c.Candidate.SHA256 }

func (c *candidate) Summary() string {
	golden := "no golden rows"
	if c.Golden != nil {
		golden = fmt.Sprintf("%d golden rows", len(c.Golden.Cases))
	}
	return fmt.Sprintf("%d bytes, %d nodes, %s", len(c.Data), c.Scan.Nodes, golden)
}

func (c *candidate) Trial(ctx context.Context) error {
	if c.p.Read.Trial == nil {
		return promotion.ErrNoTrial
	}
	return c.p.Read.Trial(ctx, c.Data)
}

func (c *candidate) Contract() ([]string, error) {
	if err := c.p.Bind(context.Background(), *c.Candidate); err != nil {
		return nil, err
	}
	live, s := c.p.World.find(c.Model, 0)
	if s == nil {
		return nil, nil
	}
	next := signatureOf(c.Scan, s.info.Signature.Batched, c.Config.Outputs)
	return append(promotion.Differences(s.info.Signature, next, true), bindingDifferences(&live.Config, &c.Config)...), nil
}

// signatureOf is what a file says of its inputs and outputs, without the batch
// dimension.
func signatureOf(scan *onnxscan.Summary, batched bool, outputs []string) models.Signature {
	ports := func(values []onnxscan.Value, named []string) (all []models.Port) {
		for _, v := range values {
			if len(named) > 0 && !slices.Contains(named, v.Name) {
				continue
			}
			p := models.Port{Name: v.Name, DType: v.DType}
			if v.HasShape {
				dims := v.Dims
				if batched && len(dims) > 0 {
					dims = dims[1:]
				}
				p.Shape = make([]int, len(dims))
				for i, d := range dims {
					if p.Shape[i] = -1; d.Known() {
						p.Shape[i] = int(d.Size)
					}
				}
			}
			all = append(all, p)
		}
		return all
	}
	return models.Signature{Batched: batched, Inputs: ports(scan.Inputs, nil), Outputs: ports(scan.Outputs, outputs)}
}

// bindingDifferences are those that callers notice: features that only they can
// give, and the element that is the prediction.
func bindingDifferences(live, next *models.Config) (all []string) {
	was, is := requested(live), requested(next)
	for _, name := range was {
		if !slices.Contains(is, name) {
			all = append(all, fmt.Sprintf("feature %s of the request is gone", name))
		}
	}
	for _, name := range is {
		if !slices.Contains(was, name) {
			all = append(all, fmt.Sprintf("feature %s of the request is new", name))
		}
	}
	if a, b := predictionText(live), predictionText(next); a != b {
		all = append(all, fmt.Sprintf("the prediction was %s and is %s", a, b))
	}
	return all
}

// requested are the features that come with requests alone.
func requested(c *models.Config) (names []string) {
	for _, in := range c.Inputs {
		for _, f := range in.Features {
			if !strings.Contains(f, ".") {
				names = append(names, f)
			}
		}
	}
	return names
}

func predictionText(c *models.Config) string {
	switch p := c.Prediction; {
	case p.Output == "":
		return "none"
	case p.Index == nil:
		return p.Output
	default:
		return fmt.Sprintf("%s[%d]", p.Output, *p.Index)
	}
}

// Differences implements promotion.Traffic.
func (p *Promotion) Differences(model string, from, to int) ([]string, error) {
	_, a := p.World.find(model, from)
	_, b := p.World.find(model, to)
	if a == nil || b == nil {
		return nil, fmt.Errorf("model %q: versions %d and %d are not both loaded any more", model, from, to)
	}
	return promotion.Differences(a.info.Signature, b.info.Signature, false), nil
}

// Mirror implements promotion.Traffic.
func (p *Promotion) Mirror(model string, version int, tolerance float64, limit int) (promotion.Mirror, error) {
	guard, err := resilience.New(fmt.Sprintf("mirror:%s/%d", model, version), p.Guard)
	if err != nil {
		return nil, err
	}
	// Under the lock both lanes are held by the set, until the mirror holds its own.
	p.World.mu.Lock()
	defer p.World.mu.Unlock()
	_, live := p.World.findLocked(model, 0)
	_, next := p.World.findLocked(model, version)
	if live == nil || next == nil {
		return nil, fmt.Errorf("model %q: version %d and a current one are not both loaded any more", model, version)
	}
	m, err := p.World.pipeline.Mirror(router.MirrorOptions{Live: live.lane, Candidate: next.lane, Guard: guard, Tolerance: tolerance, Limit: limit})
	if err != nil {
		return nil, err
	}
	return mirror{m}, nil
}

// mirror shows a router's mirror to a deployment.
type mirror struct{ *router.Mirror }

func (m mirror) Report() promotion.Comparison {
	r := m.Mirror.Report()
	c := promotion.Comparison{Offered: r.Offered, Dropped: r.Dropped, Compared: r.Compared, Agreed: r.Agreed, Failed: r.Failed, NonFinite: r.NonFinite}
	if r.Compared > 0 {
		c.LiveRun, c.NextRun = r.LiveRun/time.Duration(r.Compared), r.CandidateRun/time.Duration(r.Compared)
	}
	for _, o := range r.Outputs {
		switch {
		case o.Unlike > 0:
			c.Outputs = append(c.Outputs, fmt.Sprintf("%s: %d not comparable", o.Name, o.Unlike))
		case o.Most > 0:
			c.Outputs = append(c.Outputs, fmt.Sprintf("%s: %.3g", o.Name, o.Most))
		}
	}
	return c
}

// Health implements promotion.Traffic.
func (p *Promotion) Health(model string, version int) (promotion.Health, error) {
	_, s := p.World.find(model, version)
	if s == nil {
		return promotion.Health{}, fmt.Errorf("model %q: version %d is not loaded", model, version)
	}
	o := s.lane.Metrics.Outcomes()
	h := promotion.Health{Requests: o.Requests, Failed: o.Failed, NonFinite: o.NonFinite, Trips: s.guard.State().Trips, Open: s.guard.Open()}
	return h, p.Metrics.runsOf(model, version, &h)
}

// runsOf reads what the runs of a version cost.
func (m *Metrics) runsOf(model string, version int, h *promotion.Health) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lanes[versionKey{model, version}] == 0 {
		return nil // its series are gone, and asking for them would make them again
	}
	v := strconv.Itoa(version)
	var runs, failed dto.Metric
	histogram, ok := m.runDuration.WithLabelValues(model, v).(prometheus.Metric)
	if !ok {
		return fmt.Errorf("the run times of model %q cannot be read", model)
	}
	if err := histogram.Write(&runs); err != nil {
		return err
	}
	if err := m.runErrors.WithLabelValues(model, v).Write(&failed); err != nil {
		return err
	}
	h.Runs, h.RunErrors = runs.GetHistogram().GetSampleCount(), uint64(failed.GetCounter().GetValue())
	h.RunTime = seconds(runs.GetHistogram().GetSampleSum())
	for _, b := range runs.GetHistogram().GetBucket() {
		h.Bounds, h.UpTo = append(h.Bounds, seconds(b.GetUpperBound())), append(h.UpTo, b.GetCumulativeCount())
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
