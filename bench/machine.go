package bench

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Machine says where and how a report was made.
type Machine struct {
	CPU      string    `json:"cpu"`
	Cores    int       `json:"cores"`
	MemoryMB int64     `json:"memory_mb"`
	OS       string    `json:"os"`
	Kernel   string    `json:"kernel"`
	Go       string    `json:"go"`
	Git      string    `json:"git"`
	Redis    string    `json:"redis"`
	Vegeta   string    `json:"vegeta"`
	LoadAvg  string    `json:"loadavg_at_start"`
	Steal    float64   `json:"steal_percent"` // of all cores, during the run
	Command  []string  `json:"command"`
	Pinned   string    `json:"pinned"`
	Started  time.Time `json:"started"`
}

func describeMachine(o Options) Machine {
	m := Machine{
		CPU:     procField("/proc/cpuinfo", "model name"),
		Cores:   runtime.NumCPU(),
		OS:      runtime.GOOS + "/" + runtime.GOARCH,
		Kernel:  firstLine("/proc/sys/kernel/osrelease"),
		Go:      runtime.Version(),
		Git:     gitVersion(),
		Redis:   strings.TrimSpace(output(o.RedisServer, "--version")),
		Vegeta:  moduleVersion("github.com/tsenart/vegeta/v12"),
		LoadAvg: firstLine("/proc/loadavg"),
		Command: os.Args,
		Pinned:  "none: server, generator and Redis share all cores",
		Started: time.Now().UTC().Truncate(time.Second),
	}
	if o.Pin {
		m.Pinned = "server on core 0, generator and Redis on the last core"
	}
	if kb, ok := strings.CutSuffix(procField("/proc/meminfo", "MemTotal"), " kB"); ok {
		m.MemoryMB = int64(number([]byte(strings.TrimSpace(kb)))) / 1024
	}
	return m
}

// procField is the value of the first "name : value" line of a /proc file.
func procField(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func firstLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// output is what a short command prints; "unknown" where it cannot run.
func output(name string, args ...string) string {
	b, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// gitVersion is the commit of the working tree, marked when it has changes.
func gitVersion() string {
	hash := output("git", "rev-parse", "--short=12", "HEAD")
	if hash == "unknown" {
		return hash
	}
	if output("git", "status", "--porcelain") != "" {
		return hash + " with uncommitted changes"
	}
	return hash
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return "unknown"
}
