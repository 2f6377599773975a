package config

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"

	"hotpath/models/strictyaml"
)

// Problem is one thing wrong with the configuration, at the path of a key.
type Problem struct {
	Path    string
	Message string
}

// String is the path and the message.
func (p Problem) String() string { return p.Path + ": " + p.Message }

// Validate reports every value that is out of range and every pair of values
// that contradict one another. It looks at no files; Check does.
func (c *Config) Validate() []Problem {
	var ps []Problem
	for _, l := range leaves(c) {
		message := l.check()
		if message == "" {
			message = l.checkFormat()
		}
		if message != "" {
			ps = append(ps, Problem{l.path, message})
		}
	}
	bad := func(wrong bool, path, format string, args ...any) {
		if wrong {
			ps = append(ps, Problem{path, fmt.Sprintf(format, args...)})
		}
	}
	c.validateLimits(bad)
	c.validateRedis(bad)
	c.validateAuth(bad)
	c.validateExperiments(bad)
	return ps
}

// checkFormat says what is wrong with a text of a certain form.
func (l leaf) checkFormat() string {
	switch l.format {
	case "address or off":
		if a := l.value.String(); a != Off {
			if message := checkAddress(a, true); message != "" {
				return message + ", nor off"
			}
		}
	case "address":
		list, ok := l.value.Interface().([]string)
		if !ok {
			list = []string{l.value.String()}
		}
		for _, a := range list {
			if message := checkAddress(a, !ok); message != "" {
				return message
			}
		}
	case "header":
		if !isToken(l.value.String()) {
			return fmt.Sprintf("%q is not the name of a header", l.value.String())
		}
	case "dir":
		if l.value.String() == "" {
			return "is empty; name a directory"
		}
	}
	return ""
}

// Off is the address of a port that is not to be opened.
const Off = "off"

// checkAddress wants host:port; a listener may leave the host out.
func checkAddress(a string, listen bool) string {
	host, port, err := net.SplitHostPort(a)
	if err != nil || host == "" && !listen {
		return fmt.Sprintf("%q is not host:port", a)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || port == "" || n == 0 && !listen {
		return fmt.Sprintf("%q: port %q is not a number from 1 to 65535", a, port)
	}
	return ""
}

// isToken is RFC 9110's token.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

func (c *Config) validateLimits(bad func(wrong bool, path, format string, args ...any)) {
	s, d := c.Server, c.Deadline
	_, port, _ := net.SplitHostPort(s.Listen)
	bad(s.Listen == s.AdminListen && port != "0", "server.admin_listen", "%s is also server.listen; they need two ports", s.AdminListen)
	for _, other := range []struct{ path, address string }{{"server.listen", s.Listen}, {"server.admin_listen", s.AdminListen}} {
		_, port, _ := net.SplitHostPort(s.GRPCListen)
		bad(s.GRPCListen == other.address && port != "0", "server.grpc_listen", "%s is also %s; they need two ports", s.GRPCListen, other.path)
	}
	bad(s.MaxBatchBodyBytes < s.MaxBodyBytes, "server.max_batch_body_bytes",
		"%s is below server.max_body_bytes %s", s.MaxBatchBodyBytes, s.MaxBodyBytes)
	bad(s.MaxInferBodyBytes < s.MaxBodyBytes, "server.max_infer_body_bytes",
		"%s is below server.max_body_bytes %s", s.MaxInferBodyBytes, s.MaxBodyBytes)
	largest := max(s.MaxInferBodyBytes, s.MaxBatchBodyBytes)
	bad(s.BodyMemoryBytes < largest, "server.body_memory_bytes", "%s is below the largest body of %s: it could never be read", s.BodyMemoryBytes, largest)
	bad(s.GRPCListen != Off && s.BodyMemoryBytes < s.GRPCMaxMessageBytes, "server.grpc_max_message_bytes",
		"%s is above server.body_memory_bytes %s: such a message would always be refused", s.GRPCMaxMessageBytes, s.BodyMemoryBytes)
	bad(d.Default > d.Max, "deadline.default", "%s is above deadline.max %s", shortDuration(d.Default), shortDuration(d.Max))
	bad(s.DrainTimeout < d.Max, "server.drain_timeout",
		"%s is below deadline.max %s: requests that may still be answered would be cut off", shortDuration(s.DrainTimeout), shortDuration(d.Max))
	bad(c.Features.Budget > d.Max, "features.budget", "%s is above deadline.max %s", shortDuration(c.Features.Budget), shortDuration(d.Max))
	m := c.Models
	bad(len(m.Load) > 0 && m.Mode != "explicit", "models.load", "is for mode explicit, and models.mode is %s: every model is loaded; remove it, or set the mode", m.Mode)
	bad(m.DefaultQueueRows != 0 && m.DefaultQueueRows < m.DefaultMaxBatchSize, "models.default_queue_rows",
		"%d is below models.default_max_batch_size %d", m.DefaultQueueRows, m.DefaultMaxBatchSize)
	for _, g := range []struct {
		path string
		Guard
	}{{"redis", c.Resilience.Redis}, {"model", c.Resilience.Model}} {
		bad(g.Probes > g.MaxConcurrent, "resilience."+g.path+".probes", "%d is above max_concurrent %d", g.Probes, g.MaxConcurrent)
	}
}

func (c *Config) validateRedis(bad func(wrong bool, path, format string, args ...any)) {
	r := c.Features.Redis
	const at = "features.redis."
	bad(len(r.Addresses) == 0, at+"addresses", "is empty; give at least one host:port")
	bad(r.Mode == "standalone" && len(r.Addresses) > 1, at+"addresses",
		"standalone mode takes one address, got %d; use mode sentinel or cluster", len(r.Addresses))
	bad(r.Mode == "cluster" && r.DB != 0, at+"db", "%d: a cluster has database 0 only", r.DB)
	bad(r.Mode == "sentinel" && r.MasterSet == "", at+"master_set", "is needed in sentinel mode")
	bad(r.Mode != "sentinel" && r.MasterSet != "", at+"master_set", "%q: is for sentinel mode only, mode is %s", r.MasterSet, r.Mode)
	bad(!r.TLS.Enabled && (r.TLS.CAFile != "" || r.TLS.ServerName != "" || r.TLS.InsecureSkipVerify),
		at+"tls.enabled", "false, but other tls keys are set; set it to true or remove them")
}

// Check is Load and a look at every file and directory that the configuration
// names: the part of `gateway validate` that is about the main file. What is in
// those files is for their owners to check. With nothing wrong but such names the
// configuration comes with the error, so that the other files can be checked.
func Check(file string, env []string, overrides ...Override) (*Config, Sources, error) {
	l, err := load(file, env, overrides)
	if err != nil {
		return nil, nil, err
	}
	readable := len(l.problems) == 0
	for _, leaf := range l.leaves {
		if leaf.value.Kind() != reflect.String || leaf.value.String() == "" {
			continue
		}
		if message := checkPath(leaf.value.String(), leaf.format); message != "" {
			l.problems = append(l.problems, l.locate(Problem{leaf.path, message}))
		}
	}
	if !readable {
		return nil, nil, l.problems.Err()
	}
	return l.config, l.sources, l.problems.Err()
}

func checkPath(name, format string) string {
	if format != "file" && format != "dir" {
		return ""
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err.Error()
	case info.IsDir() && format == "file":
		return name + " is a directory, want a file"
	case !info.IsDir() && format == "dir":
		return name + " is not a directory"
	}
	return ""
}

// Problems is a set of problems found elsewhere in the values of a loaded
// configuration, by the options of the packages it configures, each at the
// place where its value was given; nil when there are none.
func (s Sources) Problems(ps []Problem) error {
	l := &loader{sources: s}
	var out strictyaml.Problems
	for _, p := range ps {
		out = append(out, l.locate(p))
	}
	return out.Err()
}
