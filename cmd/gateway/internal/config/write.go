package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"
)

const fileHead = `# Configuration of the Hotpath gateway, with every key at its default.
#
# Remove what you do not change: what the file leaves out has its default.
# Each key can also be given by an environment variable, named after it
# (HOTPATH_SERVER_LISTEN for server.listen), or on the command line
# (--set server.listen=:8080), which overrules the environment, which overrules
# this file. Unknown keys are errors. Paths are relative to the directory that
# the gateway is started in. Check changes with: gateway validate
`

// WriteDefault writes a configuration file that says all and changes nothing:
// every key with its default, its meaning and its limits.
func WriteDefault(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString(fileHead)
	walk(reflect.ValueOf(Default()).Elem(), "", func(s section) {
		in := indent(s.path)
		b.WriteByte('\n')
		comment(b, in, s.doc)
		fmt.Fprintf(b, "%s%s:\n", in, lastName(s.path))
	}, func(l leaf) {
		in := indent(l.path)
		doc := l.doc
		if limits := l.limits(); limits != "" {
			doc += " " + strings.ToUpper(limits[:1]) + limits[1:] + "."
		}
		comment(b, in, doc)
		fmt.Fprintf(b, "%s%s: %s\n", in, lastName(l.path), l.yaml())
	})
	return b.Flush()
}

// Dump writes the configuration in force as YAML, each key with where its value
// came from. Secrets show as ***.
func Dump(w io.Writer, c *Config, s Sources) error {
	b := bufio.NewWriter(w)
	walk(reflect.ValueOf(c).Elem(), "", func(s section) {
		fmt.Fprintf(b, "%s%s:\n", indent(s.path), lastName(s.path))
	}, func(l leaf) {
		line := fmt.Sprintf("%s%s: %s", indent(l.path), lastName(l.path), l.yaml())
		fmt.Fprintf(b, "%-48s # %s\n", line, s.Of(l.path))
	})
	return b.Flush()
}

func indent(path string) string { return strings.Repeat("  ", strings.Count(path, ".")) }

func lastName(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// comment writes text as comment lines of at most 80 columns.
func comment(b *bufio.Writer, in, text string) {
	line := in + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = in + "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
