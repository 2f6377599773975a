package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// The bounds of a trial. Memory is on top of what the process has reserved
// already, which with some instrumentation is terabytes.
const (
	trialCPUSeconds  = 60
	trialMemory      = 8 << 30
	trialModelCopies = 4 // ONNX Runtime holds the file, its parsed form and its weights
)

// limitTrial bounds this process, before it looks at a model of that many bytes:
// what loops or allocates without end is ended by the kernel.
func limitTrial(model int64) error {
	reserved, err := reservedMemory()
	if err != nil {
		return err
	}
	memory := uint64(reserved + trialMemory + trialModelCopies*model)
	for _, l := range []struct {
		resource int
		limit    uint64
	}{
		{syscall.RLIMIT_CPU, trialCPUSeconds}, {syscall.RLIMIT_AS, memory}, {syscall.RLIMIT_CORE, 0},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("rlimit %d: %w", l.resource, err)
		}
		limit := min(l.limit, now.Max)
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("rlimit %d = %d: %w", l.resource, limit, err)
		}
	}
	return nil
}

// reservedMemory is the size of the address space in use, in bytes.
func reservedMemory() (int64, error) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(data, []byte(" "))
	pages, err := strconv.ParseInt(string(first), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
