package httpapi

import (
	"testing"

	"github.com/valyala/fasthttp"
)

// TestDroppedCharges leave nothing behind, and take nothing from the request that has
// the header next.
func TestDroppedCharges(t *testing.T) {
	b := newBodyBudget(100)
	header := &fasthttp.RequestHeader{}
	b.reserve(header, routeInfer, 60)
	first := b.of(header)
	b.drop(first)
	if len(b.charged) != 0 || b.used != 0 {
		t.Errorf("%d charges, %d bytes", len(b.charged), b.used)
	}
	b.reserve(header, routeInfer, 70)
	b.drop(first)
	b.drop(nil)
	if got := b.settle(header); got.bytes != 70 || len(b.charged) != 0 || b.used != 0 {
		t.Errorf("%+v, %d charges, %d bytes", got, len(b.charged), b.used)
	}
}
