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
		soft     uint64
		hard     uint64
	}{
		// Past the soft limit of CPU comes SIGXCPU, which says what happened; the
		// hard one kills what does not heed it.
		{syscall.RLIMIT_CPU, trialCPUSeconds, trialCPUSeconds + 5},
		{syscall.RLIMIT_AS, memory, memory}, {syscall.RLIMIT_CORE, 0, 0},
	} {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("rlimit %d: %w", l.resource, err)
		}
		next := syscall.Rlimit{Cur: min(l.soft, now.Max), Max: min(l.hard, now.Max)}
		if err := syscall.Setrlimit(l.resource, &next); err != nil {
			return fmt.Errorf("rlimit %d = %d: %w", l.resource, next.Cur, err)
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

// trialNice is the niceness of a trial: what serves comes first, and a trial gets
// what that leaves idle.
const trialNice = 19

// lowerPriority makes every thread of this process nice; one that is yet to come
// takes it over from whichever makes it.
func lowerPriority() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		// ESRCH: it has just ended.
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, trialNice); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	return nil
}
