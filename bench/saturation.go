package bench

// The limits of a rate that the server holds.
const (
	minAchieved   = 0.98
	maxP99Micros  = 50_000
	maxRampFactor = 64 // of the first rate
	maxBisections = 3
)

// holds says whether the server kept up with the step.
func (s *Step) holds() bool {
	return s.Failed == 0 && s.Throughput >= minAchieved*s.Rate &&
		float64(s.Sent) >= minAchieved*float64(s.Planned) && s.Latency.P99 <= maxP99Micros
}

// findSaturation doubles the rate from first until a step does not hold, then
// bisects between the last that held and the first that did not. It returns the
// highest rate that held (0 when none did) and every step. probe runs one rate;
// one that does not hold is run once more, because a short step on a shared
// machine can fail by a neighbour's doing.
func findSaturation(first float64, probe func(rate float64) (Step, error)) (float64, []Step, error) {
	var steps []Step
	held, failed := 0.0, 0.0
	try := func(rate float64) error {
		for range 2 {
			s, err := probe(rate)
			if err != nil {
				return err
			}
			steps = append(steps, s)
			if s.holds() {
				held = rate
				return nil
			}
		}
		failed = rate
		return nil
	}
	for rate := first; failed == 0 && rate < first*maxRampFactor; rate *= 2 {
		if err := try(rate); err != nil {
			return held, steps, err
		}
	}
	for n := 0; failed > 0 && n < maxBisections; n++ {
		if err := try((held + failed) / 2); err != nil {
			return held, steps, err
		}
	}
	return held, steps, nil
}
