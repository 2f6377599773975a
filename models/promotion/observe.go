package promotion

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// lookEvery is how often a shadow and a watch look at the counters.
const lookEvery = 100 * time.Millisecond

// Comparison is what a mirror has seen.
type Comparison struct {
	// Offered requests were copied or dropped for want of room; Compared ones were
	// answered by both versions, and Agreed of them alike.
	Offered, Dropped, Compared, Agreed int64
	// Failed copies got no answer, NonFinite ones a NaN or an infinity.
	Failed, NonFinite int64
	// LiveRun and NextRun are the mean times of a run.
	LiveRun, NextRun time.Duration
	// Outputs names the outputs with their largest difference, as far as there is one.
	Outputs []string
}

func (c Comparison) String() string {
	s := fmt.Sprintf("%d requests compared, %.4g %% agree, %d failed, %d dropped", c.Compared, 100*rate(uint64(c.Agreed), uint64(c.Compared)), c.Failed, c.Dropped)
	if c.NonFinite > 0 {
		s += fmt.Sprintf(", %d with NaN", c.NonFinite)
	}
	if c.LiveRun > 0 {
		s += fmt.Sprintf(", run %s against %s", c.NextRun.Round(time.Microsecond), c.LiveRun.Round(time.Microsecond))
	}
	if len(c.Outputs) > 0 {
		s += ", largest difference " + strings.Join(c.Outputs, ", ")
	}
	return s
}

// shadow compares the version with the current one on live requests.
func (d *deployment) shadow() (string, error) {
	r := &d.r.Request
	if r.ShadowRequests == 0 && r.ShadowTime == 0 {
		return "", errSkipped{"not asked for"}
	}
	if d.r.Before == 0 {
		return "", errSkipped{"no version serves that it could be compared with"}
	}
	mirror, err := d.m.o.Traffic.Mirror(d.r.Model, d.r.Version, r.Tolerance, r.ShadowRequests)
	if err != nil {
		return "", err
	}
	defer mirror.Stop()
	limit := time.Duration(r.ShadowTime)
	if limit == 0 {
		limit = d.m.o.ShadowTimeout
	}
	var c Comparison
	err = d.look(limit, func(last bool) (over bool, err error) {
		c = mirror.Report()
		d.m.say(d.e, c.String())
		enough := r.ShadowRequests > 0 && c.Compared+c.Failed >= int64(r.ShadowRequests)
		return enough, r.judgeShadow(c, last || enough)
	})
	switch {
	case err != nil:
		return "", err
	case c.Compared == 0 && c.Offered > 0:
		return "", fmt.Errorf("none of %d live requests could be compared within %s: %d failed, %d were dropped for want of room (resilience.shadow)", c.Offered, limit, c.Failed, c.Dropped)
	case c.Compared == 0:
		return "", fmt.Errorf("no live request was answered by version %d, the current one, within %s; without such traffic (experiments may send it to other versions), deploy without a shadow", d.r.Before, limit)
	case r.ShadowRequests > 0 && c.Compared+c.Failed < int64(r.ShadowRequests):
		return "", fmt.Errorf("only %d of %d live requests were compared within %s (models.promotion.shadow_timeout)", c.Compared, r.ShadowRequests, limit)
	}
	return c.String(), nil
}

// judgeShadow says what is wrong with a comparison; nil when nothing is.
func (r *Request) judgeShadow(c Comparison, last bool) error {
	seen := c.Compared + c.Failed
	if seen < minJudged && !last || seen == 0 {
		return nil
	}
	if share := rate(uint64(c.Failed+c.NonFinite), uint64(seen)); share > r.MaxErrorRate {
		return fmt.Errorf("%d of %d requests failed and %d held NaN or an infinity; at most %.3g %% are allowed (max_error_rate)", c.Failed, seen, c.NonFinite, 100*r.MaxErrorRate)
	}
	if share := rate(uint64(c.Agreed), uint64(c.Compared)); last && c.Compared > 0 && share < r.Agreement {
		return fmt.Errorf("%.4g %% of %d requests agree within %g, not %.4g %% (agreement)%s", 100*share, c.Compared, r.Tolerance, 100*r.Agreement, differences(c))
	}
	if last && c.Compared >= minTimed && c.NextRun-c.LiveRun > meanSlack && float64(c.NextRun) > r.MaxLatencyRatio*float64(c.LiveRun) {
		return fmt.Errorf("a run takes %s where the version that serves takes %s; at most %.3g times are allowed (max_latency_ratio)", c.NextRun, c.LiveRun, r.MaxLatencyRatio)
	}
	return nil
}

func differences(c Comparison) string {
	if len(c.Outputs) == 0 {
		return ""
	}
	return "; largest difference " + strings.Join(c.Outputs, ", ")
}

// watch looks after the version for a while after the switch.
func (d *deployment) watch() (string, error) {
	window := time.Duration(d.r.Request.WatchWindow)
	if window == 0 {
		return "", errSkipped{"not asked for"}
	}
	traffic := d.m.o.Traffic
	before := d.healthBefore()
	var h Health
	superseded := ""
	err := d.look(window, func(last bool) (bool, error) {
		now, _ := d.m.o.Repository.List().Model(d.r.Model)
		switch {
		case now.Current > d.r.Version:
			superseded = fmt.Sprintf("version %d has taken its place", now.Current)
			return true, nil
		case now.Current != d.r.Version:
			return false, fmt.Errorf("%w: %s", errSuperseded, versionText(now.Current))
		}
		read, err := traffic.Health(d.r.Model, d.r.Version)
		if err != nil {
			return false, err
		}
		h = read.since(d.began)
		d.m.say(d.e, h.String())
		return false, d.r.Request.judge(h, before, last)
	})
	if superseded != "" {
		return superseded, err
	}
	return h.String(), err
}

func (h Health) String() string {
	return fmt.Sprintf("%d requests, %d failed, %d with NaN, mean run %s", h.Requests, h.Failed, h.NonFinite, h.mean().Round(time.Microsecond))
}

// healthBefore is how the version before did during the deployment, or since it
// was loaded where that was too short to tell.
func (d *deployment) healthBefore() Health {
	if d.r.Before == 0 {
		return Health{}
	}
	all, err := d.m.o.Traffic.Health(d.r.Model, d.r.Before)
	if err != nil {
		return Health{} // it is unloaded: nothing to compare with
	}
	if recent := all.since(d.before); recent.Runs >= minTail {
		return recent
	}
	return all
}

// look calls each every now and then for a time, the last time with last set. It
// stops when each says that it is over, gives an error, or the deployment ends.
func (d *deployment) look(limit time.Duration, each func(last bool) (over bool, err error)) error {
	end := time.Now().Add(limit)
	tick := time.NewTicker(min(lookEvery, limit))
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return context.Cause(d.ctx)
		case <-tick.C:
		}
		last := !time.Now().Before(end)
		over, err := each(last)
		if err != nil || over || last {
			return err
		}
	}
}
