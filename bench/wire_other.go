//go:build !linux

package bench

import (
	"context"
	"fmt"
	"runtime"
)

// wireGenerator needs epoll.
type wireGenerator struct{}

func (wireGenerator) name() string { return GeneratorWire }

func (wireGenerator) run(context.Context, *attack) (*outcome, error) {
	return nil, fmt.Errorf("the bench suite measures by epoll and /proc: it needs Linux, not %s", runtime.GOOS)
}
