package abtest

import "fmt"

// schedule is when an experiment assigns, and how many. Times are seconds since
// 1970.
type schedule struct {
	start, end int64 // it assigns in [start, end)
	ramp       []rampStep
	rampKey    uint64
}

// rampStep is a share that holds from a moment on.
type rampStep struct {
	at    int64
	share uint16 // basis points
}

// open says whether the experiment assigns at all at a moment; ReasonSplit: it does.
func (e *Experiment) open(now int64) Reason {
	switch {
	case !e.state.enabled():
		return ReasonNotRunning
	case !e.timed:
	case now < e.schedule.start:
		return ReasonNotStarted
	case now >= e.schedule.end:
		return ReasonEnded
	}
	return ReasonSplit
}

// share is the ramp's share at a moment, in basis points.
func (s *schedule) share(now int64) (share uint16) {
	if len(s.ramp) == 0 {
		return Buckets
	}
	for _, step := range s.ramp {
		if now < step.at {
			break
		}
		share = step.share
	}
	return share
}

// onRamp says whether a unit is in the ramp's share at a moment. The share goes
// by a hash of its own, so that a step lets units in and changes nothing for
// those who are in already.
func (s *schedule) onRamp(unit uint64, now int64) bool {
	return bucketOf(s.rampKey, unit) < s.share(now)
}

// schedule compiles start, end and ramp.
func (c *compiler) schedule(at place, e *Experiment, cfg *ExperimentConfig) {
	e.schedule = schedule{
		start:   c.moment(at.field("start"), cfg.Start, beginning),
		end:     c.moment(at.field("end"), cfg.End, forever),
		rampKey: hashKey(domainRamp, e.salt),
	}
	e.ramped = len(cfg.Ramp) > 0
	e.timed = cfg.Start != "" || cfg.End != ""
	if e.schedule.end <= e.schedule.start {
		c.addf(at.field("end"), "%s is not after the start, %s: to switch the experiment off say state: stopped", cfg.End, cfg.Start)
	}
	at = at.field("ramp")
	for i := range c.limit(at, len(cfg.Ramp), MaxRampSteps) {
		known := len(c.problems)
		step := c.rampStep(at.index(i), i, &cfg.Ramp[i])
		if len(c.problems) > known {
			continue
		}
		if n := len(e.schedule.ramp); n > 0 {
			c.follows(at.index(i), &e.schedule.ramp[n-1], &step)
		}
		e.schedule.ramp = append(e.schedule.ramp, step)
	}
}

func (c *compiler) rampStep(at place, i int, cfg *RampStep) (step rampStep) {
	step.at = c.moment(at.field("at"), cfg.At, beginning)
	if cfg.At == "" && i > 0 {
		c.addf(at.field("at"), "is missing: only the first step holds from the start")
	}
	if cfg.Share == nil {
		c.addf(at.field("share"), "is missing")
		return step
	}
	n, _ := c.basisPoints(at.field("share"), *cfg.Share)
	step.share = uint16(n)
	return step
}

// follows checks a step of a ramp against the one before.
func (c *compiler) follows(at place, before, step *rampStep) {
	if step.at <= before.at {
		c.addf(at.field("at"), "is not after the step before")
	}
	if step.share < before.share {
		c.addf(at.field("share"), "%s is below %s of the step before: a ramp lets nobody out again; for that change the shares by hand when it is time",
			percent(int(step.share)), percent(int(before.share)))
	}
}

// moment reads a time that may be left out.
func (c *compiler) moment(at place, text string, absent int64) int64 {
	if text == "" {
		return absent
	}
	t, err := parseMoment(text)
	if err != nil {
		c.problems = append(c.problems, Problem{Path: string(at), Message: fmt.Sprintf("%q %v", text, err)})
		return absent
	}
	return t
}
