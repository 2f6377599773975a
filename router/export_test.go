package router

// ShadowsClosedForTest says that Close has begun.
func (p *Pipeline) ShadowsClosedForTest() bool { return p.shadows.closed() }
