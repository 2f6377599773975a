package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrialIsNice looks at the threads of a trial from inside.
func TestTrialIsNice(t *testing.T) {
	if os.Getenv("GATEWAY_TEST_NICE") != "" {
		if err := lowerPriority(); err != nil {
			t.Fatal(err)
		}
		stats, err := filepath.Glob("/proc/self/task/*/stat")
		if err != nil || len(stats) == 0 {
			t.Fatal(stats, err)
		}
		for _, name := range stats {
			stat, err := os.ReadFile(name)
			if err != nil {
				continue // it has just ended
			}
			// The name in parentheses may hold anything; niceness is the 17th after it.
			fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
			if fields[16] != "19" {
				t.Errorf("a thread has niceness %s: %s", fields[16], stat)
			}
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTrialIsNice$")
	cmd.Env = append(os.Environ(), "GATEWAY_TEST_NICE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
