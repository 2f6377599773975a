//go:build !linux

package bench

import (
	"fmt"
	"runtime"
)

func lastCore() int { return runtime.NumCPU() - 1 }

func pinSelf(core int) error {
	return fmt.Errorf("pin to core %d: only Linux can, not %s", core, runtime.GOOS)
}
