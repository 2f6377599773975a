package abtest

// holdout is a share of a unit that experiments leave alone. Nil holds nobody.
type holdout struct {
	salt  string
	key   uint64
	unit  uint8
	share uint16 // basis points
}

// holds says whether the request's unit is held out. A request without the unit
// is not.
func (h *holdout) holds(s *subject) bool {
	if h == nil {
		return false
	}
	u, ok := s.unit(h.unit)
	return ok && bucketOf(h.key, u) < h.share
}

// holdout compiles one; unit and salt are its defaults.
func (c *compiler) holdout(at place, cfg *HoldoutConfig, unit uint8, salt string) *holdout {
	if cfg == nil {
		return nil
	}
	h := &holdout{salt: c.salt(at, cfg.Salt, salt), unit: unit}
	h.key = hashKey(domainHoldout, h.salt)
	if cfg.Unit != "" {
		h.unit = c.unitSlot(at.field("unit"), cfg.Unit)
	}
	if cfg.Share == nil {
		c.addf(at.field("share"), "is missing")
		return h
	}
	n, ok := c.basisPoints(at.field("share"), *cfg.Share)
	if ok && n == 0 {
		c.addf(at.field("share"), "is 0: give a share above 0, or remove the holdout")
	}
	h.share = uint16(n)
	return h
}
