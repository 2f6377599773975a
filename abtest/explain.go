package abtest

// Explain appends what each experiment about the model says of a request by
// itself, in file order: the variant that it would give, or the reason why it
// gives none. Forced variants are not looked at. Assign's answer is the first
// override, else the first sticky one, else the first split or paused.
// Experiment is always set; Variant only where there is one.
func (m *ModelPlan) Explain(dst []Assignment, r *Request) []Assignment {
	if m == nil {
		return dst
	}
	s := subject{Request: r, plan: m.plan}
	for _, e := range m.all {
		dst = append(dst, e.explain(&s))
	}
	return dst
}

// Explain is what the experiment says of a request by itself, as
// ModelPlan.Explain has it for each. It allocates nothing.
func (e *Experiment) Explain(r *Request) Assignment {
	return e.explain(&subject{Request: r, plan: e.plan.plan})
}

func (e *Experiment) explain(s *subject) Assignment {
	v, bucket, r := e.alone(s)
	return Assignment{Experiment: e, Variant: v, Bucket: bucket, Reason: r, unit: s.unitOrEmpty(e.unit)}
}

// alone is what the experiment says of a request by itself, as if it were the
// only one about its model. The variant is nil where it gives none.
func (e *Experiment) alone(s *subject) (v *Variant, bucket uint16, r Reason) {
	u, ok := s.unit(e.unit)
	if ok {
		bucket = bucketOf(e.key, u)
	}
	if r = e.open(s.Now); r != ReasonSplit {
		return nil, bucket, r
	}
	if t, ok := e.plan.override(s, e); ok {
		return t.variant, bucket, ReasonOverride
	}
	if v = e.kept(s); v != nil {
		return v, bucket, ReasonSticky
	}
	switch r = e.enrol(s, false); r {
	case ReasonPaused:
		return e.fallback, bucket, r
	case ReasonSplit:
		return e.VariantAt(bucket), bucket, r
	}
	return nil, bucket, r
}
