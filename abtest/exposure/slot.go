package exposure

// keepEvent copies an event into the slot.
func (s *slot) keepEvent(e *Event) {
	s.kind = kindExposure
	s.text = append(append(s.text[:0], e.RequestID...), e.Unit...)
	s.event = *e
	split := len(e.RequestID)
	s.event.RequestID, s.event.Unit = s.text[:split:split], s.text[split:]
	s.event.Degraded = nil
	if len(e.Degraded) > 0 {
		s.event.Degraded = s.degraded[:copy(s.degraded[:], e.Degraded)]
	}
}

// keepFeedback copies an outcome into the slot.
func (s *slot) keepFeedback(f *Feedback) {
	s.kind = kindFeedback
	s.event.At, s.event.Score = f.At, f.Value
	s.text = s.text[:0]
	for i, t := range [len(s.ends)][]byte{f.ID, f.RequestID, f.UnitName, f.Unit, f.Experiment, f.Outcome} {
		s.text = append(s.text, t...)
		s.ends[i] = uint16(len(s.text))
	}
}

// feedback reads the slot's outcome into f, whose texts are the slot's.
func (s *slot) feedback(f *Feedback) {
	f.At, f.Value = s.event.At, s.event.Score
	from := uint16(0)
	for i, t := range [len(s.ends)]*[]byte{&f.ID, &f.RequestID, &f.UnitName, &f.Unit, &f.Experiment, &f.Outcome} {
		*t = s.text[from:s.ends[i]:s.ends[i]]
		from = s.ends[i]
	}
}
